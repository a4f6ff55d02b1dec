// SPDX-License-Identifier: MIT
/*
 * GET and SET_VP_REGISTERS: any number of registers, 31 to a command.
 *
 * A command that fails has the status of the first register that did, not its place. To name it,
 * the registers of that command are then given one by one: those before it succeed again, as what
 * they set is set already.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "shm.h"

/* How often a value that equals the sentinel is looked at before it is believed. */
#define MAX_LOOKS 20u

static struct sidecar_registers_request *header_of(const struct sidecar_vp *vp)
{
	return (struct sidecar_registers_request *)vp->page->request_data;
}

static struct hv_register_assoc *entries_of(const struct sidecar_vp *vp)
{
	return (struct hv_register_assoc *)(header_of(vp) + 1);
}

static void encode_header(struct sidecar_vp *vp, uint32_t command)
{
	struct request *request = &vp->request;
	struct sidecar_registers_request header = {
		.target_vtl = request->vtl,
		.status = SENTINEL_STATUS,
	};
	size_t limit = request->one_by_one ? 1 : SIDECAR_MAX_REGISTERS;

	request->chunk = request->count - request->done;
	if (request->chunk > limit)
		request->chunk = limit;
	header.count = (uint16_t)request->chunk;
	shm_copy_out(header_of(vp), &header, sizeof(header));
	shm_store32(&vp->page->command, command);
}

static void encode_get(struct sidecar_vp *vp)
{
	const struct hv_register_assoc *from = &vp->request.get[vp->request.done];
	struct hv_register_assoc *entries = entries_of(vp);
	struct hv_register_assoc entry;
	size_t i;

	encode_header(vp, SIDECAR_COMMAND_GET_REGISTERS);
	memset(&entry, 0, sizeof(entry));
	entry.value.low = SENTINEL_WORD;
	entry.value.high = SENTINEL_WORD;
	for (i = 0; i < vp->request.chunk; i++) {
		entry.name = from[i].name;
		shm_copy_out(&entries[i], &entry, sizeof(entry));
	}
}

static void encode_set(struct sidecar_vp *vp)
{
	const struct hv_register_assoc *from = &vp->request.set[vp->request.done];
	struct hv_register_assoc *entries = entries_of(vp);
	struct hv_register_assoc entry;
	size_t i;

	encode_header(vp, SIDECAR_COMMAND_SET_REGISTERS);
	memset(&entry, 0, sizeof(entry));
	for (i = 0; i < vp->request.chunk; i++) {
		entry.name = from[i].name;
		entry.value = from[i].value;
		shm_copy_out(&entries[i], &entry, sizeof(entry));
	}
}

/* The original stores "success" before it begins, so that this is not all of it for a get. */
static bool set_arrived(const struct sidecar_vp *vp)
{
	return shm_load16(&header_of(vp)->status) != SENTINEL_STATUS;
}

static bool get_arrived(const struct sidecar_vp *vp)
{
	const struct hv_register_assoc *last = &entries_of(vp)[vp->request.chunk - 1];
	uint16_t status = shm_load16(&header_of(vp)->status);

	if (status == SENTINEL_STATUS)
		return false;
	if (status != HV_STATUS_SUCCESS || node_has(vp, SIDECAR_CAP_OWNERSHIP))
		return true;
	return shm_load64(&last->value.low) != SENTINEL_WORD ||
	       shm_load64(&last->value.high) != SENTINEL_WORD || vp->request.looks > MAX_LOOKS;
}

static uint32_t name_at(const struct request *request, size_t index)
{
	return request->get ? request->get[index].name : request->set[index].name;
}

static void over_status(struct sidecar_vp *vp, uint16_t status)
{
	struct request *request = &vp->request;
	uint32_t name = name_at(request, request->done);

	vp_error(vp, SIDECAR_ERROR_HYPERVISOR, -EREMOTEIO,
		 "CPU %u: %s: register %zu of %zu, 0x%08x (%s): %s (0x%04x)", vp->cpu,
		 sidecar_operation_name(request->operation), request->done, request->count, name,
		 sidecar_register_name(name), sidecar_hv_status_name(status), status);
	vp->error.hv_status = status;
	vp->error.index = (uint32_t)request->done;
	request_over(vp, SIDECAR_EVENT_ERROR, -EREMOTEIO);
}

/* True: the status ends the operation. False: it succeeded, or its register is looked for. */
static bool check_status(struct sidecar_vp *vp, uint16_t status)
{
	if (status == HV_STATUS_SUCCESS)
		return false;
	if (vp->request.chunk > 1) {
		vp->request.one_by_one = true;
		vp->request.chunk = 0;
		return false;
	}
	over_status(vp, status);
	return true;
}

static bool advance(struct sidecar_vp *vp)
{
	vp->request.done += vp->request.chunk;
	return false;
}

static bool decode_set(struct sidecar_vp *vp)
{
	if (check_status(vp, shm_load16(&header_of(vp)->status)))
		return true;
	return advance(vp);
}

static bool decode_get(struct sidecar_vp *vp)
{
	struct hv_register_assoc *to = &vp->request.get[vp->request.done];
	const struct hv_register_assoc *entries = entries_of(vp);
	size_t i;

	if (check_status(vp, shm_load16(&header_of(vp)->status)))
		return true;
	for (i = 0; i < vp->request.chunk; i++)
		shm_copy_in(&to[i].value, &entries[i].value, sizeof(to[i].value));
	return advance(vp);
}

const struct command command_get_registers = {
	.encode = encode_get,
	.arrived = get_arrived,
	.decode = decode_get,
};

const struct command command_set_registers = {
	.encode = encode_set,
	.arrived = set_arrived,
	.decode = decode_set,
};

int registers_check(struct sidecar_vp *vp, const void *regs, size_t count)
{
	if (count && !regs)
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: %zu registers without an array", vp->cpu, count);
	if (count >= SIDECAR_NO_INDEX)
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: %zu registers, the limit is %u", vp->cpu, count,
				SIDECAR_NO_INDEX - 1);
	return 0;
}

int sidecar_vp_get_registers(struct sidecar_vp *vp, uint8_t vtl, struct hv_register_assoc *regs,
			     size_t count)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_GET_REGISTERS, NULL);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error) {
		vp_unclaim(vp);
		return error;
	}
	vp->request.vtl = vtl;
	vp->request.get = regs;
	vp->request.count = count;
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}

int sidecar_vp_set_registers(struct sidecar_vp *vp, uint8_t vtl,
			     const struct hv_register_assoc *regs, size_t count)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_SET_REGISTERS, NULL);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error) {
		vp_unclaim(vp);
		return error;
	}
	vp->request.vtl = vtl;
	vp->request.set = regs;
	vp->request.count = count;
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}

int sidecar_vp_get_register(struct sidecar_vp *vp, uint8_t vtl, uint32_t name,
			    struct hv_u128 *value)
{
	struct hv_register_assoc reg = { .name = name };
	int error = sidecar_vp_get_registers(vp, vtl, &reg, 1);

	if (!error)
		*value = reg.value;
	return error;
}

int sidecar_vp_set_register(struct sidecar_vp *vp, uint8_t vtl, uint32_t name,
			    struct hv_u128 value)
{
	const struct hv_register_assoc reg = { .name = name, .value = value };

	return sidecar_vp_set_registers(vp, vtl, &reg, 1);
}

int sidecar_vp_get_register64(struct sidecar_vp *vp, uint8_t vtl, uint32_t name, uint64_t *value)
{
	struct hv_u128 wide;
	int error = sidecar_vp_get_register(vp, vtl, name, &wide);

	if (!error)
		*value = wide.low;
	return error;
}

int sidecar_vp_set_register64(struct sidecar_vp *vp, uint8_t vtl, uint32_t name, uint64_t value)
{
	const struct hv_u128 wide = { .low = value };

	return sidecar_vp_set_register(vp, vtl, name, wide);
}

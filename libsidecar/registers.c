// SPDX-License-Identifier: MIT
/*
 * Any number of registers, each by the cheapest path that is right: the context, the register page,
 * and GET and SET_VP_REGISTERS for what is left, 31 to a command.
 *
 * A plan covers a span of the caller's array: the registers of one command, and around them those
 * that take another path. These are read or written when the command has succeeded, so that after
 * a failure everything before the register that failed is done, and nothing behind it.
 *
 * A command that fails has the status of the first register that did, not its place. To name it,
 * the registers of that command are then given one by one: those before it succeed again, as what
 * they set is set already.
 *
 * The register page takes RIP, RSP, RFLAGS and segments, RFLAGS only when nothing of its batch goes
 * by a command: what is in the page takes effect last.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "register_page.h"
#include "shm.h"

/* How often a value that equals the sentinel is looked at before it is believed. */
#define MAX_LOOKS 20u

#define KNOWN_CR0 1u
#define KNOWN_CR4 2u
#define KNOWN_EFER 4u
#define KNOWN_DR7 8u
#define KNOWN_PAGING (KNOWN_CR0 | KNOWN_CR4 | KNOWN_EFER)
#define KNOWN_ALL (KNOWN_PAGING | KNOWN_DR7)

/* Bits of MXCSR that exist where the processor does not say (APM vol. 2, 11.4.4.8), and at most. */
#define MXCSR_DEFAULT_MASK 0xffbfu
#define MXCSR_MASK 0xffffu

#define ST_HIGH_MASK 0xffffu /* an x87 register has 80 bits */
#define APIC_FIRST 0x00084000u
#define APIC_LAST 0x00084fffu

/* ---- the path of one register ---- */

enum path {
	PATH_COMMAND,
	PATH_CONTEXT,
	PATH_PAGE,
	PATH_SKIP,   /* it has the value */
	PATH_REFUSED /* the context has nobody else who would refuse it */
};

static bool is_amd(const struct sidecar_vp *vp)
{
	return vp->file->node->info.backend == SIDECAR_BACKEND_SVM;
}

static enum path get_path(const struct sidecar_vp *vp, uint32_t name, struct register_place *place)
{
	if (vp->plan.context) {
		*place = context_place(vp, name);
		if (place->bytes)
			return PATH_CONTEXT;
	}
	if (!vp->plan.page)
		return PATH_COMMAND;
	*place = page_place(vp, name);
	return place->bytes ? PATH_PAGE : PATH_COMMAND;
}

static uint32_t known_bit(uint32_t name)
{
	switch (name) {
	case HV_REGISTER_CR0:
		return KNOWN_CR0;
	case HV_REGISTER_CR4:
		return KNOWN_CR4;
	case HV_REGISTER_EFER:
		return KNOWN_EFER;
	case HV_REGISTER_DR7:
		return KNOWN_DR7;
	default:
		return 0;
	}
}

static uint64_t known_value(const struct register_known *values, uint32_t bit)
{
	switch (bit) {
	case KNOWN_CR0:
		return values->cr0;
	case KNOWN_CR4:
		return values->cr4;
	case KNOWN_EFER:
		return values->efer;
	default:
		return values->dr7;
	}
}

static bool has_value(const struct register_plan *plan, const struct hv_register_assoc *reg)
{
	uint32_t bit = known_bit(reg->name) & plan->known;

	return bit && !reg->value.high && reg->value.low == known_value(&plan->values, bit);
}

static bool mxcsr_is_valid(const struct sidecar_vp *vp, uint32_t mxcsr)
{
	uint32_t mask = shm_load32(&vp->page->cpu_context.fx_state.mxcsr_mask) & MXCSR_MASK;

	return !(mxcsr & ~(mask ? mask : MXCSR_DEFAULT_MASK));
}

/* On AMD-V the sidecar kernel knows which bits of MXCSR there are, and refuses the others. */
static enum path set_context_path(const struct sidecar_vp *vp, const struct hv_register_assoc *reg)
{
	if (reg->name != HV_REGISTER_XMM_CONTROL_STATUS)
		return PATH_CONTEXT;
	if (is_amd(vp))
		return PATH_COMMAND;
	return mxcsr_is_valid(vp, (uint32_t)reg->value.high) ? PATH_CONTEXT : PATH_REFUSED;
}

static enum path set_path(const struct sidecar_vp *vp, const struct hv_register_assoc *reg,
			  struct register_place *place)
{
	if (vp->plan.context) {
		*place = context_place(vp, reg->name);
		if (place->bytes)
			return set_context_path(vp, reg);
	}
	if (has_value(&vp->plan, reg))
		return PATH_SKIP;
	if (!vp->plan.page)
		return PATH_COMMAND;
	*place = page_place(vp, reg->name);
	return place->dirty && page_value_is_plain(reg->name, reg->value) ? PATH_PAGE :
									    PATH_COMMAND;
}

static enum path path_at(const struct sidecar_vp *vp, size_t i, struct register_place *place)
{
	const struct request *request = &vp->request;

	*place = (struct register_place){ .bytes = NULL };
	return request->get ? get_path(vp, request->get[i].name, place) :
			      set_path(vp, &request->set[i], place);
}

/* ---- the plan ---- */

/* A command for this register may change what the page shows. */
static bool touches_page(const struct sidecar_vp *vp, uint32_t name)
{
	return page_place(vp, name).bytes || name == HV_REGISTER_PENDING_EVENT0 ||
	       name == HV_REGISTER_PENDING_EVENT1 || (name >= APIC_FIRST && name <= APIC_LAST);
}

/* With the page, something of the batch would be out of date or out of order. */
static bool must_leave_page(const struct sidecar_vp *vp)
{
	const struct request *request = &vp->request;
	bool flags = false, command = false;
	struct register_place place;
	size_t i;

	for (i = 0; i < request->count; i++) {
		uint32_t name = request->set[i].name;

		if (path_at(vp, i, &place) == PATH_COMMAND) {
			if (touches_page(vp, name))
				return true;
			command = true;
		} else if (name == HV_REGISTER_RFLAGS) {
			flags = true;
		}
	}
	return flags && command;
}

static void note_known(struct sidecar_vp *vp)
{
	const struct hv_register_page *page = vp->register_page;
	struct register_known *values = &vp->plan.values;

	values->cr0 = shm_load64(&page->cr0);
	values->cr4 = shm_load64(&page->cr4);
	values->efer = shm_load64(&page->efer);
	values->dr7 = shm_load64(&page->dr7);
	vp->plan.known = KNOWN_ALL;
}

/* What the batch itself changes is not known any more: these may change each other. */
static void forget_changed(struct sidecar_vp *vp)
{
	struct register_plan *plan = &vp->plan;
	uint32_t bit, changed = 0;
	size_t i;

	for (i = 0; i < vp->request.count; i++) {
		bit = known_bit(vp->request.set[i].name);
		if (bit && !has_value(plan, &vp->request.set[i]))
			changed |= bit & KNOWN_PAGING ? KNOWN_PAGING : bit;
	}
	plan->known &= ~changed;
}

static bool is_page_of(const struct sidecar_vp *vp, uint8_t vtl)
{
	uint8_t page_vtl;

	if (!page_is_valid(vp, &page_vtl))
		return false;
	if (vtl == HV_VTL_CURRENT && is_amd(vp))
		vtl = HV_VTL_0;
	return (vtl & HV_VTL_USE_NUMBER) && vtl == (HV_VTL_USE_NUMBER | page_vtl);
}

/* On AMD-V there is VTL 0 alone, and the kernel refuses the others. */
static bool is_context_of(const struct sidecar_vp *vp, uint8_t vtl)
{
	if (vtl & HV_VTL_RESERVED_MASK)
		return false;
	return !is_amd(vp) || !(vtl & HV_VTL_USE_NUMBER) || vtl == HV_VTL_0;
}

static void make_plan(struct sidecar_vp *vp)
{
	struct register_plan *plan = &vp->plan;
	struct request *request = &vp->request;

	request->planned = true;
	page_fold_xmm(vp);
	plan->context = is_context_of(vp, request->vtl);
	plan->page = is_page_of(vp, request->vtl);
	plan->known = 0;
	plan->flush_count = 0;
	if (!plan->page || request->get)
		return;
	note_known(vp);
	if (!must_leave_page(vp))
		return;
	forget_changed(vp);
	page_turn_off(vp);
	plan->page = false;
}

/* As many as fit into a command, and the others around them. */
static void plan_span(struct sidecar_vp *vp)
{
	struct request *request = &vp->request;
	size_t limit = request->one_by_one ? 1 : SIDECAR_MAX_REGISTERS;
	struct register_place place;
	enum path path;
	size_t i;

	request->chunk = 0;
	for (i = request->done; i < request->count; i++) {
		path = path_at(vp, i, &place);
		if (path == PATH_REFUSED || (path == PATH_COMMAND && request->chunk == limit))
			break;
		if (path == PATH_COMMAND)
			vp->plan.place[request->chunk++] = (uint32_t)i;
	}
	vp->plan.span = i - request->done;
}

static void take_path(struct sidecar_vp *vp, size_t i)
{
	struct request *request = &vp->request;
	struct sidecar_vp_counters *counters = &vp->counters;
	struct register_place place;
	enum path path = path_at(vp, i, &place);
	struct hv_u128 value;

	if (path == PATH_SKIP) {
		counters->register_skipped++;
		return;
	}
	if (path != PATH_CONTEXT && path != PATH_PAGE)
		return;
	if (path == PATH_CONTEXT)
		counters->register_context++;
	else
		counters->register_page++;
	if (request->get) {
		request->get[i].value = place_read(&place);
		return;
	}
	value = request->set[i].value;
	if (request->set[i].name >= HV_REGISTER_FPMMX0 &&
	    request->set[i].name <= HV_REGISTER_FPMMX7)
		value.high &= ST_HIGH_MASK;
	place_write(&place, value);
	if (path == PATH_PAGE)
		page_add_dirty(vp, place.dirty);
}

/* The first of the span, as many as said, are done: those of the command by it. */
static void finish_span(struct sidecar_vp *vp, size_t length)
{
	struct request *request = &vp->request;
	size_t end = request->done + length;
	size_t i, next = 0;

	for (i = request->done; i < end; i++) {
		if (next < request->chunk && vp->plan.place[next] == i) {
			vp->counters.register_command++;
			next++;
		} else {
			take_path(vp, i);
		}
	}
	request->done = end;
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

bool registers_begin(struct sidecar_vp *vp)
{
	struct request *request = &vp->request;

	if (!request->planned)
		make_plan(vp);
	if (vp->plan.flush_count)
		return false;
	while (request->done < request->count) {
		plan_span(vp);
		if (request->chunk)
			return false;
		if (!vp->plan.span) {
			over_status(vp, HV_STATUS_INVALID_REGISTER_VALUE);
			return true;
		}
		finish_span(vp, vp->plan.span);
	}
	request_over(vp, SIDECAR_EVENT_DONE, 0);
	return true;
}

void registers_end(struct sidecar_vp *vp)
{
	if (vp->request.planned && vp->plan.flush_count)
		page_turn_on(vp);
}

/* ---- the command ---- */

static struct sidecar_registers_request *header_of(const struct sidecar_vp *vp)
{
	return (struct sidecar_registers_request *)vp->page->request_data;
}

static struct hv_register_assoc *entries_of(const struct sidecar_vp *vp)
{
	return (struct hv_register_assoc *)(header_of(vp) + 1);
}

static void encode_header(struct sidecar_vp *vp, uint32_t command, size_t count)
{
	struct sidecar_registers_request header = {
		.count = (uint16_t)count,
		.target_vtl = vp->request.vtl,
		.status = SENTINEL_STATUS,
	};

	shm_copy_out(header_of(vp), &header, sizeof(header));
	shm_store32(&vp->page->command, command);
}

static void encode_entry(struct sidecar_vp *vp, size_t i, uint32_t name, struct hv_u128 value)
{
	const struct hv_register_assoc entry = { .name = name, .value = value };

	shm_copy_out(&entries_of(vp)[i], &entry, sizeof(entry));
}

static void encode_get(struct sidecar_vp *vp)
{
	static const struct hv_u128 sentinel = { SENTINEL_WORD, SENTINEL_WORD };
	size_t i;

	encode_header(vp, SIDECAR_COMMAND_GET_REGISTERS, vp->request.chunk);
	for (i = 0; i < vp->request.chunk; i++)
		encode_entry(vp, i, vp->request.get[vp->plan.place[i]].name, sentinel);
}

static void encode_flush(struct sidecar_vp *vp)
{
	const struct register_plan *plan = &vp->plan;
	size_t i;

	encode_header(vp, SIDECAR_COMMAND_SET_REGISTERS, plan->flush_count);
	for (i = 0; i < plan->flush_count; i++)
		encode_entry(vp, i, plan->flush[i].name, plan->flush[i].value);
}

static void encode_set(struct sidecar_vp *vp)
{
	const struct hv_register_assoc *from;
	size_t i;

	if (vp->plan.flush_count) {
		encode_flush(vp);
		return;
	}
	encode_header(vp, SIDECAR_COMMAND_SET_REGISTERS, vp->request.chunk);
	for (i = 0; i < vp->request.chunk; i++) {
		from = &vp->request.set[vp->plan.place[i]];
		encode_entry(vp, i, from->name, from->value);
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

/* True: the status ends the operation. False: it succeeded, or its register is looked for. */
static bool check_status(struct sidecar_vp *vp, uint16_t status)
{
	struct request *request = &vp->request;

	if (status == HV_STATUS_SUCCESS)
		return false;
	if (request->chunk > 1) {
		request->one_by_one = true;
		request->chunk = 0;
		vp->plan.span = 0;
		return false;
	}
	finish_span(vp, vp->plan.place[0] - request->done);
	over_status(vp, status);
	return true;
}

/* True: what was dirty in the page is refused, and the operation over. */
static bool check_flush(struct sidecar_vp *vp, uint16_t status)
{
	if (status == HV_STATUS_SUCCESS) {
		vp->plan.flush_count = 0;
		return false;
	}
	vp_error(vp, SIDECAR_ERROR_HYPERVISOR, -EREMOTEIO,
		 "CPU %u: %s: what is changed in the register page (0x%x): %s (0x%04x)", vp->cpu,
		 sidecar_operation_name(vp->request.operation), vp->plan.flush_dirty,
		 sidecar_hv_status_name(status), status);
	vp->error.hv_status = status;
	request_over(vp, SIDECAR_EVENT_ERROR, -EREMOTEIO);
	return true;
}

static bool decode_set(struct sidecar_vp *vp)
{
	uint16_t status = shm_load16(&header_of(vp)->status);

	if (vp->plan.flush_count)
		return check_flush(vp, status);
	if (check_status(vp, status))
		return true;
	finish_span(vp, vp->plan.span);
	return false;
}

static bool decode_get(struct sidecar_vp *vp)
{
	const struct hv_register_assoc *entries = entries_of(vp);
	struct hv_register_assoc *to;
	size_t i;

	if (check_status(vp, shm_load16(&header_of(vp)->status)))
		return true;
	for (i = 0; i < vp->request.chunk; i++) {
		to = &vp->request.get[vp->plan.place[i]];
		shm_copy_in(&to->value, &entries[i].value, sizeof(to->value));
	}
	finish_span(vp, vp->plan.span);
	return false;
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

/* ---- what users call ---- */

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

/* A plan that is a flush, and a batch of none after it. */
int sidecar_vp_flush_registers(struct sidecar_vp *vp)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_SET_REGISTERS, NULL);
	uint8_t vtl;

	if (error)
		return error;
	vp->plan.flush_count = 0;
	vp->request.planned = true;
	if (page_is_valid(vp, &vtl)) {
		vp->request.vtl = (uint8_t)(HV_VTL_USE_NUMBER | (vtl & HV_VTL_NUMBER_MASK));
		page_turn_off(vp);
	}
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}

// SPDX-License-Identifier: MIT
#include "hypercall.h"

#include "hardware.h"

static struct hyperv_buffers boot_buffers;
static phys_t boot_buffers_at;

void hyperv_set_boot_caller(phys_t image)
{
	boot_buffers_at = hyperv_image_at(image, &boot_buffers);
}

struct hyperv_caller hyperv_caller(struct cpu *cpu)
{
	if (!cpu)
		return (struct hyperv_caller){&boot_buffers, boot_buffers_at};
	return (struct hyperv_caller){
		.buffers = &hyperv_pages(cpu)->buffers,
		.at = phys(cpu->backend_pages.value + offsetof(struct hyperv_pages, buffers)),
	};
}

static uint64_t call(const struct hyperv_caller *caller, uint64_t control)
{
	uint64_t input = caller->at.value;

	return hyperv_hypercall(control, input, input + offsetof(struct hyperv_buffers, output));
}

uint16_t hyperv_simple_call(const struct hyperv_caller *caller, uint16_t code)
{
	return (uint16_t)(call(caller, code) & HV_HYPERCALL_STATUS_MASK);
}

/* ---- registers ------------------------------------------------------------------------------- */

/* The list of names or values behind the header. */
static void *fill_header(const struct hyperv_caller *caller, uint8_t vtl)
{
	struct hv_vp_registers_input *header = (void *)caller->buffers->input;

	*header = (struct hv_vp_registers_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.target_vtl = vtl,
	};
	return header + 1;
}

/*
 * Adds the repetitions that were done to *done. The hypervisor may stop before the end without a
 * failure; without any progress that would be for ever.
 */
static uint16_t call_repeated(const struct hyperv_caller *caller, uint16_t code, unsigned int count,
			      unsigned int *done)
{
	uint64_t result = call(caller, code | (uint64_t)count << HV_HYPERCALL_REP_COUNT_SHIFT);
	uint64_t completed =
		(result & HV_HYPERCALL_REPS_COMPLETED_MASK) >> HV_HYPERCALL_REPS_COMPLETED_SHIFT;
	uint16_t status = (uint16_t)(result & HV_HYPERCALL_STATUS_MASK);

	if (completed > count)
		completed = count;
	*done += (unsigned int)completed;
	if (status == HV_STATUS_SUCCESS && !completed)
		return HV_STATUS_OPERATION_FAILED;
	return status;
}

uint16_t hyperv_get_registers(const struct hyperv_caller *caller, uint8_t vtl,
			      struct hv_register_assoc *regs, unsigned int count,
			      unsigned int *done)
{
	const struct hv_u128 *values = (const void *)caller->buffers->output;
	uint16_t status = HV_STATUS_SUCCESS;

	for (*done = 0; *done < count && status == HV_STATUS_SUCCESS;) {
		uint32_t *names = fill_header(caller, vtl);
		unsigned int first = *done;

		for (unsigned int i = first; i < count; i++)
			names[i - first] = regs[i].name;
		status = call_repeated(caller, HV_CALL_GET_VP_REGISTERS, count - first, done);
		for (unsigned int i = first; i < *done; i++)
			regs[i].value = values[i - first];
	}
	return status;
}

uint16_t hyperv_set_registers(const struct hyperv_caller *caller, uint8_t vtl,
			      const struct hv_register_assoc *regs, unsigned int count,
			      unsigned int *done)
{
	uint16_t status = HV_STATUS_SUCCESS;

	for (*done = 0; *done < count && status == HV_STATUS_SUCCESS;) {
		struct hv_register_assoc *list = fill_header(caller, vtl);
		unsigned int first = *done;

		for (unsigned int i = first; i < count; i++)
			list[i - first] = (struct hv_register_assoc){
				.name = regs[i].name,
				.value = regs[i].value,
			};
		status = call_repeated(caller, HV_CALL_SET_VP_REGISTERS, count - first, done);
	}
	return status;
}

uint16_t hyperv_get_own(const struct hyperv_caller *caller, uint32_t name, uint64_t *value)
{
	struct hv_register_assoc reg = {.name = name};
	unsigned int done;
	uint16_t status = hyperv_get_registers(caller, HV_VTL_CURRENT, &reg, 1, &done);

	*value = reg.value.low;
	return status;
}

uint16_t hyperv_set_own(const struct hyperv_caller *caller, uint32_t name, uint64_t value)
{
	const struct hv_register_assoc reg = {.name = name, .value = {value, 0}};
	unsigned int done;

	return hyperv_set_registers(caller, HV_VTL_CURRENT, &reg, 1, &done);
}

// SPDX-License-Identifier: MIT
/* Starting a VP in this VTL. */
#include "arch/x86/arch_cpu.h"
#include "backend.h"
#include "console/format.h"
#include "hardware.h"
#include "hypercall.h"
#include "mm/layout.h"

#define THIS_VTL 2

#define CR0_START 0x80010033ull /* PG WP NE ET MP PE */
#define CR4_START 0x260ull	/* PAE MCE OSFXSR */
#define EFER_START 0xd00ull	/* LME LMA NXE */
#define PAT_START 0x0007040600070406ull
#define RFLAGS_START 0x2ull

#define CODE_ATTRIBUTES 0xa09b /* present, long, accessed */
#define DATA_ATTRIBUTES 0xc093
#define TSS_ATTRIBUTES 0x008b /* present, busy */

/*
 * Everything in here is the kernel's own and the same for all, but the tables: the stack and the
 * globals are at the same address on every CPU.
 */
static void fill_context(struct hv_initial_vp_context *context, phys_t tables)
{
	const struct hv_segment data = {
		.limit = UINT32_MAX, .selector = SELECTOR_DATA, .attributes = DATA_ATTRIBUTES};

	*context = (struct hv_initial_vp_context){
		.rip = (uint64_t)hyperv_vp_start,
		.rsp = STACK_END_VA,
		.rflags = RFLAGS_START,
		.cs = {.limit = UINT32_MAX,
		       .selector = SELECTOR_CODE,
		       .attributes = CODE_ATTRIBUTES},
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {.limit = 0xffff, .attributes = TSS_ATTRIBUTES},
		.efer = EFER_START,
		.cr0 = CR0_START,
		.cr3 = tables.value,
		.cr4 = CR4_START,
		.pat = PAT_START,
	};
	hyperv_boot_tables(&context->gdtr, &context->idtr);
}

static bool refused(uint32_t vp_index, const char *call, uint16_t status,
		    struct sidecar_command_error *error)
{
	error_format(error, "VP %u: %s has hypervisor status 0x%x", vp_index, call, status);
	return false;
}

bool backend_start_cpu(struct cpu *cpu, uint32_t vp_index, phys_t tables,
		       struct sidecar_command_error *error)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);
	struct hv_start_vp_input *input = (void *)caller.buffers->input;
	uint16_t status;

	*input = (struct hv_start_vp_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = vp_index,
		.target_vtl = THIS_VTL,
	};
	fill_context(&input->context, tables);
	status = hyperv_simple_call(&caller, HV_CALL_ENABLE_VP_VTL);
	if (status != HV_STATUS_SUCCESS && status != HV_STATUS_VTL_ALREADY_ENABLED)
		return refused(vp_index, "EnableVpVtl", status, error);
	status = hyperv_simple_call(&caller, HV_CALL_START_VIRTUAL_PROCESSOR);
	if (status != HV_STATUS_SUCCESS)
		return refused(vp_index, "StartVirtualProcessor", status, error);
	return true;
}

uint64_t backend_entry(void)
{
	return (uint64_t)hyperv_vp_entry;
}

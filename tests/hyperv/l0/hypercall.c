// SPDX-License-Identifier: MIT
/*
 * Hypercalls of VTL2: TLFS, "Hypercall Interface" and the reference of each call. What a caller
 * writes wrong in the form of a call is a violation; a bad register name or value is only refused,
 * because it may be the VMM's, which the caller hands on.
 */
#include "hypercall.h"

#include "assist.h"
#include "guest.h"
#include "hostile.h"
#include "log.h"
#include "nested.h"
#include "partition.h"
#include "registers.h"
#include "vmcb_setup.h"

#define VMMCALL_LENGTH 3
#define HYPERCALL_MSR_ENABLE 1ull
#define HYPERCALL_MSR_LOCKED 2ull
#define HYPERCALL_MSR_RESERVED 0xffcull
#define CONTROL_RESERVED 0xf000f00078000000ull
#define CLOBBERED 0xc1c1c1c1c1c1c1c1ull

struct call {
	const char *name;
	uint16_t code;
	uint16_t header;	  /* bytes of input before the elements, or all of it */
	uint16_t rep_in, rep_out; /* of one element; 0, 0: no rep call */
	uint16_t output;
	uint16_t (*simple)(struct cpu *cpu, const void *input, void *output);
	uint16_t (*rep)(struct cpu *cpu, const void *input, uint32_t index, void *output);
};

/* ---- the hypercall page ---------------------------------------------------------------------- */

/* mov eax = control, VTL code to ecx: position independent, as software may copy the page. */
static void write_page(uint8_t *page)
{
	static const uint8_t call[] = {0x0f, 0x01, 0xd9, 0xc3}; /* vmmcall; ret */
	/* mov %rcx, %rax; mov $code, %ecx; vmmcall; ret */
	static const uint8_t vtl[] = {0x48, 0x89, 0xc8, 0xb9, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};

	__builtin_memset(page, 0xcc, PAGE);
	__builtin_memcpy(page, call, sizeof(call));
	__builtin_memcpy(page + partition.call_offset, vtl, sizeof(vtl));
	page[partition.call_offset + 4] = HV_CALL_VTL_CALL;
	__builtin_memcpy(page + partition.return_offset, vtl, sizeof(vtl));
	page[partition.return_offset + 4] = HV_CALL_VTL_RETURN;
}

/* When the overlay goes, what was under it comes back: nobody may have relied on the code there. */
static void clear_page(void)
{
	if (partition.hypercall_msr & HYPERCALL_MSR_ENABLE)
		__builtin_memset((void *)(partition.hypercall_msr & ~0xfffull), 0xcc, PAGE);
}

bool hypercall_page_set(struct cpu *cpu, uint64_t value)
{
	uint64_t page = value & ~0xfffull;

	if (partition.hypercall_msr & HYPERCALL_MSR_LOCKED)
		return false;
	if (value & HYPERCALL_MSR_RESERVED) {
		log_violation(cpu, "HYPERCALL MSR 0x%lx has reserved bits", value);
		return false;
	}
	/* Without a guest OS ID the enable bit stays 0 (TLFS, "Establishing the Interface"). */
	if ((value & HYPERCALL_MSR_ENABLE) && !partition.guest_os_id) {
		log_violation(cpu, "hypercall page enabled before GUEST_OS_ID is set");
		value &= ~HYPERCALL_MSR_ENABLE;
	}
	if ((value & HYPERCALL_MSR_ENABLE) && !nested_is_ram(page, PAGE)) {
		log_violation(cpu, "hypercall page 0x%lx is no RAM", page);
		return false;
	}
	clear_page();
	partition.hypercall_msr = value;
	if (value & HYPERCALL_MSR_ENABLE)
		write_page((uint8_t *)page);
	log_line(cpu, "hypercall page 0x%lx", value);
	return true;
}

/* ---- what the calls have in common ----------------------------------------------------------- */

uint16_t hypercall_target_vtl(struct cpu *cpu, uint8_t input_vtl, uint8_t *vtl)
{
	uint8_t number = input_vtl & HV_VTL_NUMBER_MASK;

	if (input_vtl & HV_VTL_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	if (!(input_vtl & HV_VTL_USE_NUMBER))
		number = cpu->vtl;
	if (number > 2)
		return HV_STATUS_INVALID_PARAMETER;
	if (number == 1)
		return HV_STATUS_INVALID_VTL_STATE;
	*vtl = number;
	return HV_STATUS_SUCCESS;
}

uint16_t hypercall_check_self(struct cpu *cpu, uint64_t partition_id, uint32_t vp_index)
{
	if (partition_id != HV_PARTITION_ID_SELF) {
		log_violation(cpu, "partition 0x%lx, not SELF", partition_id);
		return HV_STATUS_INVALID_PARTITION_ID;
	}
	if (vp_index == HV_VP_INDEX_SELF || vp_index == cpu->vp_index)
		return HV_STATUS_SUCCESS;
	if (!cpu_of_vp(vp_index)) {
		log_violation(cpu, "VP index %u of %u", vp_index, cpu_count);
		return HV_STATUS_INVALID_VP_INDEX;
	}
	log_violation(cpu, "call about VP %u: offered for the calling VP only", vp_index);
	return HV_STATUS_INVALID_VP_STATE;
}

static bool is_zero(const uint8_t *bytes, uint32_t size)
{
	while (size--)
		if (*bytes++)
			return false;
	return true;
}

/* ---- registers ------------------------------------------------------------------------------- */

static uint16_t check_registers_input(struct cpu *cpu, const struct hv_vp_registers_input *input,
				      uint8_t *vtl)
{
	uint16_t status = hypercall_check_self(cpu, input->partition_id, input->vp_index);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!is_zero(input->reserved, sizeof(input->reserved))) {
		log_violation(cpu, "register call with reserved bytes not zero");
		return HV_STATUS_INVALID_PARAMETER;
	}
	return hypercall_target_vtl(cpu, input->target_vtl, vtl);
}

static uint16_t get_registers(struct cpu *cpu, const void *input, uint32_t index, void *output)
{
	const uint32_t *names = (const void *)((const struct hv_vp_registers_input *)input + 1);
	struct hv_u128 value;
	uint8_t vtl;
	uint16_t status = check_registers_input(cpu, input, &vtl);

	if (status == HV_STATUS_SUCCESS)
		status = register_get(cpu, vtl, names[index], &value);
	if (status == HV_STATUS_SUCCESS)
		((struct hv_u128 *)output)[index] = value;
	return status;
}

static uint16_t set_registers(struct cpu *cpu, const void *input, uint32_t index, void *output)
{
	const struct hv_register_assoc *all =
		(const void *)((const struct hv_vp_registers_input *)input + 1);
	struct hv_register_assoc assoc = all[index];
	uint8_t vtl;
	uint16_t status = check_registers_input(cpu, input, &vtl);

	(void)output;
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!is_zero((const uint8_t *)assoc.reserved, sizeof(assoc.reserved))) {
		log_violation(cpu, "register 0x%x set with reserved words not zero", assoc.name);
		return HV_STATUS_INVALID_PARAMETER;
	}
	return register_set(cpu, vtl, assoc.name, &assoc.value);
}

/* ---- starting VPs ---------------------------------------------------------------------------- */

static uint16_t check_start(struct cpu *cpu, const struct hv_start_vp_input *input,
			    const char *name)
{
	const char *what;
	uint16_t status;

	if (input->partition_id != HV_PARTITION_ID_SELF) {
		log_violation(cpu, "%s: partition 0x%lx, not SELF", name, input->partition_id);
		return HV_STATUS_INVALID_PARTITION_ID;
	}
	if (!cpu_of_vp(input->vp_index)) {
		log_violation(cpu, "%s: VP index %u of %u", name, input->vp_index, cpu_count);
		return HV_STATUS_INVALID_VP_INDEX;
	}
	if (input->target_vtl != 2 || !is_zero(input->reserved, sizeof(input->reserved))) {
		log_violation(cpu, "%s: target VTL 0x%x, or reserved bytes not zero", name,
			      input->target_vtl);
		return HV_STATUS_INVALID_PARAMETER;
	}
	status = vmcb_check_context(&input->context, &what);
	if (status != HV_STATUS_SUCCESS)
		log_violation(cpu, "%s: VP %u: bad %s", name, input->vp_index, what);
	return status;
}

static uint16_t enable_vp_vtl(struct cpu *cpu, const void *input, void *output)
{
	const struct hv_start_vp_input *in = input;
	uint16_t status = check_start(cpu, in, "EnableVpVtl");
	bool disabled = false;

	(void)output;
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (!__atomic_compare_exchange_n(&cpu_of_vp(in->vp_index)->vtl2_enabled, &disabled, true,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return HV_STATUS_VTL_ALREADY_ENABLED;
	return HV_STATUS_SUCCESS;
}

/* Once for each VP, but that a VP whose software has retired its APIC may be started anew. */
static bool may_start(const struct cpu *target)
{
	return !load(&target->started) || load(&target->retired);
}

/* Pages that the old software left enabled would lie over the new software's memory. */
static void check_handed_over(const struct cpu *cpu, const struct cpu *target)
{
	if (load(&target->assist) & HV_OVERLAY_ENABLE)
		log_violation(cpu, "VP %u was retired with its VP assist page 0x%lx enabled",
			      target->vp_index, target->assist);
	if (load(&target->register_page) & HV_OVERLAY_ENABLE)
		log_violation(cpu, "VP %u was retired with its register page 0x%lx enabled",
			      target->vp_index, target->register_page);
}

static uint16_t start_claimed(struct cpu *cpu, struct cpu *target,
			      const struct hv_initial_vp_context *context)
{
	uint32_t free = 0;

	if (!__atomic_compare_exchange_n(&target->claimed, &free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED) ||
	    !may_start(target)) {
		log_violation(cpu, "StartVirtualProcessor: VP %u runs already", target->vp_index);
		if (!free)
			store(&target->claimed, 0);
		return HV_STATUS_INVALID_VP_STATE;
	}
	check_handed_over(cpu, target);
	target->context = *context;
	cpu_start(cpu, target, START_CONTEXT);
	log_line(cpu, "VP %u started, APIC ID %u", target->vp_index, target->apic_id);
	return HV_STATUS_SUCCESS;
}

static uint16_t start_vp(struct cpu *cpu, const void *input, void *output)
{
	const struct hv_start_vp_input *in = input;
	uint16_t status = check_start(cpu, in, "StartVirtualProcessor");
	struct cpu *target = cpu_of_vp(in->vp_index);

	(void)output;
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (target == cpu) {
		log_violation(cpu, "StartVirtualProcessor for itself");
		return HV_STATUS_INVALID_VP_STATE;
	}
	if (!load(&target->vtl2_enabled)) {
		log_violation(cpu, "StartVirtualProcessor: VTL2 of VP %u is not enabled",
			      target->vp_index);
		return HV_STATUS_INVALID_VTL_STATE;
	}
	if (hostile_refuses_start(target))
		return HV_STATUS_INSUFFICIENT_MEMORY;
	return start_claimed(cpu, target, &in->context);
}

static uint16_t enable_partition_vtl(struct cpu *cpu, const void *input, void *output)
{
	const struct hv_enable_partition_vtl_input *in = input;

	(void)output;
	if (in->partition_id != HV_PARTITION_ID_SELF || in->reserved || in->reserved2) {
		log_violation(cpu, "EnablePartitionVtl: partition 0x%lx, or reserved not zero",
			      in->partition_id);
		return HV_STATUS_INVALID_PARAMETER;
	}
	/* VTL2 was enabled before its first instruction, and there is no VTL1. */
	return in->target_vtl == 2 ? HV_STATUS_VTL_ALREADY_ENABLED : HV_STATUS_INVALID_PARAMETER;
}

static uint16_t vp_index_from_apic_id(struct cpu *cpu, const void *input, uint32_t index,
				      void *output)
{
	const struct hv_vp_index_from_apic_id_input *in = input;
	uint32_t apic_id = ((const uint32_t *)(in + 1))[index];
	struct cpu *target = cpu_of_apic(apic_id);

	if (in->partition_id != HV_PARTITION_ID_SELF ||
	    !is_zero(in->reserved, sizeof(in->reserved))) {
		log_violation(cpu, "GetVpIndexFromApicId: partition 0x%lx, or reserved not zero",
			      in->partition_id);
		return HV_STATUS_INVALID_PARAMETER;
	}
	if (!target)
		return HV_STATUS_INVALID_PARAMETER;
	((uint32_t *)output)[index] = target->vp_index;
	return HV_STATUS_SUCCESS;
}

/* ---- intercepts ------------------------------------------------------------------------------ */

struct install_intercept_input {
	uint64_t partition_id;
	uint32_t access, type;
	uint64_t parameters;
};
SIDECAR_ASSERT_SIZE(struct install_intercept_input, 24);

#define INTERCEPT_EXCEPTION 3u

/* Ports, MSRs, CPUID and hypercalls of VTL0 are intercepted anyway. */
static uint16_t install_intercept(struct cpu *cpu, const void *input, void *output)
{
	const struct install_intercept_input *in = input;

	(void)output;
	if (in->partition_id != HV_PARTITION_ID_SELF || in->access > 7)
		return HV_STATUS_INVALID_PARAMETER;
	if (in->type != INTERCEPT_EXCEPTION)
		return HV_STATUS_SUCCESS;
	if (in->parameters > 31)
		return HV_STATUS_INVALID_PARAMETER;
	vmcb_intercept_exception((uint8_t)in->parameters);
	log_line(cpu, "exception %lu of VTL0 is intercepted", in->parameters);
	return HV_STATUS_SUCCESS;
}

/* ---- dispatch -------------------------------------------------------------------------------- */

#define REGISTERS sizeof(struct hv_vp_registers_input)
#define START sizeof(struct hv_start_vp_input)
#define TRANSLATE sizeof(struct hv_translate_input)

static const struct call calls[] = {
	{"EnablePartitionVtl", HV_CALL_ENABLE_PARTITION_VTL,
	 sizeof(struct hv_enable_partition_vtl_input), 0, 0, 0, enable_partition_vtl, NULL},
	{"EnableVpVtl", HV_CALL_ENABLE_VP_VTL, START, 0, 0, 0, enable_vp_vtl, NULL},
	{"StartVirtualProcessor", HV_CALL_START_VIRTUAL_PROCESSOR, START, 0, 0, 0, start_vp, NULL},
	{"GetVpRegisters", HV_CALL_GET_VP_REGISTERS, REGISTERS, 4, 16, 0, NULL, get_registers},
	{"SetVpRegisters", HV_CALL_SET_VP_REGISTERS, REGISTERS, 32, 0, 0, NULL, set_registers},
	{"GetVpIndexFromApicId", HV_CALL_GET_VP_INDEX_FROM_APIC_ID,
	 sizeof(struct hv_vp_index_from_apic_id_input), 4, 4, 0, NULL, vp_index_from_apic_id},
	{"TranslateVirtualAddress", HV_CALL_TRANSLATE_VIRTUAL_ADDRESS, TRANSLATE, 0, 0,
	 sizeof(struct hv_translate_plain_output), translate_plain, NULL},
	{"TranslateVirtualAddressEx", HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX, TRANSLATE, 0, 0,
	 sizeof(struct hv_translate_output), translate, NULL},
	{"InstallIntercept", HV_CALL_INSTALL_INTERCEPT, sizeof(struct install_intercept_input), 0,
	 0, 0, install_intercept, NULL},
};

static const struct call *find(uint16_t code)
{
	for (uint32_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].code == code)
			return &calls[i];
	return NULL;
}

static uint32_t rep_count(uint64_t control)
{
	return (control & HV_HYPERCALL_REP_COUNT_MASK) >> HV_HYPERCALL_REP_COUNT_SHIFT;
}

static uint32_t rep_start(uint64_t control)
{
	return (control & HV_HYPERCALL_REP_START_MASK) >> HV_HYPERCALL_REP_START_SHIFT;
}

/* XMM fast input is not advertised, and none of the calls fits into two registers. */
static uint16_t check_control(struct cpu *cpu, const struct call *call, uint64_t control)
{
	const char *what = NULL;

	if (control & (CONTROL_RESERVED | HV_HYPERCALL_NESTED))
		what = "reserved bits";
	else if (control & HV_HYPERCALL_VARIABLE_HEADER_MASK)
		what = "a variable header";
	else if (control & HV_HYPERCALL_FAST)
		what = "fast input";
	else if (!call->rep && (rep_count(control) || rep_start(control)))
		what = "a rep count for a simple call";
	else if (call->rep && rep_start(control) >= rep_count(control))
		what = "a rep start that is not below the count";
	if (!what)
		return HV_STATUS_SUCCESS;
	log_violation(cpu, "%s: control 0x%lx has %s", call->name, control, what);
	return HV_STATUS_INVALID_HYPERCALL_INPUT;
}

static uint16_t check_list(struct cpu *cpu, const struct call *call, const char *which,
			   uint64_t gpa, uint64_t size)
{
	if (size == 0)
		return HV_STATUS_SUCCESS;
	if (gpa % 8 == 0 && gpa % PAGE + size <= PAGE && nested_is_ram(gpa, size))
		return HV_STATUS_SUCCESS;
	log_violation(cpu, "%s: %s at 0x%lx, %lu bytes: not aligned, or in two pages, or no RAM",
		      call->name, which, gpa, size);
	return HV_STATUS_INVALID_ALIGNMENT;
}

static uint16_t check_lists(struct cpu *cpu, const struct call *call, uint32_t count)
{
	uint64_t in = cpu->gps[HV_GP_RDX], out = cpu->gps[HV_GP_R8];
	uint64_t in_size = call->header + (uint64_t)count * call->rep_in;
	uint64_t out_size = call->output + (uint64_t)count * call->rep_out;
	uint16_t status = check_list(cpu, call, "input", in, in_size);

	if (status == HV_STATUS_SUCCESS)
		status = check_list(cpu, call, "output", out, out_size);
	if (status == HV_STATUS_SUCCESS && out_size && in < out + out_size && out < in + in_size) {
		log_violation(cpu, "%s: input and output overlap", call->name);
		status = HV_STATUS_INVALID_PARAMETER;
	}
	return status;
}

/* Stops at the first element that fails. */
static uint64_t run_rep(struct cpu *cpu, const struct call *call, uint64_t control)
{
	const void *input = (const void *)cpu->gps[HV_GP_RDX];
	void *output = (void *)cpu->gps[HV_GP_R8];
	uint32_t index = rep_start(control);
	uint16_t status = HV_STATUS_SUCCESS;

	while (index < rep_count(control)) {
		status = call->rep(cpu, input, index, output);
		if (status != HV_STATUS_SUCCESS)
			break;
		index++;
	}
	return status | (uint64_t)index << HV_HYPERCALL_REPS_COMPLETED_SHIFT;
}

static uint64_t run(struct cpu *cpu, const struct call *call, uint64_t control)
{
	uint16_t status = check_control(cpu, call, control);

	if (status == HV_STATUS_SUCCESS)
		status = check_lists(cpu, call, rep_count(control));
	if (status == HV_STATUS_SUCCESS)
		status = hostile_fails_call(cpu, call->code);
	if (status != HV_STATUS_SUCCESS)
		return status | (uint64_t)rep_start(control) << HV_HYPERCALL_REPS_COMPLETED_SHIFT;
	if (call->rep)
		return run_rep(cpu, call, control);
	return call->simple(cpu, (const void *)cpu->gps[HV_GP_RDX], (void *)cpu->gps[HV_GP_R8]);
}

static bool is_possible(struct cpu *cpu)
{
	if (cpu->vmcb2.save.cpl == 0 &&
	    (partition.hypercall_msr & HYPERCALL_MSR_ENABLE || partition.guest_os_id))
		return true;
	log_violation(cpu, "VMMCALL at CPL %u, GUEST_OS_ID 0x%lx", cpu->vmcb2.save.cpl,
		      partition.guest_os_id);
	return false;
}

void hypercall(struct cpu *cpu)
{
	uint64_t control = cpu->gps[HV_GP_RCX];
	uint16_t code = control & HV_HYPERCALL_CODE_MASK;
	const struct call *call = find(code);
	uint64_t result = HV_STATUS_INVALID_HYPERCALL_CODE;

	cpu->hypercalls++;
	if (!is_possible(cpu)) {
		guest_raise(cpu, 2, VECTOR_UD);
		return;
	}
	if (control == HV_CALL_VTL_RETURN) {
		vtl_return(cpu);
		return;
	}
	if (call)
		result = run(cpu, call, control);
	else
		log_violation(cpu, "hypercall 0x%lx is not offered", control);
	cpu->gps[HV_GP_RAX] = result;
	cpu->gps[HV_GP_RCX] = CLOBBERED;
	hostile_clobber(cpu);
	guest_skip(cpu, 2, VMMCALL_LENGTH);
}

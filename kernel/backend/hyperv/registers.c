// SPDX-License-Identifier: MIT
/*
 * GET and SET_VP_REGISTERS. What the VTLs share is in this CPU, or in the command page while the
 * guest does not run, and asking the hypervisor for it would find, or destroy, the kernel's own
 * values. The rest is the hypervisor's, in as few calls as the order allows.
 */
#include "backend.h"
#include "context.h"
#include "hardware.h"
#include "hypercall.h"
#include "hyperv.h"

#define MSR_MTRR_PHYS_BASE0 0x200u /* base and mask of pair n: plus 2n, and one more */
#define MSR_MTRR_FIX64K_00000 0x250u
#define MSR_MTRR_FIX16K_80000 0x258u /* two */
#define MSR_MTRR_FIX4K_C0000 0x268u  /* eight */
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define SHARED_MTRR_PAIRS 8u

#define OWN_VTL 2

/* Registers of this very VTL that user mode may write: VSM's, which all concern lower VTLs. */
#define WRITABLE_FIRST HV_REGISTER_VSM_CODE_PAGE_OFFSETS
#define WRITABLE_LAST HV_REGISTER_VSM_VP_WAIT_FOR_TLB_LOCK

enum place {
	PLACE_HYPERVISOR,
	PLACE_CONTEXT, /* of the command page */
	PLACE_MSR,
	PLACE_DR,
};

/* ---- where a register is --------------------------------------------------------------------- */

/* How far into a range of count names; count when it is not one of them. */
static uint32_t within(uint32_t name, uint32_t first, uint32_t count)
{
	return name - first < count ? name - first : count;
}

/* The MSR of a shared MTRR, or 0. */
static uint32_t mtrr_of(uint32_t name)
{
	uint32_t n;

	if (name == HV_REGISTER_MTRR_DEF_TYPE)
		return MSR_MTRR_DEF_TYPE;
	n = within(name, HV_REGISTER_MTRR_PHYS_BASE0, SHARED_MTRR_PAIRS);
	if (n < SHARED_MTRR_PAIRS)
		return MSR_MTRR_PHYS_BASE0 + 2 * n;
	n = within(name, HV_REGISTER_MTRR_PHYS_MASK0, SHARED_MTRR_PAIRS);
	if (n < SHARED_MTRR_PAIRS)
		return MSR_MTRR_PHYS_BASE0 + 2 * n + 1;
	if (name == HV_REGISTER_MTRR_FIX64K_00000)
		return MSR_MTRR_FIX64K_00000;
	n = within(name, HV_REGISTER_MTRR_FIX16K_80000, 2);
	if (n < 2)
		return MSR_MTRR_FIX16K_80000 + n;
	n = within(name, HV_REGISTER_MTRR_FIX4K_C0000, 8);
	return n < 8 ? MSR_MTRR_FIX4K_C0000 + n : 0;
}

static bool is_shared_dr(uint32_t name)
{
	return (name >= HV_REGISTER_DR0 && name <= HV_REGISTER_DR3) ||
	       (name == HV_REGISTER_DR6 && hyperv_host.dr6_shared);
}

static unsigned int dr_number(uint32_t name)
{
	return name == HV_REGISTER_DR6 ? 6 : name - HV_REGISTER_DR0;
}

static enum place place_of(struct cpu *cpu, uint32_t name)
{
	if (mtrr_of(name))
		return PLACE_MSR;
	if (is_shared_dr(name))
		return PLACE_DR;
	if (context_gp(&cpu->command->cpu_context, name) ||
	    context_fx(&cpu->command->cpu_context, name))
		return PLACE_CONTEXT;
	return PLACE_HYPERVISOR;
}

/* How many from the first on are the hypervisor's. */
static unsigned int count_remote(struct cpu *cpu, const struct hv_register_assoc *regs,
				 unsigned int count)
{
	unsigned int n = 0;

	while (n < count && place_of(cpu, regs[n].name) == PLACE_HYPERVISOR)
		n++;
	return n;
}

/* ---- get ------------------------------------------------------------------------------------- */

static uint16_t get_context(struct cpu *cpu, struct hv_register_assoc *reg)
{
	struct sidecar_cpu_context *context = &cpu->command->cpu_context;
	const uint64_t *gp = context_gp(context, reg->name);

	if (gp)
		reg->value = (struct hv_u128){*gp, 0};
	else
		__builtin_memcpy(&reg->value, context_fx(context, reg->name), sizeof(reg->value));
	return HV_STATUS_SUCCESS;
}

static uint16_t get_local(struct cpu *cpu, struct hv_register_assoc *reg)
{
	uint64_t value;

	switch (place_of(cpu, reg->name)) {
	case PLACE_MSR:
		if (!hyperv_rdmsr(mtrr_of(reg->name), &value))
			return HV_STATUS_UNKNOWN_REGISTER_NAME;
		reg->value = (struct hv_u128){value, 0};
		return HV_STATUS_SUCCESS;
	case PLACE_DR:
		reg->value = (struct hv_u128){hyperv_get_dr(dr_number(reg->name)), 0};
		return HV_STATUS_SUCCESS;
	default:
		return get_context(cpu, reg);
	}
}

uint16_t backend_get_registers(struct cpu *cpu, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);
	uint16_t status = HV_STATUS_SUCCESS;

	for (*done = 0; *done < count && status == HV_STATUS_SUCCESS;) {
		unsigned int n = count_remote(cpu, regs + *done, count - *done);

		if (n) {
			status = hyperv_get_registers(&caller, vtl, regs + *done, n, &n);
		} else {
			status = get_local(cpu, &regs[*done]);
			n = status == HV_STATUS_SUCCESS;
		}
		*done += n;
	}
	return status;
}

/* ---- set ------------------------------------------------------------------------------------- */

static uint16_t set_context(struct cpu *cpu, const struct hv_register_assoc *reg)
{
	struct sidecar_cpu_context *context = &cpu->command->cpu_context;
	uint64_t *gp = context_gp(context, reg->name);

	if (gp) {
		*gp = reg->value.low;
		return HV_STATUS_SUCCESS;
	}
	return context_set_fx(context_fx(context, reg->name), reg->name, reg->value,
			      cpu->backend.mxcsr_mask)
		       ? HV_STATUS_SUCCESS
		       : HV_STATUS_INVALID_REGISTER_VALUE;
}

/* MOV to DR6 raises #GP for more than 32 bits (APM vol. 2, 13.1.1.3). */
static uint16_t set_dr(unsigned int number, uint64_t value)
{
	if (number == 6 && value > UINT32_MAX)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	hyperv_set_dr(number, value);
	return HV_STATUS_SUCCESS;
}

static uint16_t set_local(struct cpu *cpu, const struct hv_register_assoc *reg)
{
	switch (place_of(cpu, reg->name)) {
	case PLACE_MSR:
		return hyperv_wrmsr(mtrr_of(reg->name), reg->value.low)
			       ? HV_STATUS_SUCCESS
			       : HV_STATUS_INVALID_REGISTER_VALUE;
	case PLACE_DR:
		return set_dr(dr_number(reg->name), reg->value.low);
	default:
		return set_context(cpu, reg);
	}
}

static bool is_own_vtl(uint8_t vtl)
{
	return !(vtl & HV_VTL_USE_NUMBER) || (vtl & HV_VTL_NUMBER_MASK) == OWN_VTL;
}

/*
 * How many of the hypervisor's may be set. In this VTL itself RIP, CR3 or an overlay is the
 * kernel's own, and user mode has no business there (R10).
 */
static unsigned int count_allowed(uint8_t vtl, const struct hv_register_assoc *regs,
				  unsigned int count)
{
	unsigned int n = 0;

	if (!is_own_vtl(vtl))
		return count;
	while (n < count && regs[n].name >= WRITABLE_FIRST && regs[n].name <= WRITABLE_LAST)
		n++;
	return n;
}

static uint16_t set_remote(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			   unsigned int *count)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);
	unsigned int wanted = *count, allowed = count_allowed(vtl, regs, wanted);
	uint16_t status = hyperv_set_registers(&caller, vtl, regs, allowed, count);

	if (status == HV_STATUS_SUCCESS && allowed < wanted)
		return HV_STATUS_ACCESS_DENIED;
	return status;
}

uint16_t backend_set_registers(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	uint16_t status = HV_STATUS_SUCCESS;

	for (*done = 0; *done < count && status == HV_STATUS_SUCCESS;) {
		unsigned int n = count_remote(cpu, regs + *done, count - *done);

		if (n) {
			status = set_remote(cpu, vtl, regs + *done, &n);
		} else {
			status = set_local(cpu, &regs[*done]);
			n = status == HV_STATUS_SUCCESS;
		}
		*done += n;
	}
	return status;
}

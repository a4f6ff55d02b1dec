// SPDX-License-Identifier: MIT
/*
 * Registers that only remember, with a few values refused as the processor's would be. Those that
 * all VTLs share are in the command page's context, as everywhere.
 */
#include "backend.h"
#include "host.h"

static const struct {
	uint32_t first, last;
} ranges[] = {
	{HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_REGISTER_INTERNAL_ACTIVITY_STATE},
	{HV_REGISTER_PENDING_INTERRUPTION, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS},
	{HV_REGISTER_RAX, HV_REGISTER_RFLAGS},
	{HV_REGISTER_XMM0, HV_REGISTER_XMM_CONTROL_STATUS},
	{HV_REGISTER_CR0, HV_REGISTER_XFEM},
	{HV_REGISTER_DR0, HV_REGISTER_DR7},
	{HV_REGISTER_ES, HV_REGISTER_TR},
	{HV_REGISTER_IDTR, HV_REGISTER_GDTR},
	{HV_REGISTER_TSC, HV_REGISTER_SFMASK},
	{HV_REGISTER_MTRR_DEF_TYPE, HV_REGISTER_MTRR_DEF_TYPE},
	{HV_REGISTER_MTRR_FIX64K_00000, HV_REGISTER_TSC_AUX},
};

#define EFER_KNOWN 0xd01u /* SCE, LME, LMA, NXE */
#define MXCSR_KNOWN 0xffffu

struct hv_u128 *host_register(struct cpu *cpu, uint32_t name)
{
	uint32_t index = 0;

	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (name >= ranges[i].first && name <= ranges[i].last)
			return &cpu->backend.registers[index + name - ranges[i].first];
		index += ranges[i].last - ranges[i].first + 1;
	}
	return NULL;
}

void host_registers_reset(struct cpu *cpu)
{
	__builtin_memset(cpu->backend.registers, 0, sizeof(cpu->backend.registers));
	host_register(cpu, HV_REGISTER_RIP)->low = 0xfff0;
	host_register(cpu, HV_REGISTER_RFLAGS)->low = 2;
	host_register(cpu, HV_REGISTER_CR0)->low = 0x60000010;
}

/* What has room for 16 bytes in the FXSAVE image. */
static void *fx_place(struct hv_fx_state *fx, uint32_t name)
{
	if (name >= HV_REGISTER_XMM0 && name <= HV_REGISTER_XMM15)
		return fx->xmm[name - HV_REGISTER_XMM0];
	if (name >= HV_REGISTER_FPMMX0 && name <= HV_REGISTER_FPMMX7)
		return fx->st[name - HV_REGISTER_FPMMX0];
	if (name == HV_REGISTER_FP_CONTROL_STATUS)
		return fx;
	return name == HV_REGISTER_XMM_CONTROL_STATUS ? (void *)&fx->fdp : 0;
}

static void *context_place(struct cpu *cpu, uint32_t name, unsigned int *size)
{
	struct sidecar_cpu_context *context = &cpu->command->cpu_context;

	*size = sizeof(uint64_t);
	if (name == HV_REGISTER_CR2)
		return &context->gps[SIDECAR_GP_CR2];
	if (name >= HV_REGISTER_RAX && name <= HV_REGISTER_R15 && name != HV_REGISTER_RSP)
		return &context->gps[name - HV_REGISTER_RAX];
	*size = sizeof(struct hv_u128);
	return fx_place(&context->fx_state, name);
}

static uint16_t check_vtl(uint8_t vtl)
{
	if (vtl == HV_VTL_0 || !(vtl & HV_VTL_USE_NUMBER))
		return vtl & HV_VTL_RESERVED_MASK ? HV_STATUS_INVALID_PARAMETER : 0;
	return HV_STATUS_INVALID_PARAMETER;
}

static uint16_t check_value(uint32_t name, struct hv_u128 value)
{
	if (name == HV_REGISTER_EFER && (value.low & ~(uint64_t)EFER_KNOWN || value.high))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (name == HV_REGISTER_RFLAGS && !(value.low & 2))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (name == HV_REGISTER_XMM_CONTROL_STATUS && (uint32_t)value.high & ~(uint32_t)MXCSR_KNOWN)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return HV_STATUS_SUCCESS;
}

static uint16_t get_register(struct cpu *cpu, uint32_t name, struct hv_u128 *value)
{
	unsigned int size;
	const void *shared = context_place(cpu, name, &size);
	const struct hv_u128 *own = host_register(cpu, name);

	if (!own && !shared)
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	*value = shared ? (struct hv_u128){0, 0} : *own;
	if (shared)
		__builtin_memcpy(value, shared, size);
	return HV_STATUS_SUCCESS;
}

uint16_t host_set_register(struct cpu *cpu, uint32_t name, struct hv_u128 value)
{
	unsigned int size;
	void *shared = context_place(cpu, name, &size);
	struct hv_u128 *own = host_register(cpu, name);
	uint16_t status = check_value(name, value);

	if (!own && !shared)
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	if (status)
		return status;
	if (shared)
		__builtin_memcpy(shared, &value, size);
	else
		*own = value;
	return HV_STATUS_SUCCESS;
}

uint16_t backend_get_registers(struct cpu *cpu, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	uint16_t status = check_vtl(vtl);

	for (*done = 0; !status && *done < count; ++*done) {
		status = get_register(cpu, regs[*done].name, &regs[*done].value);
		if (status)
			return status;
	}
	return status;
}

uint16_t backend_set_registers(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	uint16_t status = check_vtl(vtl);

	for (*done = 0; !status && *done < count; ++*done) {
		status = host_set_register(cpu, regs[*done].name, regs[*done].value);
		if (status)
			return status;
	}
	return status;
}

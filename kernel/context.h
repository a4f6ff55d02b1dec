/* SPDX-License-Identifier: MIT */
/* The registers of the command page's cpu_context by their Hyper-V names. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdbool.h>

#include <sidecar/abi.h>

/* NULL: not there. RSP is not: its slot holds CR2. */
static inline uint64_t *context_gp(struct sidecar_cpu_context *context, uint32_t name)
{
	if (name == HV_REGISTER_CR2)
		return &context->gps[SIDECAR_GP_CR2];
	if (name < HV_REGISTER_RAX || name > HV_REGISTER_R15 || name == HV_REGISTER_RSP)
		return 0;
	return &context->gps[name - HV_REGISTER_RAX];
}

/*
 * 16 bytes of the FXSAVE image, or NULL. Hyper-V's FP control-status register is the image's first
 * 16 bytes and its XMM control-status register the next 16.
 */
static inline void *context_fx(struct sidecar_cpu_context *context, uint32_t name)
{
	struct hv_fx_state *fx = &context->fx_state;

	if (name >= HV_REGISTER_XMM0 && name <= HV_REGISTER_XMM15)
		return fx->xmm[name - HV_REGISTER_XMM0];
	if (name >= HV_REGISTER_FPMMX0 && name <= HV_REGISTER_FPMMX7)
		return fx->st[name - HV_REGISTER_FPMMX0];
	if (name == HV_REGISTER_FP_CONTROL_STATUS)
		return fx;
	return name == HV_REGISTER_XMM_CONTROL_STATUS ? (void *)&fx->fdp : 0;
}

/*
 * Writes a register of context_fx. False for an MXCSR with bits outside the processor's mask:
 * FXRSTOR would raise #GP (APM vol. 4, FXRSTOR).
 */
static inline bool context_set_fx(void *place, uint32_t name, struct hv_u128 value,
				  uint32_t mxcsr_mask)
{
	if (name == HV_REGISTER_XMM_CONTROL_STATUS && ((uint32_t)value.high & ~mxcsr_mask))
		return false;
	if (name >= HV_REGISTER_FPMMX0 && name <= HV_REGISTER_FPMMX7)
		value.high &= 0xffff; /* 80 bits */
	__builtin_memcpy(place, &value, sizeof(value));
	return true;
}

#endif

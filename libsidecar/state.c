// SPDX-License-Identifier: MIT
/* A VP as one object that can be stored: to convert it, to move it, to make it again. */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "register_page.h"
#include "shm.h"

/*
 * What a VP is beside its context, in an order in which it can be set again: paging before what is
 * checked against it, and what is pending last. Names that a hypervisor does not know are left
 * out. The VP's index and its APIC ID are the CPU's, not the guest's.
 */
static const struct {
	uint32_t first, last;
} saved[] = {
	{ HV_REGISTER_XFEM, HV_REGISTER_XFEM },
	{ HV_REGISTER_CR4, HV_REGISTER_CR4 },
	{ HV_REGISTER_EFER, HV_REGISTER_EFER },
	{ HV_REGISTER_CR3, HV_REGISTER_CR3 },
	{ HV_REGISTER_CR0, HV_REGISTER_CR0 },
	{ HV_REGISTER_CR8, HV_REGISTER_CR8 },
	{ HV_REGISTER_ES, HV_REGISTER_TR },
	{ HV_REGISTER_IDTR, HV_REGISTER_GDTR },
	{ HV_REGISTER_RSP, HV_REGISTER_RSP },
	{ HV_REGISTER_RIP, HV_REGISTER_RFLAGS },
	{ HV_REGISTER_DR0, HV_REGISTER_DR7 },
	{ HV_REGISTER_KERNEL_GS_BASE, HV_REGISTER_SFMASK },
	{ HV_REGISTER_MTRR_DEF_TYPE, HV_REGISTER_MTRR_DEF_TYPE },
	{ HV_REGISTER_MTRR_PHYS_BASE0, HV_REGISTER_MTRR_PHYS_BASE0 + 7 },
	{ HV_REGISTER_MTRR_PHYS_MASK0, HV_REGISTER_MTRR_PHYS_MASK0 + 7 },
	{ HV_REGISTER_MTRR_FIX64K_00000, HV_REGISTER_MTRR_FIX64K_00000 + 10 },
	{ HV_REGISTER_TSC_AUX, HV_REGISTER_TSC_AUX },
	{ HV_REGISTER_DEBUGCTL, HV_REGISTER_DEBUGCTL },
	{ HV_REGISTER_TSC, HV_REGISTER_TSC },
	{ HV_REGISTER_INTERRUPT_STATE, HV_REGISTER_INTERRUPT_STATE },
	{ HV_REGISTER_PENDING_INTERRUPTION, HV_REGISTER_PENDING_INTERRUPTION },
	{ HV_REGISTER_PENDING_EVENT0, HV_REGISTER_PENDING_EVENT1 },
	{ HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS },
	{ HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_REGISTER_INTERNAL_ACTIVITY_STATE },
};

static uint32_t name_all(struct hv_register_assoc *registers)
{
	uint32_t name, count = 0;
	size_t i;

	for (i = 0; i < sizeof(saved) / sizeof(saved[0]); i++)
		for (name = saved[i].first; name <= saved[i].last; name++)
			registers[count++].name = name;
	return count;
}

/* A register that is not there, in this hypervisor or for this caller. */
static bool is_absent(const struct sidecar_error *error)
{
	if (error->kind != SIDECAR_ERROR_HYPERVISOR || error->index == SIDECAR_NO_INDEX)
		return false;
	return error->hv_status == HV_STATUS_UNKNOWN_REGISTER_NAME ||
	       error->hv_status == HV_STATUS_INVALID_PARAMETER ||
	       error->hv_status == HV_STATUS_ACCESS_DENIED;
}

static int save_registers(struct sidecar_vp *vp, struct sidecar_vp_state *state)
{
	struct hv_register_assoc *registers = state->registers;
	uint32_t done = 0, left = name_all(registers);
	int error;

	for (;;) {
		error = sidecar_vp_get_registers(vp, HV_VTL_0, &registers[done], left);
		if (!error)
			break;
		if (error != -EREMOTEIO || !is_absent(&vp->error))
			return error;
		done += vp->error.index;
		left -= vp->error.index + 1;
		memmove(&registers[done], &registers[done + 1], left * sizeof(registers[0]));
	}
	state->count = done + left;
	memset(&registers[state->count], 0,
	       (SIDECAR_VP_STATE_REGISTERS - state->count) * sizeof(registers[0]));
	return 0;
}

/* The registers first: they move what is dirty in the register page to the context. */
int sidecar_vp_save(struct sidecar_vp *vp, struct sidecar_vp_state *state)
{
	int error;

	memset(state, 0, sizeof(*state));
	error = save_registers(vp, state);
	if (error) {
		memset(state, 0, sizeof(*state));
		return error;
	}
	shm_copy_in(&state->context, &vp->page->cpu_context, sizeof(state->context));
	state->size = sizeof(*state);
	state->version = SIDECAR_VP_STATE_VERSION;
	state->backend = vp->file->node->info.backend;
	return 0;
}

static int check_state(struct sidecar_vp *vp, const struct sidecar_vp_state *state)
{
	if (state->size != sizeof(*state) || state->version != SIDECAR_VP_STATE_VERSION)
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: a state of %u bytes, version %u, instead of %zu, %u",
				vp->cpu, state->size, state->version, sizeof(*state),
				SIDECAR_VP_STATE_VERSION);
	if (state->count > SIDECAR_VP_STATE_REGISTERS)
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EINVAL,
				"CPU %u: a state of %u registers, the limit is %u", vp->cpu,
				state->count, SIDECAR_VP_STATE_REGISTERS);
	return 0;
}

/* MXCSR through the path that checks it; the rest of the context as it is. */
static int restore_context(struct sidecar_vp *vp, const struct sidecar_vp_state *state)
{
	struct hv_register_assoc reg = { .name = HV_REGISTER_XMM_CONTROL_STATUS };
	int error;

	memcpy(&reg.value, &state->context.fx_state.fdp, sizeof(reg.value));
	error = sidecar_vp_set_registers(vp, HV_VTL_0, &reg, 1);
	if (error) {
		vp->error.index = SIDECAR_NO_INDEX;
		return error;
	}
	shm_copy_out(&vp->page->cpu_context, &state->context, sizeof(state->context));
	return 0;
}

/* Of an idle VP alone. What was changed in the page is replaced, whether it could be set or not. */
static int begin_restore(struct sidecar_vp *vp, const struct sidecar_vp_state *state)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_SET_REGISTERS, NULL);

	if (error)
		return error;
	error = check_state(vp, state);
	if (!error)
		page_discard(vp);
	vp_unclaim(vp);
	return error;
}

int sidecar_vp_restore(struct sidecar_vp *vp, const struct sidecar_vp_state *state)
{
	int error = begin_restore(vp, state);

	if (!error)
		error = restore_context(vp, state);
	if (!error)
		error = sidecar_vp_set_registers(vp, HV_VTL_0, state->registers, state->count);
	return error;
}

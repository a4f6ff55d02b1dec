// SPDX-License-Identifier: MIT
/*
 * RUN_VP: return to the guest's VTL, look why this one was entered again, and either go on or tell
 * the VMM.
 *
 * Interrupts are off all the time. One that is pending at the return, or comes while the guest
 * runs, enters this VTL at once with reason "interrupt"; so a STOP whose interrupt comes after the
 * last look at the status byte is not missed. It stays pending, and would end the next return too,
 * until arch_drain takes it (R11).
 */
#include "arch.h"
#include "backend.h"
#include "console/format.h"
#include "hardware.h"
#include "hypercall.h"
#include "hyperv.h"
#include "overlays.h"
#include "shm.h"

/* ---- into private memory and back ------------------------------------------------------------ */

/* The compiler may not look at the shared original again after this. */
static void copy_in(void *private, const void *shared, size_t size)
{
	__builtin_memcpy(private, shared, size);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static bool load_guest(struct cpu *cpu, struct sidecar_command_error *error)
{
	const struct sidecar_cpu_context *context = &cpu->command->cpu_context;
	struct hv_vtl_control *control = &hyperv_pages(cpu)->assist.vtl_control;
	struct hyperv_guest *guest = &cpu->backend.guest;
	uint32_t mask = cpu->backend.mxcsr_mask;

	copy_in(guest->gps, context->gps, sizeof(guest->gps));
	copy_in(&guest->fx, &context->fx_state, sizeof(guest->fx));
	if ((guest->fx.mxcsr & ~mask) || !hyperv_load(guest)) {
		error_format(error, "MXCSR 0x%x has reserved bits, this processor allows 0x%x",
			     guest->fx.mxcsr, mask);
		return false;
	}
	shm_write(&control->rax, guest->gps[SIDECAR_GP_RAX]);
	shm_write(&control->rcx, guest->gps[SIDECAR_GP_RCX]);
	return true;
}

static void store_guest(struct cpu *cpu)
{
	const struct hv_vtl_control *control = &hyperv_pages(cpu)->assist.vtl_control;
	struct sidecar_cpu_context *context = &cpu->command->cpu_context;
	struct hyperv_guest *guest = &cpu->backend.guest;

	hyperv_store(guest);
	guest->gps[SIDECAR_GP_RAX] = shm_read(&control->rax);
	guest->gps[SIDECAR_GP_RCX] = shm_read(&control->rcx);
	__builtin_memcpy(context->gps, guest->gps, sizeof(context->gps));
	__builtin_memcpy(&context->fx_state, &guest->fx, sizeof(context->fx_state));
}

/* ---- the loop -------------------------------------------------------------------------------- */

static enum sidecar_exit kind_of(uint32_t message_type)
{
	switch (message_type) {
	case HV_MESSAGE_IO_PORT_INTERCEPT:
		return SIDECAR_EXIT_IO;
	case HV_MESSAGE_MSR_INTERCEPT:
		return SIDECAR_EXIT_MSR;
	case HV_MESSAGE_CPUID_INTERCEPT:
		return SIDECAR_EXIT_CPUID;
	case HV_MESSAGE_HALT:
		return SIDECAR_EXIT_HALT;
	case HV_MESSAGE_HYPERCALL_INTERCEPT:
		return SIDECAR_EXIT_HYPERCALL;
	case HV_MESSAGE_UNMAPPED_GPA:
	case HV_MESSAGE_GPA_INTERCEPT:
	case HV_MESSAGE_UNACCEPTED_GPA:
		return SIDECAR_EXIT_MEMORY;
	case HV_MESSAGE_EXCEPTION_INTERCEPT:
		return SIDECAR_EXIT_EXCEPTION;
	case HV_MESSAGE_UNRECOVERABLE_EXCEPTION:
		return SIDECAR_EXIT_UNRECOVERABLE;
	case HV_MESSAGE_INTERRUPTION_DELIVERABLE:
	case HV_MESSAGE_SYNIC_SINT_DELIVERABLE:
		return SIDECAR_EXIT_DELIVERABLE;
	case HV_MESSAGE_INVALID_VP_REGISTER_VALUE:
		return SIDECAR_EXIT_INVALID_REGISTER;
	}
	return SIDECAR_EXIT_INTERNAL; /* known to the VMM, not to the counters */
}

static void take_message(struct cpu *cpu)
{
	struct hv_message *message = &cpu->command->intercept_message;

	copy_in(message, &hyperv_pages(cpu)->assist.intercept_message, sizeof(*message));
	shm_add(&cpu->state->exits[kind_of(shm_read(&message->header.type))], 1);
}

static bool stop_requested(struct cpu *cpu)
{
	return shm_read(&cpu->control->cpu_status[cpu->node_index]) == SIDECAR_STATUS_STOP;
}

static uint32_t enter(struct cpu *cpu)
{
	uint64_t start;

	shm_add(&cpu->state->entries, 1);
	start = __builtin_ia32_rdtsc();
	hyperv_vtl_return(&cpu->backend.guest, hyperv_host.return_code);
	shm_add(&cpu->state->guest_ticks, __builtin_ia32_rdtsc() - start);
	return shm_read(&hyperv_pages(cpu)->assist.vtl_control.entry_reason);
}

/* The reason comes before the message, which is an old one unless the reason is "intercept". */
static enum run_outcome loop(struct cpu *cpu, struct sidecar_command_error *error)
{
	uint32_t reason;

	while (!stop_requested(cpu)) {
		reason = enter(cpu);
		if (reason == HV_ENTRY_REASON_INTERCEPT) {
			take_message(cpu);
			return RUN_INTERCEPT;
		}
		if (reason != HV_ENTRY_REASON_INTERRUPT) {
			error_format(error, "VTL entry reason %u is neither %u nor %u", reason,
				     HV_ENTRY_REASON_INTERRUPT, HV_ENTRY_REASON_INTERCEPT);
			return RUN_ERROR;
		}
		shm_add(&cpu->state->exits[SIDECAR_EXIT_INTERRUPT], 1);
		arch_drain(cpu);
	}
	return RUN_STOPPED;
}

enum run_outcome backend_run_vp(struct cpu *cpu, struct sidecar_command_error *error)
{
	enum run_outcome outcome;

	if (!hyperv_overlays_map(cpu, error) || !load_guest(cpu, error))
		return RUN_ERROR;
	outcome = loop(cpu, error);
	store_guest(cpu);
	return outcome;
}

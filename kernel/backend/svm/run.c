// SPDX-License-Identifier: MIT
/*
 * RUN_VP: enter the guest, look why it came back, and either go on or tell the VMM. Between entry
 * and exit nothing is privileged here; what is, is hardware.h's, so that tests run this very loop.
 *
 * Registers stay in private memory from the beginning of the command to its end: an exit that the
 * kernel resolves by itself costs no copying.
 */
#include "run.h"

#include "arch.h"
#include "backend.h"
#include "check.h"
#include "console/format.h"
#include "exits.h"
#include "hardware.h"
#include "memory.h"
#include "messages.h"
#include "register_page.h"
#include "registers.h"
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
	struct svm_guest *guest = &cpu->backend.guest;
	const struct svm_features *features = cpu->backend.vp.features;

	copy_in(guest->gps, context->gps, sizeof(guest->gps));
	copy_in(&guest->fx, &context->fx_state, sizeof(guest->fx));
	if (svm_mxcsr_valid(features, guest->fx.mxcsr))
		return true;
	error_format(error, "MXCSR 0x%x has reserved bits, this processor allows 0x%x",
		     guest->fx.mxcsr, features->mxcsr_mask);
	return false;
}

static void enter_private(struct cpu *cpu)
{
	struct svm_save_area *save = &cpu->backend.vp.vmcb->save;

	save->rax = cpu->backend.guest.gps[SIDECAR_GP_RAX];
	save->cr2 = cpu->backend.guest.gps[SIDECAR_GP_CR2];
	svm_hardware_load(cpu);
}

/* The VMCB's RAX and CR2 mean nothing while the VP is stopped. */
static void leave_private(struct cpu *cpu)
{
	struct svm_save_area *save = &cpu->backend.vp.vmcb->save;

	svm_hardware_store(cpu);
	cpu->backend.guest.gps[SIDECAR_GP_RAX] = save->rax;
	cpu->backend.guest.gps[SIDECAR_GP_CR2] = save->cr2;
	save->rax = 0;
	save->cr2 = 0;
}

static void store_guest(struct cpu *cpu)
{
	struct sidecar_cpu_context *context = &cpu->command->cpu_context;
	const struct svm_guest *guest = &cpu->backend.guest;

	__builtin_memcpy(context->gps, guest->gps, sizeof(context->gps));
	__builtin_memcpy(&context->fx_state, &guest->fx, sizeof(context->fx_state));
	svm_register_page_fill(cpu->register_page, &cpu->backend.vp, guest->gps, &guest->fx);
}

/* ---- the loop -------------------------------------------------------------------------------- */

void svm_publish_generation(struct cpu *cpu)
{
	struct svm_vp *vp = &cpu->backend.vp;
	/* Pairs with the driver's release after it has changed the nested tables. */
	uint64_t generation = shm_read_acquire(&cpu->state->generation);

	if (generation != vp->generation)
		cpu->backend.flush = true;
	vp->generation = generation;
	/* Pairs with the acquire of the driver, which then unpins the memory. */
	shm_write_release(&cpu->state->generation_seen, generation);
}

/* APM vol. 2, 15.16.2. The host's own translations have other tags and stay. */
static uint8_t tlb_control(bool flush)
{
	if (!flush)
		return SVM_TLB_KEEP;
	return svm_host.flush_by_asid ? SVM_TLB_FLUSH_ASID : SVM_TLB_FLUSH_ALL;
}

static bool stop_requested(struct cpu *cpu)
{
	return shm_read(&cpu->control->cpu_status[cpu->node_index]) == SIDECAR_STATUS_STOP;
}

/*
 * QEMU's TCG does not come back from a guest that has EFER.LME without paging and without CR4.PAE:
 * it loads the host's CR0 under the guest's EFER and CR4, and refuses that. Until PAE is set, which
 * is intercepted, LME does nothing, and reading EFER is intercepted too: so it can stay behind.
 */
static bool hold_lme(struct svm_save_area *save)
{
	if (!(save->efer & EFER_LME) || (save->cr0 & CR0_PG) || (save->cr4 & CR4_PAE))
		return false;
	save->efer &= ~EFER_LME;
	return true;
}

/* Paging without PAE under LME would have been #GP; the guest now has the paging and not LME. */
static void release_lme(struct svm_save_area *save)
{
	if (!(save->cr0 & CR0_PG))
		save->efer |= EFER_LME;
}

/*
 * A change of the generation after this look, and a STOP after the caller's, come with an
 * interrupt, which ends the guest at once: see entry.S.
 */
static void enter(struct cpu *cpu)
{
	struct backend_cpu *backend = &cpu->backend;
	struct svm_control_area *control = &backend->vp.vmcb->control;
	struct svm_save_area *save = &backend->vp.vmcb->save;
	bool held = hold_lme(save);
	uint64_t start;

	svm_publish_generation(cpu);
	control->tlb_control = tlb_control(backend->flush);
	backend->flush = false;
	control->clean = SVM_CLEAN_NONE;
	shm_add(&cpu->state->entries, 1);
	start = __builtin_ia32_rdtsc();
	svm_enter(&backend->guest, backend->vp.vmcb_pa);
	shm_add(&cpu->state->guest_ticks, __builtin_ia32_rdtsc() - start);
	if (held)
		release_lme(save);
	backend->guest.gps[SIDECAR_GP_RAX] = save->rax;
	svm_collect(&backend->vp, &backend->delivery);
}

static enum svm_result deliverable(struct cpu *cpu, uint8_t interruption_type)
{
	struct svm_stop stop = svm_stop_of(cpu);

	svm_message_deliverable(&cpu->command->intercept_message, &stop, interruption_type);
	svm_count(cpu, SIDECAR_EXIT_DELIVERABLE);
	return SVM_MESSAGE;
}

static enum svm_result step(struct cpu *cpu, struct sidecar_command_error *error)
{
	struct backend_cpu *backend = &cpu->backend;

	switch (svm_deliver(&backend->vp, &backend->delivery, &backend->vp.vmcb->save.cr2)) {
	case SVM_SUSPENDED:
		svm_publish_generation(cpu); /* the driver waits for this one too */
		arch_wait(cpu);
		return SVM_GO_ON;
	case SVM_DELIVERABLE:
		return deliverable(cpu, HV_INTERRUPTION_TYPE_EXTERNAL);
	case SVM_DELIVERABLE_NMI:
		return deliverable(cpu, HV_INTERRUPTION_TYPE_NMI);
	case SVM_READY:
		break;
	}
	enter(cpu);
	return svm_handle_exit(cpu, error);
}

static enum run_outcome loop(struct cpu *cpu, struct sidecar_command_error *error)
{
	for (;;) {
		if (stop_requested(cpu))
			return RUN_STOPPED;
		switch (step(cpu, error)) {
		case SVM_GO_ON:
			continue;
		case SVM_MESSAGE:
			return RUN_INTERCEPT;
		case SVM_FAILED:
			return RUN_ERROR;
		}
	}
}

/* What the VMM changed since the last entry, and whether a processor can be in that state. */
static bool take_changes(struct cpu *cpu)
{
	struct svm_vp *vp = &cpu->backend.vp;

	if (!svm_register_page_take(cpu->register_page, vp, &cpu->command->cpu_context,
				    &cpu->backend.guest.fx))
		return false;
	if (!vp->unchecked)
		return true;
	svm_vp_settle(vp);
	if (svm_check_state(vp) != SVM_STATE_CONSISTENT)
		return false;
	vp->unchecked = false;
	return true;
}

enum run_outcome backend_run_vp(struct cpu *cpu, struct sidecar_command_error *error)
{
	enum run_outcome outcome = RUN_INTERCEPT;

	if (!load_guest(cpu, error))
		return RUN_ERROR;
	if (take_changes(cpu)) {
		enter_private(cpu);
		outcome = loop(cpu, error);
		leave_private(cpu);
	} else {
		svm_message_invalid_register(&cpu->command->intercept_message,
					     cpu->backend.vp.vp_index);
		svm_count(cpu, SIDECAR_EXIT_INVALID_REGISTER);
	}
	store_guest(cpu);
	return outcome;
}

// SPDX-License-Identifier: MIT
/* The hooks of backend.h for AMD-V; RUN_VP is in run.c, TRANSLATE_GVA in translate.c. */
#include "arch/x86/x86.h"
#include "backend.h"
#include "cpu.h"
#include "hardware.h"
#include "intercepts.h"
#include "registers.h"
#include "run.h"
#include "shm.h"

#define GUEST_ASID 1u

/* The nested PML4 of a guest without memory: its first fetch is an unmapped GPA. */
static uint64_t no_memory[512] __attribute__((aligned(4096)));

bool backend_boot(const struct boot *boot, struct sidecar_command_error *error)
{
	(void)boot;
	if (!svm_hardware_probe(error))
		return false;
	svm_intercepts_init();
	return true;
}

static void fill_control_area(struct cpu *cpu, struct svm_control_area *control)
{
	svm_intercepts_set(control);
	control->iopm_base_pa = svm_image_page(cpu, svm_iopm).value;
	control->msrpm_base_pa = svm_image_page(cpu, svm_msrpm).value;
	control->guest_asid = GUEST_ASID;
	control->int_ctl = SVM_INT_CTL_V_INTR_MASKING;
	control->nested_control = SVM_NESTED_ENABLE;
}

static void set_nested_root(struct cpu *cpu)
{
	uint64_t root = shm_read(&cpu->state->nested_root);

	cpu->backend.nested_root = root;
	if (!root)
		root = svm_image_page(cpu, no_memory).value;
	if (root != cpu->backend.vp.vmcb->control.nested_cr3)
		cpu->backend.flush = true;
	cpu->backend.vp.vmcb->control.nested_cr3 = root;
}

/*
 * The new owner has already written the registers of its first command, so the command page stays;
 * but where it has left the x87 and SSE control words out, they are those of a reset.
 */
static void complete_context(struct sidecar_cpu_context *context)
{
	if (shm_read(&context->fx_state.fcw) || shm_read(&context->fx_state.mxcsr))
		return;
	shm_write(&context->fx_state.fcw, HV_FX_DEFAULT_FCW);
	shm_write(&context->fx_state.mxcsr, HV_FX_DEFAULT_MXCSR);
}

/* Nothing of the last owner's VP survives: VMCB, private registers, TLB, predictors. */
static void new_vp(struct cpu *cpu)
{
	struct backend_cpu *backend = &cpu->backend;
	struct sidecar_cpu_context unused;

	__builtin_memset(backend->vp.vmcb, 0, sizeof(*backend->vp.vmcb));
	fill_control_area(cpu, &backend->vp.vmcb->control);
	svm_vp_reset(&backend->vp, &unused);
	__builtin_memset(backend->guest.gps, 0, sizeof(backend->guest.gps));
	__builtin_memset(&backend->guest.fx, 0, sizeof(backend->guest.fx));
	backend->delivery = (struct svm_delivery){0};
	backend->flush = true;
	svm_hardware_scrub();
}

void backend_cpu_start(struct cpu *cpu)
{
	struct svm_vp *vp = &cpu->backend.vp;

	vp->vmcb = cpu->backend_memory;
	vp->vmcb_pa = cpu->backend_pages.value;
	vp->features = &svm_host.features;
	vp->vp_index = cpu->vp_index;
	vp->apic_id = cpu->vp_index;
	svm_hardware_start(cpu);
	new_vp(cpu);
}

void backend_cpu_stop(struct cpu *cpu)
{
	new_vp(cpu);
	svm_hardware_stop();
}

_Noreturn void backend_park(struct cpu *cpu)
{
	(void)cpu;
	spin_forever();
}

void backend_crash(struct cpu *cpu, const char *format, va_list arguments)
{
	(void)cpu; /* the state page says it all */
	(void)format;
	(void)arguments;
}

void backend_command_begin(struct cpu *cpu)
{
	uint64_t owner = shm_read(&cpu->state->owner);

	if (owner != cpu->backend.vp.owner) {
		new_vp(cpu);
		complete_context(&cpu->command->cpu_context);
		cpu->backend.vp.owner = owner;
	}
	shm_write(&cpu->state->owner_seen, owner);
	set_nested_root(cpu);
	svm_publish_generation(cpu);
}

uint16_t backend_get_registers(struct cpu *cpu, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	const struct svm_vp *vp = &cpu->backend.vp;
	uint16_t status;

	*done = 0;
	if (!svm_vtl_valid(vtl))
		return HV_STATUS_INVALID_PARAMETER;
	for (; *done < count; (*done)++) {
		status = svm_get_register(vp, &cpu->command->cpu_context, regs[*done].name,
					  &regs[*done].value);
		if (status != HV_STATUS_SUCCESS)
			return status;
	}
	return HV_STATUS_SUCCESS;
}

uint16_t backend_set_registers(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	struct svm_vp *vp = &cpu->backend.vp;
	uint16_t status;

	*done = 0;
	if (!svm_vtl_valid(vtl))
		return HV_STATUS_INVALID_PARAMETER;
	for (; *done < count; (*done)++) {
		status = svm_set_register(vp, &cpu->command->cpu_context, regs[*done].name,
					  &regs[*done].value);
		if (status != HV_STATUS_SUCCESS)
			return status;
	}
	return HV_STATUS_SUCCESS;
}

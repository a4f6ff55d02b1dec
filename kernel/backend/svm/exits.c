// SPDX-License-Identifier: MIT
/* Exit by exit: APM vol. 2, 15.6 to 15.14 for the causes, appendix C for the codes. */
#include "exits.h"

#include "arch.h"
#include "console/format.h"
#include "cpuid.h"
#include "hardware.h"
#include "intercepts.h"
#include "memory.h"
#include "registers.h"
#include "shm.h"

#define VECTOR_DB 1u
#define VECTOR_UD 6u
#define VECTOR_GP 13u
#define VECTOR_MF 16u
#define VECTOR_AC 17u
#define VECTOR_MC 18u

#define LOW32 0xffffffffull

void svm_count(struct cpu *cpu, enum sidecar_exit exit)
{
	shm_add(&cpu->state->exits[exit], 1);
}

static struct svm_vmcb *vmcb_of(struct cpu *cpu)
{
	return cpu->backend.vp.vmcb;
}

static struct hv_message *message_of(struct cpu *cpu)
{
	return &cpu->command->intercept_message;
}

/* ---- the stopped guest ----------------------------------------------------------------------- */

struct svm_stop svm_stop_of(struct cpu *cpu)
{
	return (struct svm_stop){
		.vp = &cpu->backend.vp,
		.gps = cpu->backend.guest.gps,
		.fx = &cpu->backend.guest.fx,
	};
}

/* By the bytes: they may have changed since the exit, so they must spell such an instruction. */
static bool decode(struct cpu *cpu, struct svm_instruction *instruction)
{
	const struct svm_vmcb *vmcb = vmcb_of(cpu);
	uint8_t bytes[SVM_INSTRUCTION_MAX];
	struct svm_fetch_fault fault;
	uint8_t count = svm_fetch(cpu, bytes, &fault);

	return svm_decode(bytes, count, svm_code_size(&vmcb->save), instruction) &&
	       svm_instruction_matches(instruction, (uint32_t)vmcb->control.exit_code);
}

static uint8_t within_limit(uint64_t length)
{
	return length <= SVM_INSTRUCTION_MAX ? (uint8_t)length : 0;
}

/* Length of the intercepted instruction, 0 when it cannot be known any more. */
static uint8_t instruction_length(struct cpu *cpu)
{
	const struct svm_vmcb *vmcb = vmcb_of(cpu);
	struct svm_instruction instruction;

	if (svm_host.nrip_save && vmcb->control.next_rip)
		return within_limit(vmcb->control.next_rip - vmcb->save.rip);
	return decode(cpu, &instruction) ? instruction.length : 0;
}

static struct svm_stop stop_at_instruction(struct cpu *cpu)
{
	struct svm_stop stop = svm_stop_of(cpu);

	stop.length = instruction_length(cpu);
	return stop;
}

/* ---- resolved here --------------------------------------------------------------------------- */

/* With an unknown length the guest executes it again, and memory has settled by then. */
static enum svm_result skip_instruction(struct cpu *cpu)
{
	uint8_t length = instruction_length(cpu);

	if (length)
		svm_step_over(&cpu->backend.vp, length);
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

static enum svm_result raise(struct cpu *cpu, uint8_t vector)
{
	svm_raise(&cpu->backend.vp, vector);
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

static enum svm_result raise_with_code(struct cpu *cpu, uint8_t vector, uint32_t code)
{
	svm_raise_with_code(&cpu->backend.vp, vector, code);
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

/*
 * INVD and WBINVD do nothing, but not for the guest's user mode: there they are #GP before they are
 * an intercept (APM vol. 2, 15.9). QEMU 10 asks for the intercept first.
 */
static enum svm_result flush_caches(struct cpu *cpu)
{
	if (svm_cpl(&vmcb_of(cpu)->save))
		return raise_with_code(cpu, VECTOR_GP, 0);
	return skip_instruction(cpu);
}

/* Whoever sent it and whatever for: the loop looks at the status byte (R11). */
static enum svm_result physical_interrupt(struct cpu *cpu)
{
	arch_drain(cpu);
	svm_count(cpu, SIDECAR_EXIT_INTERRUPT);
	return SVM_GO_ON;
}

static enum svm_result window_opened(struct cpu *cpu)
{
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

/* The guest takes NMIs again once this IRET is done; AMD-V does not say when that is. */
static enum svm_result end_of_nmi(struct cpu *cpu)
{
	cpu->backend.vp.nmi_masked = false;
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

static enum svm_result machine_check(struct cpu *cpu)
{
	svm_machine_check();
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

/* ---- CR4 ------------------------------------------------------------------------------------- */

static bool cr4_allowed(const struct svm_vp *vp, uint64_t value)
{
	const struct svm_save_area *save = &vp->vmcb->save;
	uint64_t enabled = value & ~save->cr4;

	if (value & ~vp->features->cr4_allowed)
		return false;
	if (save->efer & EFER_LMA)
		return (value & CR4_PAE) && !((enabled & CR4_PCIDE) && (save->cr3 & 0xfff));
	return !(value & CR4_PCIDE);
}

static uint64_t general_register(struct cpu *cpu, unsigned int number)
{
	if (number == HV_GP_RSP)
		return vmcb_of(cpu)->save.rsp;
	return cpu->backend.guest.gps[number];
}

/* Bits that guests are not told of are refused, as on a processor without them. */
static enum svm_result load_cr4(struct cpu *cpu)
{
	struct svm_save_area *save = &vmcb_of(cpu)->save;
	struct svm_instruction instruction;
	uint64_t value;

	if (!decode(cpu, &instruction))
		return skip_instruction(cpu);
	value = general_register(cpu, svm_modrm_rm(&instruction));
	if (svm_code_size(save) != SVM_CODE64)
		value &= LOW32;
	if (!cr4_allowed(&cpu->backend.vp, value))
		return raise_with_code(cpu, VECTOR_GP, 0);
	save->cr4 = value;
	cpu->backend.flush = true; /* what the translations were made under has changed */
	svm_step_over(&cpu->backend.vp, instruction.length);
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

/* ---- CR8 ------------------------------------------------------------------------------------- */

#define CR8_MAX 15u

/* Only intercepted while an interrupt window is open: see delivery.c. */
static enum svm_result load_cr8(struct cpu *cpu)
{
	struct svm_control_area *control = &vmcb_of(cpu)->control;
	struct svm_instruction instruction;
	uint64_t value;

	if (!decode(cpu, &instruction))
		return skip_instruction(cpu);
	value = general_register(cpu, svm_modrm_rm(&instruction));
	if (svm_code_size(&vmcb_of(cpu)->save) != SVM_CODE64)
		value &= LOW32;
	if (value > CR8_MAX)
		return raise_with_code(cpu, VECTOR_GP, 0);
	control->int_ctl = (control->int_ctl & ~SVM_INT_CTL_TPR_MASK) | value;
	svm_step_over(&cpu->backend.vp, instruction.length);
	svm_count(cpu, SIDECAR_EXIT_INTERNAL);
	return SVM_GO_ON;
}

/* ---- MSRs ------------------------------------------------------------------------------------ */

static uint64_t written_value(struct cpu *cpu)
{
	const uint64_t *gps = cpu->backend.guest.gps;

	return (gps[SIDECAR_GP_RAX] & LOW32) | gps[SIDECAR_GP_RDX] << 32;
}

static void return_value(struct cpu *cpu, uint64_t value)
{
	uint64_t *gps = cpu->backend.guest.gps;

	gps[SIDECAR_GP_RAX] = value & LOW32;
	gps[SIDECAR_GP_RDX] = value >> 32;
	vmcb_of(cpu)->save.rax = gps[SIDECAR_GP_RAX];
}

/* LMA is the processor's, LME cannot change while paging is on (APM vol. 2, 3.1.7). */
static bool efer_allowed(const struct svm_save_area *save, uint64_t *value)
{
	*value = (*value & ~EFER_LMA) | (save->efer & EFER_LMA);
	return !(save->cr0 & CR0_PG) || !((*value ^ save->efer) & EFER_LME);
}

static bool set_msr(struct cpu *cpu, uint32_t name, uint64_t value)
{
	struct svm_vp *vp = &cpu->backend.vp;
	struct hv_u128 wide = {value, 0};
	bool unchecked = vp->unchecked;
	uint16_t status;

	if (name == HV_REGISTER_EFER && !efer_allowed(&vp->vmcb->save, &wide.low))
		return false;
	status = svm_set_register(vp, &cpu->command->cpu_context, name, &wide);
	vp->unchecked = unchecked; /* what a guest does to itself is consistent */
	if (name == HV_REGISTER_TSC_AUX)
		svm_hardware_load_tsc_aux(vp);
	return status == HV_STATUS_SUCCESS;
}

static bool access_msr(struct cpu *cpu, uint32_t name)
{
	struct hv_u128 value;

	if (vmcb_of(cpu)->control.exit_info1 & SVM_MSR_WRITE)
		return set_msr(cpu, name, written_value(cpu));
	if (svm_get_register(&cpu->backend.vp, &cpu->command->cpu_context, name, &value) !=
	    HV_STATUS_SUCCESS)
		return false;
	return_value(cpu, value.low);
	return true;
}

static enum svm_result msr(struct cpu *cpu)
{
	struct msr_rule rule = svm_msr_rule((uint32_t)cpu->backend.guest.gps[SIDECAR_GP_RCX]);
	struct svm_stop stop;

	if (rule.kind == MSR_REGISTER)
		return access_msr(cpu, rule.name) ? skip_instruction(cpu)
						  : raise_with_code(cpu, VECTOR_GP, 0);
	stop = stop_at_instruction(cpu);
	svm_message_msr(message_of(cpu), &stop);
	svm_count(cpu, SIDECAR_EXIT_MSR);
	return SVM_MESSAGE;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The next RIP is in EXITINFO2, with or without NRIPS. */
static enum svm_result io(struct cpu *cpu)
{
	const struct svm_vmcb *vmcb = vmcb_of(cpu);
	struct svm_stop stop = svm_stop_of(cpu);
	struct svm_fetch_fault fault;

	stop.length = within_limit(vmcb->control.exit_info2 - vmcb->save.rip);
	if (vmcb->control.exit_info1 & SVM_IO_STRING)
		stop.byte_count = svm_fetch(cpu, stop.bytes, &fault);
	svm_message_io(message_of(cpu), &stop);
	svm_count(cpu, SIDECAR_EXIT_IO);
	return SVM_MESSAGE;
}

static enum svm_result cpuid_leaf(struct cpu *cpu)
{
	const uint64_t *gps = cpu->backend.guest.gps;
	struct svm_stop stop = stop_at_instruction(cpu);
	struct cpuid_words defaults =
		svm_cpuid_default((uint32_t)gps[SIDECAR_GP_RAX], (uint32_t)gps[SIDECAR_GP_RCX],
				  cpu->backend.vp.apic_id);

	svm_message_cpuid(message_of(cpu), &stop, &defaults);
	svm_count(cpu, SIDECAR_EXIT_CPUID);
	return SVM_MESSAGE;
}

static enum svm_result halt(struct cpu *cpu)
{
	struct svm_stop stop = stop_at_instruction(cpu);

	svm_message_halt(message_of(cpu), &stop);
	svm_count(cpu, SIDECAR_EXIT_HALT);
	return SVM_MESSAGE;
}

/* Not for the guest's user mode, as in Hyper-V. XMM0-5 are still in the processor. */
static enum svm_result hypercall(struct cpu *cpu)
{
	struct svm_stop stop;

	if (vmcb_of(cpu)->save.cpl)
		return raise(cpu, VECTOR_UD);
	svm_hardware_store(cpu);
	stop = stop_at_instruction(cpu);
	svm_message_hypercall(message_of(cpu), &stop);
	svm_count(cpu, SIDECAR_EXIT_HYPERCALL);
	return SVM_MESSAGE;
}

/* The exception that could not be delivered is gone with the guest. */
static enum svm_result unrecoverable(struct cpu *cpu)
{
	struct svm_stop stop = svm_stop_of(cpu);

	cpu->backend.vp.pending_interruption = 0;
	svm_message_unrecoverable(message_of(cpu), &stop);
	svm_count(cpu, SIDECAR_EXIT_UNRECOVERABLE);
	return SVM_MESSAGE;
}

static enum svm_result exception_message(struct cpu *cpu, uint8_t vector, uint64_t parameter)
{
	struct svm_stop stop = svm_stop_of(cpu);
	struct svm_fetch_fault fault;

	stop.byte_count = svm_fetch(cpu, stop.bytes, &fault);
	svm_message_exception(message_of(cpu), &stop, vector, parameter);
	svm_count(cpu, SIDECAR_EXIT_EXCEPTION);
	return SVM_MESSAGE;
}

/* ---- exceptions ------------------------------------------------------------------------------ */

/* Its own delivery raised it again, and would for ever. */
static bool repeats_itself(const struct svm_vmcb *vmcb, uint8_t vector)
{
	uint64_t event = vmcb->control.exit_int_info;

	return (event & SVM_EVENT_VALID) && (event & SVM_EVENT_VECTOR_MASK) == vector &&
	       (event & SVM_EVENT_TYPE_MASK) >> SVM_EVENT_TYPE_SHIFT == SVM_EVENT_TYPE_EXCEPTION;
}

/* DR6 is already as the guest's handler has to see it (APM vol. 2, 15.12.2). */
static enum svm_result debug_exception(struct cpu *cpu)
{
	if (repeats_itself(vmcb_of(cpu), VECTOR_DB))
		return exception_message(cpu, VECTOR_DB, vmcb_of(cpu)->save.dr6);
	return raise(cpu, VECTOR_DB);
}

static enum svm_result alignment_check(struct cpu *cpu)
{
	if (repeats_itself(vmcb_of(cpu), VECTOR_AC))
		return exception_message(cpu, VECTOR_AC, 0);
	return raise_with_code(cpu, VECTOR_AC, (uint32_t)vmcb_of(cpu)->control.exit_info1);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/*
 * TCG does not tell fetches from reads. A fetch is what fails where the fetch of the instruction
 * fails; and as every mapped page can be read, so is any refused access to one that did not write.
 */
static bool was_fetch(const struct svm_vmcb *vmcb, const struct svm_fetch_fault *fault)
{
	uint64_t info = vmcb->control.exit_info1;

	if (info & SVM_NPF_EXECUTE)
		return true;
	if ((info & SVM_NPF_WRITE) || (info & SVM_NPF_TABLE_WALK))
		return false;
	return (info & SVM_NPF_PRESENT) ||
	       (fault->nested && fault->gpa == vmcb->control.exit_info2);
}

static uint8_t access_type(const struct svm_vmcb *vmcb, bool fetch)
{
	if (fetch)
		return HV_INTERCEPT_ACCESS_EXECUTE;
	return vmcb->control.exit_info1 & SVM_NPF_WRITE ? HV_INTERCEPT_ACCESS_WRITE
							: HV_INTERCEPT_ACCESS_READ;
}

/* Without decode assists only the address of a fetch is known: RIP, or the page behind it. */
static struct svm_memory_access memory_access(const struct svm_vmcb *vmcb,
					      const struct svm_fetch_fault *fault)
{
	bool fetch = was_fetch(vmcb, fault);

	return (struct svm_memory_access){
		.gpa = vmcb->control.exit_info2,
		.gva = fault->nested ? fault->gva : svm_linear_rip(&vmcb->save),
		.gva_valid = fetch,
		.present = vmcb->control.exit_info1 & SVM_NPF_PRESENT,
		.access = access_type(vmcb, fetch),
	};
}

static enum svm_result nested_page_fault(struct cpu *cpu, struct sidecar_command_error *error)
{
	const struct svm_vmcb *vmcb = vmcb_of(cpu);
	struct svm_stop stop = svm_stop_of(cpu);
	struct svm_memory_access access;
	struct svm_fetch_fault fault;

	if (vmcb->control.exit_info1 & SVM_NPF_RESERVED) {
		error_format(error, "the nested tables have a reserved bit set for GPA 0x%lx",
			     vmcb->control.exit_info2);
		return SVM_FAILED;
	}
	stop.byte_count = svm_fetch(cpu, stop.bytes, &fault);
	access = memory_access(vmcb, &fault);
	svm_message_memory(message_of(cpu), &stop, &access);
	svm_count(cpu, SIDECAR_EXIT_MEMORY);
	return SVM_MESSAGE;
}

/* ---- the processor refused ------------------------------------------------------------------- */

/*
 * svm_check_state should have found it. The save area may hold the kernel's own registers now (TCG
 * writes the host's RIP there), so the VP starts anew rather than show them.
 */
static enum svm_result invalid_state(struct cpu *cpu)
{
	struct sidecar_cpu_context unused;

	svm_vp_reset(&cpu->backend.vp, &unused);
	svm_message_invalid_register(message_of(cpu), cpu->backend.vp.vp_index);
	svm_count(cpu, SIDECAR_EXIT_INVALID_REGISTER);
	return SVM_MESSAGE;
}

static enum svm_result unknown_exit(struct cpu *cpu, struct sidecar_command_error *error)
{
	const struct svm_vmcb *vmcb = vmcb_of(cpu);

	error_format(error, "unknown exit code 0x%lx at RIP 0x%lx", vmcb->control.exit_code,
		     vmcb->save.rip);
	return SVM_FAILED;
}

/* ---- all of them ----------------------------------------------------------------------------- */

enum svm_result svm_handle_exit(struct cpu *cpu, struct sidecar_command_error *error)
{
	switch ((uint32_t)vmcb_of(cpu)->control.exit_code) {
	case SVM_EXIT_IOIO:
		return io(cpu);
	case SVM_EXIT_NPF:
		return nested_page_fault(cpu, error);
	case SVM_EXIT_MSR:
		return msr(cpu);
	case SVM_EXIT_CPUID:
		return cpuid_leaf(cpu);
	case SVM_EXIT_HLT:
		return halt(cpu);
	case SVM_EXIT_VMMCALL:
		return hypercall(cpu);
	case SVM_EXIT_SHUTDOWN:
		return unrecoverable(cpu);
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
		return physical_interrupt(cpu);
	case SVM_EXIT_VINTR:
		return window_opened(cpu);
	case SVM_EXIT_IRET:
		return end_of_nmi(cpu);
	case SVM_EXIT_WRITE_CR0 + 4:
		return load_cr4(cpu);
	case SVM_EXIT_WRITE_CR0 + 8:
		return load_cr8(cpu);
	case SVM_EXIT_EXCEPTION0 + VECTOR_DB:
		return debug_exception(cpu);
	case SVM_EXIT_EXCEPTION0 + VECTOR_AC:
		return alignment_check(cpu);
	case SVM_EXIT_EXCEPTION0 + VECTOR_MC:
		return machine_check(cpu);
	case SVM_EXIT_FERR_FREEZE: /* the old way to say #MF, which ends at an interrupt pin */
		return exception_message(cpu, VECTOR_MF, 0);
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		return flush_caches(cpu);
	case SVM_EXIT_RDPMC:
		return raise_with_code(cpu, VECTOR_GP, 0);
	case SVM_EXIT_RSM:
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_XSETBV:
	case SVM_EXIT_RDPRU:
	case SVM_EXIT_INVLPGB:
	case SVM_EXIT_INVLPGB_ILLEGAL:
	case SVM_EXIT_MCOMMIT:
	case SVM_EXIT_TLBSYNC:
		return raise(cpu, VECTOR_UD);
	case SVM_EXIT_INVALID:
		return invalid_state(cpu);
	default:
		return unknown_exit(cpu, error);
	}
}

// SPDX-License-Identifier: MIT
/* The two guests of a processor, and why they stop: APM vol. 2, appendix C. */
#include "assist.h"
#include "control.h"
#include "cpuid.h"
#include "delivery.h"
#include "guest.h"
#include "hostile.h"
#include "hypercall.h"
#include "log.h"
#include "message.h"
#include "msr.h"
#include "nested.h"
#include "vmcb_setup.h"
#include "x2apic.h"

#define CPUID_LENGTH 2
#define MSR_LENGTH 2
#define HLT_LENGTH 1
#define VMMCALL_LENGTH 3

/* ---- VTL2 ------------------------------------------------------------------------------------ */

static void log_state(const struct cpu *cpu, const struct svm_vmcb *vmcb)
{
	const struct svm_save_area *s = &vmcb->save;
	const uint64_t *g = cpu->gps;

	log_line(cpu, "exit 0x%lx info 0x%lx 0x%lx event 0x%lx", vmcb->control.exit_code,
		 vmcb->control.exit_info1, vmcb->control.exit_info2, vmcb->control.exit_int_info);
	log_line(cpu, "RIP 0x%lx RSP 0x%lx RFLAGS 0x%lx CS 0x%x CR0 0x%lx CR2 0x%lx CR3 0x%lx",
		 s->rip, s->rsp, s->rflags, s->cs.selector, s->cr0, s->cr2, s->cr3);
	log_line(cpu, "RAX 0x%lx RCX 0x%lx RDX 0x%lx RBX 0x%lx RBP 0x%lx RSI 0x%lx RDI 0x%lx", g[0],
		 g[1], g[2], g[3], g[5], g[6], g[7]);
	log_line(cpu, "R8 0x%lx R9 0x%lx R10 0x%lx R11 0x%lx R12 0x%lx R13 0x%lx R14 0x%lx", g[8],
		 g[9], g[10], g[11], g[12], g[13], g[14]);
}

/* A triple fault of VTL2 is the end of this VP, with its registers in the log. */
static void shut_down(struct cpu *cpu)
{
	log_violation(cpu, "triple fault in VTL2");
	log_state(cpu, &cpu->vmcb2);
	cpu_park(cpu);
}

static void answer_roll_call(struct cpu *cpu)
{
	if (cpu_roll_call_is_on())
		cpu_park(cpu);
}

/* VTL2's NMIs are its own: the roll call is the only reason to look at them. */
static void vtl2_nmi(struct cpu *cpu)
{
	answer_roll_call(cpu);
	nmi_take();
	cpu->vmcb2.control.event_inj =
		SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI << SVM_EVENT_TYPE_SHIFT | 2;
}

static void vtl2_cpuid(struct cpu *cpu)
{
	struct cpuid_words w =
		cpuid_result(cpu, (uint32_t)cpu->gps[HV_GP_RAX], (uint32_t)cpu->gps[HV_GP_RCX]);

	cpu->gps[HV_GP_RAX] = w.eax;
	cpu->gps[HV_GP_RBX] = w.ebx;
	cpu->gps[HV_GP_RCX] = w.ecx;
	cpu->gps[HV_GP_RDX] = w.edx;
	guest_skip(cpu, 2, CPUID_LENGTH);
}

static bool vtl2_rdmsr(struct cpu *cpu, uint32_t msr)
{
	uint64_t value = 0;

	if (!msr_read(cpu, msr, &value))
		return false;
	cpu->gps[HV_GP_RAX] = (uint32_t)value;
	cpu->gps[HV_GP_RDX] = value >> 32;
	return true;
}

static void vtl2_msr(struct cpu *cpu)
{
	uint32_t msr = (uint32_t)cpu->gps[HV_GP_RCX];
	bool good;

	if (cpu->vmcb2.control.exit_info1 & SVM_MSR_WRITE)
		good = msr_write(cpu, msr,
				 (uint32_t)cpu->gps[HV_GP_RAX] | cpu->gps[HV_GP_RDX] << 32);
	else
		good = vtl2_rdmsr(cpu, msr);
	if (good)
		guest_skip(cpu, 2, MSR_LENGTH);
	else
		guest_raise_code(cpu, 2, VECTOR_GP, 0);
}

static void vtl2_memory(struct cpu *cpu)
{
	uint64_t gpa = cpu->vmcb2.control.exit_info2;

	if ((gpa & ~0xfffull) == APIC && (cpu->vmcb2.control.exit_info1 & SVM_NPF_WRITE) &&
	    x2apic_page_write(cpu, gpa))
		return;
	log_violation(cpu, "access to GPA 0x%lx, which VTL2 does not have, at RIP 0x%lx", gpa,
		      cpu->vmcb2.save.rip);
	guest_raise_code(cpu, 2, VECTOR_GP, 0);
}

static void vtl2_exit(struct cpu *cpu)
{
	struct svm_control_area *control = &cpu->vmcb2.control;

	control->event_inj = control->exit_int_info & SVM_EVENT_VALID ? control->exit_int_info : 0;
	switch ((uint32_t)control->exit_code) {
	case SVM_EXIT_CPUID:
		return vtl2_cpuid(cpu);
	case SVM_EXIT_MSR:
		return vtl2_msr(cpu);
	case SVM_EXIT_IOIO:
		return control_io(cpu);
	case SVM_EXIT_VMMCALL:
		return hypercall(cpu);
	case SVM_EXIT_NPF:
		return vtl2_memory(cpu);
	case SVM_EXIT_NMI:
		return vtl2_nmi(cpu);
	case SVM_EXIT_SHUTDOWN:
		return shut_down(cpu);
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
		return guest_raise(cpu, 2, VECTOR_UD);
	default:
		log_state(cpu, &cpu->vmcb2);
		log_fatal(cpu, "unexpected exit of VTL2");
	}
}

/*
 * Once in a hundred runs with 64 processors QEMU 7.2 enters VTL2 with the state that it keeps for the
 * hypervisor: RIP behind the VMRUN, RFLAGS and CR3 as they were there. No instruction of this program
 * stores that RIP. VTL2's state is lost; hyperv-run knows the text, and begins again.
 */
static void check_state(struct cpu *cpu)
{
	if (cpu->vmcb2.save.rip == (uint64_t)guest_left)
		log_fatal(cpu, "the processor entered VTL2 with the hypervisor's state");
}

static void run_vtl2(struct cpu *cpu)
{
	uint64_t begin;

	cpu->vmcb2.save.rax = cpu->gps[HV_GP_RAX];
	begin = meter_enter(cpu);
	guest_enter(cpu->gps, (uint64_t)&cpu->vmcb2);
	meter_leave(cpu, begin);
	cpu->gps[HV_GP_RAX] = cpu->vmcb2.save.rax;
	cpu->exits2++;
	check_state(cpu);
	vtl2_exit(cpu);
}

/* ---- VTL0 ------------------------------------------------------------------------------------ */

/* Hyper-V idles the VP: no message, and what VTL2 is interrupted for ends it. */
static void vtl0_halt(struct cpu *cpu)
{
	guest_skip(cpu, 0, HLT_LENGTH);
	cpu->vtl0.activity |= HV_ACTIVITY_HALT_SUSPEND;
}

static void vtl0_vmmcall(struct cpu *cpu)
{
	if (cpu->gps[HV_GP_RCX] != HV_CALL_VTL_CALL)
		return message_hypercall(cpu);
	guest_skip(cpu, 0, VMMCALL_LENGTH);
	vtl_enter(cpu, HV_ENTRY_REASON_VTL_CALL);
}

static void vtl0_interrupt(struct cpu *cpu)
{
	answer_roll_call(cpu);
	vtl_enter(cpu, HV_ENTRY_REASON_INTERRUPT);
}

static void vtl0_exit(struct cpu *cpu)
{
	uint32_t code = (uint32_t)cpu->vmcb0.control.exit_code;

	delivery_collect(cpu);
	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
		return vtl0_interrupt(cpu);
	case SVM_EXIT_IOIO:
		return message_io(cpu);
	case SVM_EXIT_MSR:
		return msr_vtl0(cpu) ? (void)0 : message_msr(cpu);
	case SVM_EXIT_CPUID:
		return message_cpuid(cpu);
	case SVM_EXIT_HLT:
		return vtl0_halt(cpu);
	case SVM_EXIT_VMMCALL:
		return vtl0_vmmcall(cpu);
	case SVM_EXIT_NPF:
		return message_memory(cpu);
	case SVM_EXIT_SHUTDOWN:
		return message_unrecoverable(cpu);
	case SVM_EXIT_EXCEPTION0 ... SVM_EXIT_EXCEPTION0 + 31:
		return message_exception(cpu, (uint8_t)(code - SVM_EXIT_EXCEPTION0));
	case SVM_EXIT_VINTR: /* delivery_prepare sees that the window is open */
		return;
	case SVM_EXIT_IRET:
		cpu->vtl0.nmi_masked = false;
		return;
	case SVM_EXIT_INVALID:
		return message_invalid_register(cpu);
	case SVM_EXIT_RDPMC:
		return guest_raise_code(cpu, 0, VECTOR_GP, 0);
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_INVD:
		return guest_raise(cpu, 0, VECTOR_UD);
	default:
		log_state(cpu, &cpu->vmcb0);
		log_violation(cpu, "unexpected exit of VTL0");
		return message_unrecoverable(cpu);
	}
}

/* Nothing of the idle guest means anything; its registers are the VP's, so that none is lost. */
static void run_idle(struct cpu *cpu)
{
	uint64_t rip = cpu->idle.save.rip;

	guest_enter(cpu->gps, (uint64_t)&cpu->idle);
	cpu->idle.save.rip = rip;
	cpu->exits0++;
	vtl0_interrupt(cpu);
}

static void run_vtl0(struct cpu *cpu)
{
	vmcb_refresh_intercepts(cpu);
	if (!delivery_prepare(cpu))
		return;
	if (cpu->vtl0.activity && !(cpu->vmcb0.control.event_inj & SVM_EVENT_VALID))
		return run_idle(cpu);
	cpu->vtl0.activity &= ~HV_ACTIVITY_HALT_SUSPEND;
	cpu->vmcb0.save.rax = cpu->gps[HV_GP_RAX];
	guest_enter(cpu->gps, (uint64_t)&cpu->vmcb0);
	cpu->gps[HV_GP_RAX] = cpu->vmcb0.save.rax;
	cpu->exits0++;
	vtl0_exit(cpu);
}

_Noreturn void cpu_run(struct cpu *cpu)
{
	hostile_delay(cpu);
	for (;;) {
		if (cpu->vtl == 2)
			run_vtl2(cpu);
		else
			run_vtl0(cpu);
	}
}

// SPDX-License-Identifier: MIT
/* Event injection and the interrupt window: APM vol. 2, 15.20 and 15.21. */
#include "delivery.h"

#include "guest.h"
#include "message.h"

#define PRIORITY_ANY 15ull

static bool interrupt_possible(const struct cpu *cpu, uint64_t priority)
{
	const struct svm_vmcb *vmcb = &cpu->vmcb0;

	if (!(vmcb->save.rflags & RFLAGS_IF) || (vmcb->control.int_state & SVM_INT_STATE_SHADOW) ||
	    (cpu->vtl0.pending_interruption & HV_PENDING_INTERRUPTION_PENDING))
		return false;
	return priority == 0 || priority > (vmcb->control.int_ctl & 0xf);
}

static uint64_t wanted_priority(const struct cpu *cpu)
{
	return (cpu->vtl0.deliverability & HV_DELIVERABILITY_PRIORITY_MASK) >>
	       HV_DELIVERABILITY_PRIORITY_SHIFT;
}

/* ---- notifications --------------------------------------------------------------------------- */

static bool notify(struct cpu *cpu)
{
	struct vtl0 *vtl0 = &cpu->vtl0;

	if ((vtl0->deliverability & HV_DELIVERABILITY_NMI) && !vtl0->nmi_masked &&
	    !(vtl0->pending_interruption & HV_PENDING_INTERRUPTION_PENDING)) {
		vtl0->deliverability &= ~HV_DELIVERABILITY_NMI;
		message_deliverable(cpu, HV_INTERRUPTION_TYPE_NMI);
		return true;
	}
	if ((vtl0->deliverability & HV_DELIVERABILITY_INTERRUPT) &&
	    interrupt_possible(cpu, wanted_priority(cpu))) {
		vtl0->deliverability &=
			~(HV_DELIVERABILITY_INTERRUPT | HV_DELIVERABILITY_PRIORITY_MASK);
		message_deliverable(cpu, HV_INTERRUPTION_TYPE_EXTERNAL);
		return true;
	}
	return false;
}

/* ---- injection ------------------------------------------------------------------------------- */

static uint64_t svm_event(uint64_t type, uint64_t vector)
{
	return SVM_EVENT_VALID | type << SVM_EVENT_TYPE_SHIFT | vector;
}

static uint64_t svm_type(uint64_t type)
{
	switch (type) {
	case HV_INTERRUPTION_TYPE_EXTERNAL:
		return SVM_EVENT_TYPE_INTERRUPT;
	case HV_INTERRUPTION_TYPE_NMI:
		return SVM_EVENT_TYPE_NMI;
	case HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT:
		return SVM_EVENT_TYPE_SOFTWARE;
	default:
		return SVM_EVENT_TYPE_EXCEPTION;
	}
}

/* A software interrupt returns behind its instruction; without NRIPS the VMCB's RIP decides. */
static void inject_interruption(struct cpu *cpu)
{
	uint64_t value = cpu->vtl0.pending_interruption;
	uint64_t type =
		(value & HV_PENDING_INTERRUPTION_TYPE_MASK) >> HV_PENDING_INTERRUPTION_TYPE_SHIFT;
	uint64_t event = svm_event(svm_type(type), (value & HV_PENDING_INTERRUPTION_VECTOR_MASK) >>
							   HV_PENDING_INTERRUPTION_VECTOR_SHIFT);

	if (value & HV_PENDING_INTERRUPTION_ERROR_CODE_VALID)
		event |= SVM_EVENT_ERROR_CODE_VALID |
			 value >> HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT
					  << SVM_EVENT_ERROR_CODE_SHIFT;
	if (type >= HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		cpu->vmcb0.save.rip += (value & HV_PENDING_INTERRUPTION_LENGTH_MASK) >>
				       HV_PENDING_INTERRUPTION_LENGTH_SHIFT;
	cpu->vtl0.nmi_masked |= type == HV_INTERRUPTION_TYPE_NMI;
	cpu->vmcb0.control.event_inj = event;
	cpu->vtl0.pending_interruption = 0;
}

static void inject_exception(struct cpu *cpu, const struct hv_u128 *value)
{
	uint64_t vector =
		(value->low & HV_EVENT_EXCEPTION_VECTOR_MASK) >> HV_EVENT_EXCEPTION_VECTOR_SHIFT;
	uint64_t event = svm_event(SVM_EVENT_TYPE_EXCEPTION, vector);

	if (value->low & HV_EVENT_EXCEPTION_ERROR_CODE_VALID)
		event |= SVM_EVENT_ERROR_CODE_VALID |
			 value->low >> HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT
					       << SVM_EVENT_ERROR_CODE_SHIFT;
	if (vector == VECTOR_PF)
		cpu->vmcb0.save.cr2 = value->high;
	cpu->vmcb0.control.event_inj = event;
	cpu->vtl0.pending_event = (struct hv_u128){0, 0};
}

/* True: there is an interrupt that has to wait for its window. */
static bool inject_event(struct cpu *cpu)
{
	struct hv_u128 value = cpu->vtl0.pending_event;
	uint64_t vector =
		(value.low & HV_EVENT_INTERRUPT_VECTOR_MASK) >> HV_EVENT_INTERRUPT_VECTOR_SHIFT;

	if (!(value.low & HV_EVENT_PENDING))
		return false;
	if ((value.low & HV_EVENT_TYPE_MASK) >> HV_EVENT_TYPE_SHIFT == HV_EVENT_TYPE_EXCEPTION) {
		inject_exception(cpu, &value);
		return false;
	}
	if (!interrupt_possible(cpu, vector >> 4))
		return true;
	cpu->vmcb0.control.event_inj = svm_event(SVM_EVENT_TYPE_INTERRUPT, vector);
	cpu->vtl0.pending_event = (struct hv_u128){0, 0};
	cpu->vtl0.activity &= ~HV_ACTIVITY_HALT_SUSPEND;
	return false;
}

static void set_window(struct svm_control_area *control, bool open, uint64_t priority)
{
	control->int_ctl &= ~(SVM_INT_CTL_V_IRQ | SVM_INT_CTL_IGNORE_TPR |
			      SVM_INT_CTL_PRIORITY_MASK | SVM_INT_CTL_VECTOR_MASK);
	control->intercept_misc1 &= ~SVM_INTERCEPT1_VINTR;
	if (!open)
		return;
	control->intercept_misc1 |= SVM_INTERCEPT1_VINTR;
	control->int_ctl |= SVM_INT_CTL_V_IRQ | (priority ? priority : PRIORITY_ANY)
							<< SVM_INT_CTL_PRIORITY_SHIFT;
	if (!priority)
		control->int_ctl |= SVM_INT_CTL_IGNORE_TPR;
}

/* The IRET that ends an NMI handler is only of interest when somebody waits for it. */
static void set_iret_intercept(struct cpu *cpu)
{
	cpu->vmcb0.control.intercept_misc1 &= ~SVM_INTERCEPT1_IRET;
	if (cpu->vtl0.nmi_masked)
		cpu->vmcb0.control.intercept_misc1 |= SVM_INTERCEPT1_IRET;
}

bool delivery_prepare(struct cpu *cpu)
{
	bool waits = false, notification;

	if (notify(cpu))
		return false;
	if (cpu->vtl0.pending_interruption & HV_PENDING_INTERRUPTION_PENDING)
		inject_interruption(cpu);
	else
		waits = inject_event(cpu);
	notification = cpu->vtl0.deliverability & HV_DELIVERABILITY_INTERRUPT;
	set_window(&cpu->vmcb0.control, waits || notification, waits ? 0 : wanted_priority(cpu));
	set_iret_intercept(cpu);
	return true;
}

/* INT n is executed again; everything else is kept, and VTL2 may look at it or replace it. */
void delivery_collect(struct cpu *cpu)
{
	uint64_t event = cpu->vmcb0.control.exit_int_info;
	uint64_t type = (event & SVM_EVENT_TYPE_MASK) >> SVM_EVENT_TYPE_SHIFT;

	cpu->vmcb0.control.event_inj = 0;
	if (!(event & SVM_EVENT_VALID) || type == SVM_EVENT_TYPE_SOFTWARE ||
	    (uint32_t)cpu->vmcb0.control.exit_code == SVM_EXIT_SHUTDOWN)
		return;
	cpu->vtl0.pending_interruption =
		HV_PENDING_INTERRUPTION_PENDING | type << HV_PENDING_INTERRUPTION_TYPE_SHIFT |
		(event & SVM_EVENT_VECTOR_MASK) << HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
	if (event & SVM_EVENT_ERROR_CODE_VALID)
		cpu->vtl0.pending_interruption |=
			HV_PENDING_INTERRUPTION_ERROR_CODE_VALID |
			event >> SVM_EVENT_ERROR_CODE_SHIFT
					 << HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT;
}

// SPDX-License-Identifier: MIT
#include "delivery.h"

#include "events.h"

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_GP 13
#define VECTOR_PF 14

#define DR6_SINGLE_STEP (1ULL << 14)
#define DR6_EVENTS 0xe00fULL /* the bits that an exception reports */

#define CR8_WRITE (1U << 8) /* in the intercepts of CR writes */

#define LOW32 0xffffffffULL

/* ---- what is pending ------------------------------------------------------------------------- */

static bool interruption_pending(const struct svm_vp *vp)
{
	return vp->pending_interruption & HV_PENDING_INTERRUPTION_PENDING;
}

static unsigned int interruption_type(uint64_t word)
{
	return (word & HV_PENDING_INTERRUPTION_TYPE_MASK) >> HV_PENDING_INTERRUPTION_TYPE_SHIFT;
}

static uint8_t interruption_vector(uint64_t word)
{
	return (word & HV_PENDING_INTERRUPTION_VECTOR_MASK) >> HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
}

static bool event_is(const struct svm_vp *vp, unsigned int type)
{
	uint64_t word = vp->pending_event.low;

	return (word & HV_EVENT_PENDING) &&
	       (word & HV_EVENT_TYPE_MASK) >> HV_EVENT_TYPE_SHIFT == type;
}

static uint8_t event_vector(const struct svm_vp *vp)
{
	return (vp->pending_event.low & HV_EVENT_EXCEPTION_VECTOR_MASK) >>
	       HV_EVENT_EXCEPTION_VECTOR_SHIFT;
}

static bool takes_interrupts(const struct svm_vp *vp)
{
	return (vp->vmcb->save.rflags & RFLAGS_IF) &&
	       !(vp->vmcb->control.int_state & SVM_INT_STATE_SHADOW);
}

/* ---- into EVENTINJ --------------------------------------------------------------------------- */

static void inject(struct svm_vp *vp, uint64_t event)
{
	vp->vmcb->control.event_inj = event;
	vp->vmcb->control.int_state &= ~SVM_INT_STATE_SHADOW;
	vp->activity &= ~HV_ACTIVITY_HALT_SUSPEND;
}

/*
 * AMD-V pushes the VMCB's RIP for an INT n, INT3 or INTO that is injected, so RIP goes to the next
 * instruction first; svm_collect takes it back when the delivery does not happen.
 */
static void inject_interruption(struct svm_vp *vp, struct svm_delivery *delivery)
{
	uint64_t word = vp->pending_interruption;

	inject(vp, svm_inject_interruption(word));
	vp->pending_interruption = 0;
	delivery->deferred = false;
	if (interruption_type(word) == HV_INTERRUPTION_TYPE_NMI)
		vp->nmi_masked = true;
	if (interruption_type(word) < HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		return;
	delivery->software = true;
	delivery->software_word = word;
	delivery->software_rip = vp->vmcb->save.rip;
	vp->vmcb->save.rip += svm_interruption_length(word);
}

static bool is_contributory(uint8_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* APM vol. 2, table 8-4: an exception while another one was being delivered. */
static bool makes_double_fault(uint8_t first, uint8_t second)
{
	if (first == VECTOR_PF)
		return second == VECTOR_PF || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

/* An interrupt or NMI that was being delivered waits; an exception happens again by itself. */
static void stand_back(struct svm_vp *vp, struct svm_delivery *delivery)
{
	unsigned int type = interruption_type(vp->pending_interruption);

	delivery->deferred = interruption_pending(vp) && (type == HV_INTERRUPTION_TYPE_EXTERNAL ||
							  type == HV_INTERRUPTION_TYPE_NMI);
	if (!delivery->deferred)
		vp->pending_interruption = 0;
}

static void load_parameter(struct svm_vp *vp, uint64_t *cr2)
{
	if (event_vector(vp) == VECTOR_PF)
		*cr2 = vp->pending_event.high;
	if (event_vector(vp) == VECTOR_DB)
		vp->vmcb->save.dr6 |= vp->pending_event.high & DR6_EVENTS;
}

static void inject_exception(struct svm_vp *vp, struct svm_delivery *delivery, uint64_t *cr2)
{
	uint64_t first = vp->pending_interruption;

	load_parameter(vp, cr2);
	if (interruption_pending(vp) &&
	    interruption_type(first) == HV_INTERRUPTION_TYPE_EXCEPTION &&
	    makes_double_fault(interruption_vector(first), event_vector(vp)))
		svm_raise_with_code(vp, VECTOR_DF, 0);
	stand_back(vp, delivery);
	inject(vp, svm_inject_event(&vp->pending_event));
	vp->pending_event = (struct hv_u128){0, 0};
}

/* A deferred interrupt was refused once already: now it waits for its turn. */
static bool interruption_ready(const struct svm_vp *vp, const struct svm_delivery *delivery)
{
	if (!interruption_pending(vp))
		return false;
	if (!delivery->deferred ||
	    interruption_type(vp->pending_interruption) != HV_INTERRUPTION_TYPE_EXTERNAL)
		return true;
	return takes_interrupts(vp);
}

/* True if EVENTINJ now holds an event. */
static bool inject_next(struct svm_vp *vp, struct svm_delivery *delivery, uint64_t *cr2)
{
	if (event_is(vp, HV_EVENT_TYPE_EXCEPTION)) {
		inject_exception(vp, delivery, cr2);
	} else if (interruption_ready(vp, delivery)) {
		inject_interruption(vp, delivery);
	} else if (event_is(vp, HV_EVENT_TYPE_EXTERNAL_INTERRUPT) && takes_interrupts(vp)) {
		inject(vp, svm_inject_event(&vp->pending_event));
		vp->pending_event = (struct hv_u128){0, 0};
	} else {
		return false;
	}
	return true;
}

/* ---- windows --------------------------------------------------------------------------------- */

static uint64_t notification_priority(const struct svm_vp *vp)
{
	return (vp->deliverability & HV_DELIVERABILITY_PRIORITY_MASK) >>
	       HV_DELIVERABILITY_PRIORITY_SHIFT;
}

/* Priority 0 does not look at the task priority. */
static bool notification_due(const struct svm_vp *vp)
{
	uint64_t priority = notification_priority(vp);

	if (!(vp->deliverability & HV_DELIVERABILITY_INTERRUPT) || !takes_interrupts(vp))
		return false;
	return !priority || priority > (vp->vmcb->control.int_ctl & SVM_INT_CTL_TPR_MASK);
}

static bool event_waits(const struct svm_vp *vp)
{
	return interruption_pending(vp) || event_is(vp, HV_EVENT_TYPE_EXTERNAL_INTERRUPT);
}

/*
 * A virtual interrupt that is never delivered: its VINTR exit says that the guest takes interrupts
 * now (APM vol. 2, 15.21.4). Only a notification with a priority waits for the task priority too.
 *
 * Meanwhile writes of CR8 are intercepted: QEMU's TCG aborts, the whole machine with it, when one
 * meets a pending virtual interrupt.
 */
static void program_window(struct svm_vp *vp)
{
	struct svm_control_area *control = &vp->vmcb->control;
	bool notify = vp->deliverability & HV_DELIVERABILITY_INTERRUPT;

	control->intercept_misc1 &= ~SVM_INTERCEPT1_VINTR;
	control->intercept_cr_write &= (uint16_t)~CR8_WRITE;
	control->int_ctl &= ~(SVM_INT_CTL_V_IRQ | SVM_INT_CTL_PRIORITY_MASK |
			      SVM_INT_CTL_IGNORE_TPR | SVM_INT_CTL_VECTOR_MASK);
	/* QEMU clears it when it refuses the first VMRUN after an INIT; no IPI would end the guest. */
	control->int_ctl |= SVM_INT_CTL_V_INTR_MASKING;
	if (!notify && !event_waits(vp))
		return;
	control->intercept_misc1 |= SVM_INTERCEPT1_VINTR;
	control->intercept_cr_write |= CR8_WRITE;
	control->int_ctl |= SVM_INT_CTL_V_IRQ;
	control->int_ctl |= notification_priority(vp) << SVM_INT_CTL_PRIORITY_SHIFT;
	if (event_waits(vp) || !notification_priority(vp))
		control->int_ctl |= SVM_INT_CTL_IGNORE_TPR;
}

/* The guest's IRET ends the time in which it takes no NMI. */
static void program_iret(struct svm_vp *vp)
{
	if (vp->nmi_masked)
		vp->vmcb->control.intercept_misc1 |= SVM_INTERCEPT1_IRET;
	else
		vp->vmcb->control.intercept_misc1 &= ~SVM_INTERCEPT1_IRET;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static enum svm_readiness notify(struct svm_vp *vp)
{
	if ((vp->deliverability & HV_DELIVERABILITY_NMI) && !vp->nmi_masked) {
		vp->deliverability &= ~HV_DELIVERABILITY_NMI;
		return SVM_DELIVERABLE_NMI;
	}
	if (notification_due(vp)) {
		vp->deliverability &=
			~(HV_DELIVERABILITY_INTERRUPT | HV_DELIVERABILITY_PRIORITY_MASK);
		return SVM_DELIVERABLE;
	}
	return SVM_READY;
}

enum svm_readiness svm_deliver(struct svm_vp *vp, struct svm_delivery *delivery, uint64_t *cr2)
{
	enum svm_readiness readiness = SVM_READY;

	delivery->software = false;
	vp->vmcb->control.event_inj = 0;
	if (vp->activity & HV_ACTIVITY_STARTUP_SUSPEND)
		return SVM_SUSPENDED;
	if (!inject_next(vp, delivery, cr2))
		readiness = notify(vp);
	if (readiness == SVM_READY && (vp->activity & HV_ACTIVITY_HALT_SUSPEND))
		readiness = SVM_SUSPENDED;
	program_window(vp);
	program_iret(vp);
	return readiness;
}

/*
 * The guest's own INT n, INT3 and INTO are not collected: RIP still points at the instruction,
 * which the guest executes again.
 */
void svm_collect(struct svm_vp *vp, struct svm_delivery *delivery)
{
	uint64_t info = vp->vmcb->control.exit_int_info;
	uint64_t word = svm_interruption_from_exit(info, 0);

	vp->vmcb->control.event_inj = 0;
	if (!word)
		return;
	if (delivery->software) {
		vp->vmcb->save.rip = delivery->software_rip;
		vp->pending_interruption = delivery->software_word;
		return;
	}
	if (interruption_type(word) >= HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		return;
	if (interruption_type(word) == HV_INTERRUPTION_TYPE_NMI)
		vp->nmi_masked = false;
	vp->pending_interruption = word;
	delivery->deferred = false;
}

/* An interrupt that waits as PendingEvent0 makes room, and waits as PendingInterruption. */
static void move_interrupt(struct svm_vp *vp)
{
	uint64_t vector = (vp->pending_event.low & HV_EVENT_INTERRUPT_VECTOR_MASK) >>
			  HV_EVENT_INTERRUPT_VECTOR_SHIFT;

	if (!event_is(vp, HV_EVENT_TYPE_EXTERNAL_INTERRUPT) || interruption_pending(vp))
		return;
	vp->pending_interruption =
		HV_PENDING_INTERRUPTION_PENDING | vector << HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
}

static void raise_event(struct svm_vp *vp, uint64_t word)
{
	move_interrupt(vp);
	vp->pending_event.low =
		word | HV_EVENT_PENDING | (uint64_t)HV_EVENT_TYPE_EXCEPTION << HV_EVENT_TYPE_SHIFT;
	vp->pending_event.high = 0;
}

void svm_raise(struct svm_vp *vp, uint8_t vector)
{
	raise_event(vp, (uint64_t)vector << HV_EVENT_EXCEPTION_VECTOR_SHIFT);
}

void svm_raise_with_code(struct svm_vp *vp, uint8_t vector, uint32_t code)
{
	raise_event(vp, (uint64_t)vector << HV_EVENT_EXCEPTION_VECTOR_SHIFT |
				HV_EVENT_EXCEPTION_ERROR_CODE_VALID |
				(uint64_t)code << HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT);
}

void svm_step_over(struct svm_vp *vp, uint8_t length)
{
	struct svm_save_area *save = &vp->vmcb->save;

	save->rip += length;
	if (!(svm_long_mode(save) && (save->cs.attributes & SVM_SEGMENT_LONG)))
		save->rip &= LOW32;
	vp->vmcb->control.int_state &= ~SVM_INT_STATE_SHADOW;
	if (!(save->rflags & RFLAGS_TF))
		return;
	save->dr6 |= DR6_SINGLE_STEP;
	svm_raise(vp, VECTOR_DB);
}

// SPDX-License-Identifier: MIT
/* What goes into EVENTINJ when, and what an interrupted delivery leaves behind. */
#include "fake.h"

#include "delivery.h"

#define WORD(type, vector) (1ull | (uint64_t)(type) << 1 | (uint64_t)(vector) << 16)
#define EXTERNAL(vector) WORD(HV_INTERRUPTION_TYPE_EXTERNAL, vector)
#define EXCEPTION_WORD(vector) WORD(HV_INTERRUPTION_TYPE_EXCEPTION, vector)
#define EXCEPTION_EVENT(vector) (1ull | (uint64_t)(vector) << 16)
#define INTERRUPT_EVENT(vector) (1ull | 5u << 1 | (uint64_t)(vector) << 8)
#define INJECTED(type, vector) (SVM_EVENT_VALID | (uint64_t)(type) << 8 | (vector))

#define WINDOW (SVM_INT_CTL_V_IRQ | SVM_INT_CTL_IGNORE_TPR | SVM_INT_CTL_PRIORITY_MASK)

static struct svm_vp *vp;
static struct svm_delivery delivery;
static uint64_t cr2;

static int setup(void **state)
{
	fake_setup(state);
	vp = &fake.cpu.backend.vp;
	vp->vmcb->save.rip = 0x1000;
	delivery = (struct svm_delivery){0};
	cr2 = 0;
	return 0;
}

static enum svm_readiness deliver(void)
{
	return svm_deliver(vp, &delivery, &cr2);
}

static void expect(uint64_t event)
{
	assert_int_equal(deliver(), SVM_READY);
	assert_true(vp->vmcb->control.event_inj == event);
}

/* The exit after which the event of the last entry was not delivered. */
static void not_delivered(void)
{
	vp->vmcb->control.exit_int_info = vp->vmcb->control.event_inj;
	svm_collect(vp, &delivery);
}

static void delivered(void)
{
	/* TCG leaves the event there, without its valid bit. */
	vp->vmcb->control.exit_int_info = vp->vmcb->control.event_inj & ~SVM_EVENT_VALID;
	svm_collect(vp, &delivery);
}

static bool window_is_open(void)
{
	return (vp->vmcb->control.int_ctl & SVM_INT_CTL_V_IRQ) &&
	       (vp->vmcb->control.intercept_misc1 & SVM_INTERCEPT1_VINTR);
}

static void test_nothing(void **state)
{
	(void)state;
	expect(0);
	assert_false(window_is_open());
	assert_false(vp->vmcb->control.intercept_misc1 & SVM_INTERCEPT1_IRET);
}

static void test_interruption(void **state)
{
	(void)state;
	vp->pending_interruption = EXTERNAL(0x30); /* committed: IF does not matter */
	vp->vmcb->control.int_state = SVM_INT_STATE_SHADOW;
	expect(INJECTED(0, 0x30));
	assert_int_equal(vp->pending_interruption, 0);
	assert_int_equal(vp->vmcb->control.int_state, 0);
	delivered();
	assert_int_equal(vp->pending_interruption, 0);
	expect(0);
}

static void test_interrupted_delivery(void **state)
{
	(void)state;
	vp->pending_interruption = EXCEPTION_WORD(13) | 0x10 | 0x55ull << 32;
	expect(INJECTED(3, 13) | SVM_EVENT_ERROR_CODE_VALID | 0x55ull << 32);
	not_delivered();
	assert_true(vp->pending_interruption == (EXCEPTION_WORD(13) | 0x10 | 0x55ull << 32));
	expect(INJECTED(3, 13) | SVM_EVENT_ERROR_CODE_VALID | 0x55ull << 32);
}

static void test_software_interrupt(void **state)
{
	uint64_t word = WORD(HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x80) | 2u << 5;

	(void)state;
	vp->pending_interruption = word;
	expect(INJECTED(4, 0x80));
	assert_int_equal(vp->vmcb->save.rip, 0x1002);
	not_delivered();
	assert_int_equal(vp->vmcb->save.rip, 0x1000);
	assert_true(vp->pending_interruption == word);
	expect(INJECTED(4, 0x80));
	vp->vmcb->save.rip = 0x9000; /* the handler's */
	delivered();
	assert_int_equal(vp->vmcb->save.rip, 0x9000);
	assert_int_equal(vp->pending_interruption, 0);
}

/* The guest's own INT n: RIP is still at it. */
static void test_own_software_interrupt(void **state)
{
	(void)state;
	expect(0);
	vp->vmcb->control.exit_int_info = INJECTED(4, 0x80);
	svm_collect(vp, &delivery);
	assert_int_equal(vp->pending_interruption, 0);
	assert_int_equal(vp->vmcb->save.rip, 0x1000);
}

static void test_page_fault_event(void **state)
{
	(void)state;
	vp->pending_event = (struct hv_u128){EXCEPTION_EVENT(14) | 0x100 | 2ull << 32, 0xdead000};
	expect(INJECTED(3, 14) | SVM_EVENT_ERROR_CODE_VALID | 2ull << 32);
	assert_int_equal(cr2, 0xdead000);
	assert_int_equal(vp->pending_event.low, 0);
}

static void test_debug_event(void **state)
{
	(void)state;
	vp->pending_event = (struct hv_u128){EXCEPTION_EVENT(1), 0xffff4ff1};
	expect(INJECTED(3, 1));
	assert_int_equal(vp->vmcb->save.dr6, 0xffff4ff1);
}

static void test_double_fault(void **state)
{
	(void)state;
	vp->pending_interruption = EXCEPTION_WORD(14);
	vp->pending_event.low = EXCEPTION_EVENT(13);
	expect(INJECTED(3, 8) | SVM_EVENT_ERROR_CODE_VALID);
	assert_int_equal(vp->pending_interruption, 0);
}

static void test_benign_pair(void **state)
{
	(void)state;
	vp->pending_interruption = EXCEPTION_WORD(13);
	vp->pending_event.low = EXCEPTION_EVENT(14); /* comes first; #GP happens again by itself */
	expect(INJECTED(3, 14));
	assert_int_equal(vp->pending_interruption, 0);
}

/* An interrupt whose delivery faulted waits until the handler takes interrupts. */
static void test_deferred_interrupt(void **state)
{
	(void)state;
	vp->pending_interruption = EXTERNAL(0x30);
	vp->pending_event.low = EXCEPTION_EVENT(14);
	expect(INJECTED(3, 14));
	assert_true(window_is_open());
	delivered();
	expect(0);
	assert_true(window_is_open());
	vp->vmcb->save.rflags |= RFLAGS_IF;
	expect(INJECTED(0, 0x30));
	assert_false(window_is_open());
}

static void test_interrupt_event(void **state)
{
	(void)state;
	vp->pending_event.low = INTERRUPT_EVENT(0x44);
	expect(0);
	assert_true(window_is_open());
	assert_true(vp->vmcb->control.int_ctl & SVM_INT_CTL_IGNORE_TPR);
	vp->vmcb->save.rflags |= RFLAGS_IF;
	vp->vmcb->control.int_state = SVM_INT_STATE_SHADOW;
	expect(0);
	vp->vmcb->control.int_state = 0;
	expect(INJECTED(0, 0x44));
	assert_false(window_is_open());
}

/* An exception of the kernel's must not lose an interrupt that waits in the same place. */
static void test_exception_before_interrupt(void **state)
{
	(void)state;
	vp->pending_event.low = INTERRUPT_EVENT(0x44);
	svm_raise(vp, 6);
	expect(INJECTED(3, 6));
	delivered();
	expect(0);
	vp->vmcb->save.rflags |= RFLAGS_IF;
	expect(INJECTED(0, 0x44));
}

static void test_notification(void **state)
{
	(void)state;
	vp->deliverability = HV_DELIVERABILITY_INTERRUPT;
	expect(0);
	assert_true(window_is_open());
	vp->vmcb->save.rflags |= RFLAGS_IF;
	assert_int_equal(deliver(), SVM_DELIVERABLE);
	assert_int_equal(vp->deliverability, 0);
	expect(0);
	assert_false(window_is_open());
}

static void test_notification_priority(void **state)
{
	(void)state;
	vp->deliverability = HV_DELIVERABILITY_INTERRUPT | 5u << HV_DELIVERABILITY_PRIORITY_SHIFT;
	vp->vmcb->save.rflags |= RFLAGS_IF;
	vp->vmcb->control.int_ctl |= 5; /* CR8 */
	expect(0);
	assert_true(window_is_open());
	assert_true((vp->vmcb->control.int_ctl & WINDOW) ==
		    (SVM_INT_CTL_V_IRQ | 5u << SVM_INT_CTL_PRIORITY_SHIFT));
	vp->vmcb->control.int_ctl &= ~SVM_INT_CTL_TPR_MASK;
	assert_int_equal(deliver(), SVM_DELIVERABLE);
}

static void test_nmi(void **state)
{
	(void)state;
	vp->pending_interruption = WORD(HV_INTERRUPTION_TYPE_NMI, 2);
	vp->deliverability = HV_DELIVERABILITY_NMI;
	expect(INJECTED(2, 2));
	assert_true(vp->nmi_masked);
	assert_true(vp->vmcb->control.intercept_misc1 & SVM_INTERCEPT1_IRET);
	not_delivered();
	assert_false(vp->nmi_masked);
	expect(INJECTED(2, 2));
	delivered();
	expect(0);
	vp->nmi_masked = false; /* the IRET */
	assert_int_equal(deliver(), SVM_DELIVERABLE_NMI);
	expect(0);
	assert_false(vp->vmcb->control.intercept_misc1 & SVM_INTERCEPT1_IRET);
}

static void test_suspended(void **state)
{
	(void)state;
	vp->activity = HV_ACTIVITY_STARTUP_SUSPEND;
	vp->pending_interruption = EXTERNAL(0x30);
	assert_int_equal(deliver(), SVM_SUSPENDED);
	assert_true(vp->pending_interruption == EXTERNAL(0x30));
}

static void test_halted(void **state)
{
	(void)state;
	vp->activity = HV_ACTIVITY_HALT_SUSPEND;
	assert_int_equal(deliver(), SVM_SUSPENDED);
	vp->pending_event.low = INTERRUPT_EVENT(0x44);
	assert_int_equal(deliver(), SVM_SUSPENDED);
	vp->vmcb->save.rflags |= RFLAGS_IF;
	expect(INJECTED(0, 0x44));
	assert_int_equal(vp->activity, 0);
}

static void test_halted_notification(void **state)
{
	(void)state;
	vp->activity = HV_ACTIVITY_HALT_SUSPEND;
	vp->deliverability = HV_DELIVERABILITY_INTERRUPT;
	vp->vmcb->save.rflags |= RFLAGS_IF;
	assert_int_equal(deliver(), SVM_DELIVERABLE);
	assert_int_equal(vp->activity, HV_ACTIVITY_HALT_SUSPEND);
}

static void test_step_over(void **state)
{
	(void)state;
	vp->vmcb->save.rip = 0xffffffff;
	vp->vmcb->control.int_state = SVM_INT_STATE_SHADOW;
	svm_step_over(vp, 2);
	assert_int_equal(vp->vmcb->save.rip, 1);
	assert_int_equal(vp->vmcb->control.int_state, 0);
	expect(0);
	vp->vmcb->save.rflags |= RFLAGS_TF;
	svm_step_over(vp, 2);
	assert_true(vp->vmcb->save.dr6 & (1u << 14));
	expect(INJECTED(3, 1));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_interruption),
		TEST(test_interrupted_delivery),
		TEST(test_software_interrupt),
		TEST(test_own_software_interrupt),
		TEST(test_page_fault_event),
		TEST(test_debug_event),
		TEST(test_double_fault),
		TEST(test_benign_pair),
		TEST(test_deferred_interrupt),
		TEST(test_interrupt_event),
		TEST(test_exception_before_interrupt),
		TEST(test_notification),
		TEST(test_notification_priority),
		TEST(test_nmi),
		TEST(test_suspended),
		TEST(test_halted),
		TEST(test_halted_notification),
		TEST(test_step_over),
	};

	return cmocka_run_group_tests_name("svm_delivery", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Events that the VMM injects and what the guest makes of them, in each mode; interrupt windows
 * and shadows; what is pending can be read.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

static const char *const mode_names[] = {"real mode", "32-bit", "64-bit"};

#define INTERRUPTION(type, vector) \
	(HV_PENDING_INTERRUPTION_PENDING | (uint64_t)(type) << 1 | (uint64_t)(vector) << 16)
#define WITH_CODE(code) (HV_PENDING_INTERRUPTION_ERROR_CODE_VALID | (uint64_t)(code) << 32)
#define LENGTH(bytes) ((uint64_t)(bytes) << HV_PENDING_INTERRUPTION_LENGTH_SHIFT)

#define EXCEPTION(vector) (HV_EVENT_PENDING | (uint64_t)(vector) << 16)
#define EXCEPTION_CODE(code) (HV_EVENT_EXCEPTION_ERROR_CODE_VALID | (uint64_t)(code) << 32)
#define EXTERNAL(vector) \
	(HV_EVENT_PENDING | HV_EVENT_TYPE_EXTERNAL_INTERRUPT << 1 | (uint64_t)(vector) << 8)

static void interruption(uint64_t word)
{
	tap_equal(vmm_set(&vmm, HV_REGISTER_PENDING_INTERRUPTION, word), 0,
		  "PendingInterruption is set");
	tap_equal(vmm_get(&vmm, HV_REGISTER_PENDING_INTERRUPTION), word, "and can be read");
}

static void event(uint64_t low, uint64_t high)
{
	const struct hv_u128 value = {low, high};
	struct hv_u128 got = {0, 0};

	tap_equal(vmm_set128(&vmm, HV_REGISTER_PENDING_EVENT0, value), 0, "PendingEvent0 is set");
	vmm_get128(&vmm, HV_REGISTER_PENDING_EVENT0, &got);
	tap_check(got.low == low && got.high == high, "and can be read");
}

/* The guest is in the handler of a vector, from this RIP; nothing is pending any more. */
static void arrives(const char *name, unsigned int vector, uint64_t rip, bool with_error_code)
{
	bool there = vmm_reaches_handler(&vmm, vector);

	tap_check(there && vmm_pushed_rip(&vmm, with_error_code) == rip, "%s, %s", name,
		  mode_names[vmm.mode]);
	if (there && vmm_pushed_rip(&vmm, with_error_code) != rip)
		tap_note("from RIP %#llx",
			 (unsigned long long)vmm_pushed_rip(&vmm, with_error_code));
	tap_equal(vmm_get(&vmm, HV_REGISTER_PENDING_INTERRUPTION), 0, "no interruption is pending");
	tap_equal(vmm_get(&vmm, HV_REGISTER_PENDING_EVENT0), 0, "and no event");
}

/* Out of the handler by its IRET, and to the HLT there. */
static void returns_to_halt(const char *name, uint64_t rip)
{
	const struct hv_halt_message *halt = vmm_payload(&vmm);

	vmm_skip_instruction(&vmm);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT &&
			  halt->header.rip == rip && vmm_get(&vmm, HV_REGISTER_RSP) == VMM_STACK,
		  "%s: the guest goes on afterwards, %s", name, mode_names[vmm.mode]);
}

/* ---- PendingInterruption --------------------------------------------------------------------- */

static void test_external(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21));
	arrives("an external interrupt", 0x21, VMM_CODE, false);
	returns_to_halt("an external interrupt", VMM_CODE);
	VMM_LOAD(&vmm, mode, 0xf4);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0xff));
	arrives("an external interrupt with the highest vector", 0xff, VMM_CODE, false);
}

static void test_nmi(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_NMI, 2));
	arrives("an NMI", 2, VMM_CODE, false);
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE), HV_INTERRUPT_STATE_NMI_MASKED,
		  "its handler is not interrupted by another NMI");
	returns_to_halt("an NMI", VMM_CODE);
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE), 0, "after IRET it may be");
}

static void test_software(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0xcd, 0x30, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x30) | LENGTH(2));
	arrives("INT 0x30", 0x30, VMM_CODE + 2, false);
	returns_to_halt("INT 0x30", VMM_CODE + 2);
	VMM_LOAD(&vmm, mode, 0xcc, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION, 3) | LENGTH(1));
	arrives("INT3", 3, VMM_CODE + 1, false);
	VMM_LOAD(&vmm, mode, 0xf1, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, 1) |
		     LENGTH(1));
	arrives("ICEBP", 1, VMM_CODE + 1, false);
}

static void test_exceptions(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXCEPTION, 0));
	arrives("#DE", 0, VMM_CODE, false);
	VMM_LOAD(&vmm, mode, 0xf4);
	event(EXCEPTION(6), 0);
	arrives("#UD as an event", 6, VMM_CODE, false);
	if (mode == VMM_REAL) /* which has no error codes */
		return;
	VMM_LOAD(&vmm, mode, 0xf4);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXCEPTION, 13) | WITH_CODE(0x1234));
	arrives("#GP", 13, VMM_CODE, true);
	tap_equal(vmm_pushed_error_code(&vmm), 0x1234, "and its error code");
	VMM_LOAD(&vmm, mode, 0xf4);
	event(EXCEPTION(13) | EXCEPTION_CODE(0xabc8), 0);
	arrives("#GP as an event", 13, VMM_CODE, true);
	tap_equal(vmm_pushed_error_code(&vmm), 0xabc8, "and its error code");
}

static void test_page_fault(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0xf4);
	event(EXCEPTION(14) | EXCEPTION_CODE(0x6), 0x123456789abc);
	arrives("#PF", 14, VMM_CODE, mode != VMM_REAL);
	tap_equal(vmm.gps[SIDECAR_GP_CR2], 0x123456789abc, "its CR2");
	if (mode != VMM_REAL)
		tap_equal(vmm_pushed_error_code(&vmm), 0x6, "and its error code");
	VMM_LOAD(&vmm, mode, 0xf4);
	vmm.gps[SIDECAR_GP_CR2] = 0x5000;
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXCEPTION, 14) |
		     (mode == VMM_REAL ? 0 : WITH_CODE(2)));
	arrives("#PF as an interruption", 14, VMM_CODE, mode != VMM_REAL);
	tap_equal(vmm.gps[SIDECAR_GP_CR2], 0x5000, "leaves CR2 to the VMM");
}

/* ---- windows --------------------------------------------------------------------------------- */

/* nop; sti; nop; nop; jmp $ */
#define OPENS_WINDOW 0x90, 0xfb, 0x90, 0x90, 0xeb, 0xfe

static void test_waits_for_flag(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0x90, 0xeb, 0xfe);
	event(EXTERNAL(0x44), 0);
	tap_check(vmm_still_runs(&vmm, 100), "an interrupt event waits while IF is 0, %s",
		  mode_names[mode]);
	tap_equal(vmm_get(&vmm, HV_REGISTER_PENDING_EVENT0), EXTERNAL(0x44), "and is pending");
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	arrives("until IF is 1", 0x44, VMM_CODE + 1, false);
	VMM_LOAD(&vmm, mode, OPENS_WINDOW);
	event(EXTERNAL(0x45), 0);
	arrives("an interrupt one instruction after sti", 0x45, VMM_CODE + 3, false);
	VMM_LOAD(&vmm, mode, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_CR8, 15);
	event(EXTERNAL(0x46), 0);
	arrives("whatever the task priority", 0x46, VMM_CODE, false);
}

/*
 * A shadow that the VMM sets can only be read back: QEMU's VMRUN does not look at the VMCB's
 * interrupt shadow. One that the guest casts itself it keeps.
 */
static void test_shadow(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0x90, 0xf4);
	tap_equal(vmm_set(&vmm, HV_REGISTER_INTERRUPT_STATE, HV_INTERRUPT_STATE_SHADOW), 0,
		  "an interrupt shadow can be set");
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE), HV_INTERRUPT_STATE_SHADOW,
		  "and read");
	tap_check(vmm_run(&vmm) && vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE) == 0,
		  "it ends with the next instruction");
	VMM_LOAD(&vmm, mode, 0x8e, 0xd0, 0xf4); /* mov ss, ax; hlt */
	vmm.gps[SIDECAR_GP_RAX] = mode == VMM_REAL ? 0 : VMM_DATA32;
	tap_check(vmm_run(&vmm) &&
			  vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE) == HV_INTERRUPT_STATE_SHADOW,
		  "a load of SS casts one");
	VMM_LOAD(&vmm, mode, 0x8e, 0xd0, 0x90, 0xf4);
	vmm.gps[SIDECAR_GP_RAX] = mode == VMM_REAL ? 0 : VMM_DATA32;
	tap_check(vmm_run(&vmm) && vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE) == 0,
		  "that ends, too");
}

static void expect_deliverable(uint64_t rip, uint64_t rflags, uint8_t type)
{
	struct hv_intercept_header *header =
		vmm_expect(&vmm, HV_MESSAGE_INTERRUPTION_DELIVERABLE, 48, 0, 0);

	header->rip = rip;
	header->rflags = rflags;
	VMM_EXPECTED(&vmm, hv_interruption_deliverable_message)->deliverable_type = type;
}

static void test_notifications(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, OPENS_WINDOW);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_INTERRUPT);
	expect_deliverable(VMM_CODE + 3, 0x202, HV_INTERRUPTION_TYPE_EXTERNAL);
	tap_check(vmm_runs_into_expected(&vmm), "interrupts are deliverable after sti, %s",
		  mode_names[mode]);
	tap_equal(vmm_get(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS), 0,
		  "the notification is used up");
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x50));
	arrives("and the interrupt is taken there", 0x50, VMM_CODE + 3, false);
	VMM_LOAD(&vmm, mode, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_INTERRUPT);
	expect_deliverable(VMM_CODE, 0x202, HV_INTERRUPTION_TYPE_EXTERNAL);
	tap_check(vmm_runs_into_expected(&vmm), "they are deliverable at once with IF, %s",
		  mode_names[mode]);
	VMM_LOAD(&vmm, mode, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_INTERRUPT);
	tap_check(vmm_still_runs(&vmm, 100), "and are not without it, %s", mode_names[mode]);
	tap_equal(vmm_get(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS),
		  HV_DELIVERABILITY_INTERRUPT, "the notification stays");
}

static void test_nmi_notification(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0x90, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_NMI);
	expect_deliverable(VMM_CODE, 2, HV_INTERRUPTION_TYPE_NMI);
	tap_check(vmm_runs_into_expected(&vmm), "NMIs are deliverable at once, %s",
		  mode_names[mode]);
	interruption(INTERRUPTION(HV_INTERRUPTION_TYPE_NMI, 2));
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_NMI);
	tap_check(vmm_reaches_handler(&vmm, 2), "they are not in the handler of one, %s",
		  mode_names[mode]);
	vmm_skip_instruction(&vmm);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INTERRUPTION_DELIVERABLE,
		  "they are again when it ends, %s", mode_names[mode]);
	VMM_LOAD(&vmm, mode, 0x90, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_INTERRUPT_STATE, HV_INTERRUPT_STATE_NMI_MASKED);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_NMI);
	tap_check(vmm_still_runs(&vmm, 100), "they are not while masked by the VMM, %s",
		  mode_names[mode]);
}

/* Loads xor eax, eax; mov cr8, rax; nop; jmp $ with a notification that waits. */
static void load_lowering(uint64_t priority)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x31, 0xc0, 0x44, 0x0f, 0x22, 0xc0, 0x90, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_CR8, 9);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS,
		HV_DELIVERABILITY_INTERRUPT | priority << HV_DELIVERABILITY_PRIORITY_SHIFT);
}

static void test_priority(void)
{
	const struct hv_intercept_header *header = vmm_payload(&vmm);

	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_CR8, 4);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS,
		HV_DELIVERABILITY_INTERRUPT | 4 << HV_DELIVERABILITY_PRIORITY_SHIFT);
	tap_check(vmm_still_runs(&vmm, 100), "priority 4 is not above task priority 4");
	vmm_set(&vmm, HV_REGISTER_CR8, 3);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INTERRUPTION_DELIVERABLE,
		  "but above 3");
	load_lowering(4);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INTERRUPTION_DELIVERABLE &&
			  header->rip >= VMM_CODE + 6 && vmm_get(&vmm, HV_REGISTER_CR8) == 0,
		  "and above 0, as soon as the guest has lowered its own");
	load_lowering(12);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INTERRUPTION_DELIVERABLE &&
			  header->rip == VMM_CODE && vmm_get(&vmm, HV_REGISTER_CR8) == 9,
		  "priority 12 is above 9 at once");
	load_lowering(4);
	memcpy(vmm.memory + VMM_CODE, "\xb0\x10", 2); /* mov al, 16 */
	tap_check(vmm_reaches_handler(&vmm, 13) && vmm_pushed_rip(&vmm, true) == VMM_CODE + 2,
		  "a CR8 of 16 is #GP");
}

/* ---- deliveries that fail -------------------------------------------------------------------- */

static void test_interrupted(enum vmm_mode mode)
{
	const uint64_t word = INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21);
	const struct hv_memory_message *memory = vmm_payload(&vmm);

	VMM_LOAD(&vmm, mode, 0xf4);
	if (mode == VMM_REAL)
		vmm_set128(&vmm, HV_REGISTER_SS, vmm_segment(VMM_UNMAPPED, 0xffff, 0, 0x93));
	else
		vmm_set(&vmm, HV_REGISTER_RSP, VMM_UNMAPPED + VMM_STACK);
	interruption(word);
	tap_check(
		vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA &&
			memory->guest_physical_address > VMM_UNMAPPED + VMM_STACK - 0x20 &&
			memory->guest_physical_address < VMM_UNMAPPED + VMM_STACK &&
			memory->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE &&
			(memory->header.execution_state & HV_EXECUTION_STATE_INTERRUPTION_PENDING),
		"a delivery that memory stops says that it is pending, %s", mode_names[mode]);
	tap_equal(vmm_get(&vmm, HV_REGISTER_PENDING_INTERRUPTION), word, "and it is");
	tap_equal(vmm.page->pending_interruption, word, "also in the register page");
	if (mode == VMM_REAL)
		vmm_set128(&vmm, HV_REGISTER_SS, vmm_segment(0, 0xffff, 0, 0x93));
	else
		vmm_set(&vmm, HV_REGISTER_RSP, VMM_STACK);
	arrives("it is delivered the next time", 0x21, VMM_CODE, false);
}

/* A gate that is not there: the guest gets #GP with the IDT entry's code, by its processor. */
static void test_no_gate(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set128(&vmm, HV_REGISTER_IDTR, vmm_table(VMM_IDT, 16 * 32 - 1));
	vmm_set(&vmm, HV_REGISTER_PENDING_INTERRUPTION,
		INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21));
	arrives("an interrupt behind the IDT's limit is #GP", 13, VMM_CODE, true);
	/* QEMU has the vector elsewhere in the code than a processor: 0x212, not 0x10b. */
	tap_check(vmm_pushed_error_code(&vmm) & 2, "whose error code says that it is the IDT's");
}

/* From user mode the processor takes the stack of the TSS. */
static void test_user_mode(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	vmm_enter_user_mode(&vmm);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	event(EXTERNAL(0x71), 0);
	arrives("an interrupt in user mode", 0x71, VMM_CODE, false);
	tap_equal(vmm_get(&vmm, HV_REGISTER_RSP), VMM_STACK - 40, "is taken on the kernel's stack");
	vmm_skip_instruction(&vmm);
	tap_check(vmm_still_runs(&vmm, 50) && vmm_get(&vmm, HV_REGISTER_RIP) == VMM_CODE &&
			  vmm_get(&vmm, HV_REGISTER_RSP) == VMM_STACK - 0x800,
		  "and user mode goes on afterwards");
}

/* Two at once: the exception first, the interrupt at the first chance after it. */
static void test_two_events(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_PENDING_INTERRUPTION,
		INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x61));
	vmm_set(&vmm, HV_REGISTER_PENDING_EVENT0, EXCEPTION(6));
	tap_check(vmm_reaches_handler(&vmm, 6), "of an exception and an interrupt the exception");
	vmm_skip_instruction(&vmm);
	tap_check(vmm_reaches_handler(&vmm, 0x61), "comes first, then the interrupt");
	tap_equal(vmm_pushed_rip(&vmm, false), VMM_CODE, "back at the guest's instruction");
}

/* ---- suspension ------------------------------------------------------------------------------ */

static void *cancel_soon(void *unused)
{
	const struct timespec wait = {0, 50000000};

	nanosleep(&wait, NULL);
	sidecar_vp_cancel(vmm.vp);
	return unused;
}

/* Waits until the deadline, and until a cancel from another thread. */
static void test_suspended(uint64_t activity, const char *name)
{
	struct sidecar_event event = {0};
	pthread_t thread;

	VMM_LOAD(&vmm, VMM_REAL, 0xf4);
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, activity);
	tap_check(vmm_still_runs(&vmm, 100), "%s: a run waits", name);
	pthread_create(&thread, NULL, cancel_soon, NULL);
	tap_check(sidecar_vp_run(vmm.vp, SIDECAR_NO_DEADLINE, &event) == 0 &&
			  event.kind == SIDECAR_EVENT_CANCELLED && event.error == 0,
		  "%s: until it is cancelled", name);
	pthread_join(thread, NULL);
	tap_equal(vmm_get(&vmm, HV_REGISTER_RIP), VMM_CODE, "the guest has not moved");
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE), activity, "nor woken");
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT,
		  "%s: it runs when the VMM ends it", name);
}

static void test_halted(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_HALT_SUSPEND);
	vmm_set(&vmm, HV_REGISTER_PENDING_EVENT0, EXTERNAL(0x31));
	tap_check(vmm_still_runs(&vmm, 100), "an interrupt does not end a halt with IF 0");
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	arrives("it does with IF 1", 0x31, VMM_CODE, false);
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE), 0, "and the halt is over");
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_HALT_SUSPEND);
	vmm_set(&vmm, HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_NMI, 2));
	arrives("an NMI ends a halt, whatever IF is", 2, VMM_CODE, false);
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_STARTUP_SUSPEND);
	vmm_set(&vmm, HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_NMI, 2));
	tap_check(vmm_still_runs(&vmm, 100), "nothing ends a startup suspension");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	for (enum vmm_mode mode = VMM_REAL; mode <= VMM_LONG; mode++) {
		test_external(mode);
		test_nmi(mode);
		test_software(mode);
		test_exceptions(mode);
		test_page_fault(mode);
		test_waits_for_flag(mode);
		test_shadow(mode);
		test_notifications(mode);
		test_nmi_notification(mode);
		test_interrupted(mode);
	}
	test_priority();
	test_no_gate();
	test_two_events();
	test_user_mode();
	test_suspended(HV_ACTIVITY_STARTUP_SUSPEND, "startup suspension");
	test_suspended(HV_ACTIVITY_HALT_SUSPEND, "halt suspension");
	test_halted();
	vmm_close(&vmm);
	return tap_done();
}

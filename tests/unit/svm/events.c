// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include "events.h"

#define EXTERNAL 0
#define NMI 2
#define EXCEPTION 3
#define SOFTWARE 4
#define ICEBP 5
#define INT3 6

static uint64_t word(uint64_t type, uint64_t vector)
{
	return 1 | type << 1 | vector << 16;
}

static bool admitted(uint64_t value)
{
	return svm_admit_interruption(&value);
}

static void interruptions_admitted(void **state)
{
	uint64_t value = word(EXCEPTION, 13) & ~1ULL;

	(void)state;
	assert_true(svm_admit_interruption(&value));
	assert_int_equal(value, 0);
	assert_true(admitted(word(EXTERNAL, 0x20)));
	assert_true(admitted(word(EXTERNAL, 255)));
	assert_false(admitted(word(EXTERNAL, 256)));
	assert_false(admitted(word(EXTERNAL, 0x20) | 0x10));
	assert_true(admitted(word(NMI, 2)));
	assert_false(admitted(word(NMI, 3)));
	assert_true(admitted(word(EXCEPTION, 13) | 0x10));
	assert_false(admitted(word(EXCEPTION, 2)));
	assert_false(admitted(word(EXCEPTION, 32)));
	assert_true(admitted(word(SOFTWARE, 0x80)));
	assert_true(admitted(word(ICEBP, 1)));
	assert_false(admitted(word(ICEBP, 3)));
	assert_true(admitted(word(INT3, 3)));
	assert_true(admitted(word(INT3, 4)));
	assert_false(admitted(word(INT3, 5)));
	assert_false(admitted(word(1, 0x20)));
	assert_false(admitted(word(7, 0x20)));
	assert_false(admitted(word(EXTERNAL, 0x20) | 0x200)); /* nested */
	assert_false(admitted(word(EXTERNAL, 0x20) | 0x400)); /* reserved */
}

static void interruptions_injected(void **state)
{
	(void)state;
	assert_int_equal(svm_inject_interruption(0), 0);
	assert_int_equal(svm_inject_interruption(word(EXTERNAL, 0x31)), 0x80000031);
	assert_int_equal(svm_inject_interruption(word(NMI, 2)), 0x80000202);
	assert_int_equal(svm_inject_interruption(word(EXCEPTION, 13) | 0x10 | 0x1234ULL << 32),
			 0x0000123480000b0d);
	assert_int_equal(svm_inject_interruption(word(EXCEPTION, 6) | 0x1234ULL << 32), 0x80000306);
	assert_int_equal(svm_inject_interruption(word(SOFTWARE, 0x80)), 0x80000480);
	assert_int_equal(svm_inject_interruption(word(ICEBP, 1)), 0x80000301);
	assert_int_equal(svm_inject_interruption(word(INT3, 3)), 0x80000303);
}

static void software_lengths(void **state)
{
	(void)state;
	assert_int_equal(svm_interruption_length(word(SOFTWARE, 0x80) | 2 << 5), 2);
	assert_int_equal(svm_interruption_length(word(INT3, 3) | 1 << 5), 1);
	assert_int_equal(svm_interruption_length(word(ICEBP, 1) | 1 << 5), 1);
	assert_int_equal(svm_interruption_length(word(EXCEPTION, 13) | 2 << 5), 0);
	assert_int_equal(svm_interruption_length(word(EXTERNAL, 0x20) | 2 << 5), 0);
	assert_int_equal(svm_interruption_length(2 << 5 | SOFTWARE << 1), 0);
}

/* What an exit interrupted is injected again as it was. */
static void interrupted_delivery_round_trips(void **state)
{
	static const uint64_t infos[] = {0x80000031, 0x80000202, 0x80000306,	    0x80000303,
					 0x80000304, 0x80000480, 0x0000123480000b0d};

	(void)state;
	for (unsigned int i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		uint64_t value = svm_interruption_from_exit(infos[i], 2);

		assert_true(admitted(value));
		assert_int_equal(svm_inject_interruption(value), infos[i]);
	}
	/* TCG leaves the old event with the valid bit clear. */
	assert_int_equal(svm_interruption_from_exit(0x00000b0d, 0), 0);
	assert_int_equal(svm_interruption_length(svm_interruption_from_exit(0x80000480, 2)), 2);
	assert_int_equal(svm_interruption_length(svm_interruption_from_exit(0x80000303, 1)), 1);
	assert_int_equal(svm_interruption_length(svm_interruption_from_exit(0x80000306, 2)), 0);
}

static bool event_admitted(uint64_t low, uint64_t high)
{
	struct hv_u128 event = {low, high};

	return svm_admit_event(&event);
}

static void pending_events(void **state)
{
	const struct hv_u128 page_fault = {1 | 1 << 8 | 14 << 16 | 7ULL << 32, 0xdead};
	const struct hv_u128 undefined = {1 | 6 << 16 | 7ULL << 32, 0};
	const struct hv_u128 interrupt = {1 | 5 << 1 | 0x41 << 8, 0};
	struct hv_u128 nothing = {0xfffffffe, 1};

	(void)state;
	assert_true(svm_admit_event(&nothing));
	assert_int_equal(nothing.low | nothing.high, 0);
	assert_int_equal(svm_inject_event(&nothing), 0);
	assert_true(event_admitted(page_fault.low, page_fault.high));
	assert_true(event_admitted(interrupt.low, interrupt.high));
	assert_false(event_admitted(interrupt.low, 1));
	assert_false(event_admitted(interrupt.low | 0x10, 0));
	assert_false(event_admitted(interrupt.low | 1 << 16, 0));
	assert_false(event_admitted(1 | 2 << 16, 0));
	assert_false(event_admitted(1 | 32 << 16, 0));
	assert_false(event_admitted(1 | 1 << 9 | 6 << 16, 0));
	for (unsigned int type = 1; type < 8; type++)
		assert_int_equal(event_admitted(1 | type << 1, 0), type == 5);
	assert_int_equal(svm_inject_event(&page_fault), 0x0000000780000b0e);
	assert_int_equal(svm_inject_event(&undefined), 0x80000306);
	assert_int_equal(svm_inject_event(&interrupt), 0x80000041);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interruptions_admitted),
		cmocka_unit_test(interruptions_injected),
		cmocka_unit_test(software_lengths),
		cmocka_unit_test(interrupted_delivery_round_trips),
		cmocka_unit_test(pending_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

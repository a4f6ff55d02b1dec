// SPDX-License-Identifier: MIT
#include "suite.h"

#include "arch/x86/idt.h"

#define STUBS 0xffffff8012345670ull

static uint64_t target(const struct gate *gate)
{
	return gate->offset_low | (uint64_t)gate->offset_middle << 16 |
	       (uint64_t)gate->offset_high << 32;
}

/* A gate for every vector: the original's missing ones were triple faults. */
static void test_gates(void **state)
{
	struct gate idt[VECTOR_COUNT];

	(void)state;
	idt_fill(idt, STUBS, false);
	for (unsigned int i = 0; i < VECTOR_COUNT; i++) {
		assert_int_equal(target(&idt[i]), STUBS + i * 16);
		assert_int_equal(idt[i].type, 0x8e);
		assert_int_equal(idt[i].selector, 8);
		assert_int_equal(idt[i].ist, 0);
		assert_int_equal(idt[i].reserved, 0);
	}
}

static void test_stacks(void **state)
{
	struct gate idt[VECTOR_COUNT];
	unsigned int own = 0;

	(void)state;
	idt_fill(idt, STUBS, true);
	for (unsigned int i = 0; i < VECTOR_COUNT; i++)
		own += idt[i].ist != 0;
	assert_int_equal(own, 3);
	assert_int_equal(idt[2].ist, 1);
	assert_int_equal(idt[8].ist, 2);
	assert_int_equal(idt[18].ist, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_stacks),
	};

	return cmocka_run_group_tests_name("kernel_idt", tests, NULL, NULL);
}

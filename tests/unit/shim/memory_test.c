// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"

#define PAGE 4096ull

static struct memory memory;

static int empty(void **state)
{
	(void)state;
	memset(&memory, 0, sizeof(memory));
	return 0;
}

static void expect(uint32_t index, uint64_t start, uint64_t end, uint32_t vnode, uint32_t use)
{
	const struct memory_range *range = &memory.ranges[index];

	assert_true(index < memory.count);
	assert_int_equal(range->start, start);
	assert_int_equal(range->end, end);
	assert_int_equal(range->vnode, vnode);
	assert_int_equal(range->use, use);
}

static void ranges_are_sorted_and_merged(void **state)
{
	(void)state;
	assert_true(memory_add(&memory, 8 * PAGE, 9 * PAGE, 0));
	assert_true(memory_add(&memory, 1 * PAGE - 1, 3 * PAGE + 1, 0));
	assert_true(memory_add(&memory, 3 * PAGE, 4 * PAGE, 0));
	assert_true(memory_add(&memory, 4 * PAGE, 5 * PAGE, 1));
	assert_true(memory_add(&memory, 6 * PAGE + 1, 7 * PAGE, 1));
	assert_int_equal(memory.count, 3);
	expect(0, PAGE, 4 * PAGE, 0, MEMORY_FREE);
	expect(1, 4 * PAGE, 5 * PAGE, 1, MEMORY_FREE);
	expect(2, 8 * PAGE, 9 * PAGE, 0, MEMORY_FREE);
	assert_false(memory_add(&memory, 2 * PAGE, 6 * PAGE, 0));
}

static void a_use_is_cut_out(void **state)
{
	(void)state;
	assert_true(memory_add(&memory, PAGE, 10 * PAGE, 0));
	assert_true(memory_use(&memory, 3 * PAGE + 5, 4 * PAGE + 5, MEMORY_BUSY));
	expect(0, PAGE, 3 * PAGE, 0, MEMORY_FREE);
	expect(1, 3 * PAGE, 5 * PAGE, 0, MEMORY_BUSY);
	expect(2, 5 * PAGE, 10 * PAGE, 0, MEMORY_FREE);
	assert_true(memory_use(&memory, 0, 20 * PAGE, MEMORY_SHIM));
	expect(1, 3 * PAGE, 5 * PAGE, 0, MEMORY_BUSY);
	memory_give_back(&memory, MEMORY_SHIM);
	memory_give_back(&memory, MEMORY_BUSY);
	assert_int_equal(memory.count, 1);
}

static void the_lowest_place_that_fits_is_taken(void **state)
{
	struct memory_want want = {4 * PAGE, 8 * PAGE, ~0ull, MEMORY_ANY_VNODE, MEMORY_SHIM};
	uint64_t address;

	(void)state;
	assert_true(memory_add(&memory, 0, 3 * PAGE, 0));
	assert_true(memory_add(&memory, 9 * PAGE, 64 * PAGE, 0));
	assert_true(memory_take(&memory, &want, &address));
	assert_int_equal(address, 16 * PAGE);
	want.below = 28 * PAGE - 1;
	assert_false(memory_take(&memory, &want, &address));
	want.below++;
	assert_true(memory_take(&memory, &want, &address));
	assert_int_equal(address, 24 * PAGE);
	want.size = 32 * PAGE;
	want.below = ~0ull;
	assert_true(memory_take(&memory, &want, &address));
	assert_int_equal(address, 32 * PAGE);
	assert_false(memory_take(&memory, &want, &address));
}

static void page_0_is_never_taken(void **state)
{
	struct memory_want want = {PAGE, PAGE, ~0ull, MEMORY_ANY_VNODE, MEMORY_SHIM};
	uint64_t address;

	(void)state;
	assert_true(memory_add(&memory, 0, 3 * PAGE, 0));
	assert_true(memory_take(&memory, &want, &address));
	assert_int_equal(address, PAGE);
}

static void vnodes_are_set_and_asked_for(void **state)
{
	struct memory_want want = {PAGE, PAGE, ~0ull, 2, MEMORY_SHIM};
	uint64_t address;

	(void)state;
	assert_true(memory_add(&memory, 0, 100 * PAGE, 0));
	assert_false(memory_take(&memory, &want, &address));
	assert_true(memory_set_vnode(&memory, 50 * PAGE, 1000 * PAGE, 2));
	expect(0, 0, 50 * PAGE, 0, MEMORY_FREE);
	expect(1, 50 * PAGE, 100 * PAGE, 2, MEMORY_FREE);
	assert_true(memory_take(&memory, &want, &address));
	assert_int_equal(address, 50 * PAGE);
}

static void a_full_list_is_told(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MEMORY_MAX_RANGES; i++)
		assert_true(memory_add(&memory, i * 4 * PAGE, (i * 4 + 2) * PAGE, 0));
	assert_false(memory_add(&memory, i * 4 * PAGE, (i * 4 + 2) * PAGE, 0));
	assert_false(memory_use(&memory, PAGE, 2 * PAGE, MEMORY_SHIM));
	assert_int_equal(memory.count, MEMORY_MAX_RANGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ranges_are_sorted_and_merged, empty),
		cmocka_unit_test_setup(a_use_is_cut_out, empty),
		cmocka_unit_test_setup(the_lowest_place_that_fits_is_taken, empty),
		cmocka_unit_test_setup(page_0_is_never_taken, empty),
		cmocka_unit_test_setup(vnodes_are_set_and_asked_for, empty),
		cmocka_unit_test_setup(a_full_list_is_told, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

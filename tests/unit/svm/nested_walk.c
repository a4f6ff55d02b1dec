// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include "walk.h"

#define PAGES 8
#define BASE 0x100000ULL
#define P 1ULL
#define W 2ULL
#define U 4ULL
#define PS 0x80ULL
#define NX (1ULL << 63)
#define ALL (P | W | U)

static uint64_t memory[PAGES][512];
static unsigned int reads;

static bool read_physical(void *context, uint64_t pa, uint64_t *value)
{
	assert_ptr_equal(context, memory);
	reads++;
	assert_int_equal(pa % 8, 0);
	if (pa < BASE || pa >= BASE + PAGES * 4096)
		return false;
	*value = memory[(pa - BASE) / 4096][(pa % 4096) / 8];
	return true;
}

static uint64_t page(unsigned int n)
{
	return BASE + n * 4096;
}

/* Page 0 is the PML4, 1 the PDPT, 2 the PD, 3 the PT. */
static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	memory[0][0] = page(1) | ALL;
	memory[1][0] = page(2) | ALL;
	memory[2][0] = page(3) | ALL;
	memory[3][5] = 0xabc000 | ALL;
	memory[3][6] = 0xabd000 | P | U;
	memory[3][7] = 0xabe000 | ALL | NX;
	memory[3][8] = 0xabf000 | P | W; /* no U */
	memory[2][1] = 0x40000000 | ALL | PS;
	memory[1][3] = 0x1c0000000 | ALL | PS;
	reads = 0;
	return 0;
}

static bool walk(uint64_t gpa, struct svm_nested_leaf *leaf)
{
	return svm_nested_walk(BASE, gpa, read_physical, memory, leaf);
}

static void leaves(void **state)
{
	struct svm_nested_leaf leaf;

	(void)state;
	assert_true(walk(0x5123, &leaf));
	assert_int_equal(leaf.pa, 0xabc123);
	assert_int_equal(leaf.size, 0x1000);
	assert_true(leaf.writable && leaf.executable);
	assert_int_equal(reads, 4);
	assert_true(walk(0x345678, &leaf));
	assert_int_equal(leaf.pa, 0x40145678);
	assert_int_equal(leaf.size, 0x200000);
	assert_true(walk(0xc1234567, &leaf));
	assert_int_equal(leaf.pa, 0x1c1234567);
	assert_int_equal(leaf.size, 0x40000000);
}

static void rights(void **state)
{
	struct svm_nested_leaf leaf;

	(void)state;
	assert_true(walk(0x6000, &leaf));
	assert_false(leaf.writable);
	assert_true(leaf.executable);
	assert_true(walk(0x7000, &leaf));
	assert_true(leaf.writable);
	assert_false(leaf.executable);
	assert_false(walk(0x8000, &leaf));
	memory[1][0] &= ~W;
	assert_true(walk(0x5000, &leaf));
	assert_false(leaf.writable);
	memory[0][0] |= NX;
	assert_true(walk(0x5000, &leaf));
	assert_false(leaf.executable);
	memory[0][0] &= ~U;
	assert_false(walk(0x5000, &leaf));
}

static void unmapped(void **state)
{
	struct svm_nested_leaf leaf;

	(void)state;
	assert_false(walk(0x9000, &leaf));
	assert_false(walk(0x600000, &leaf));
	assert_false(walk(0x80000000, &leaf));
	assert_false(walk(0x8000000000, &leaf));
	reads = 0;
	assert_false(walk(1ULL << 48, &leaf));
	assert_false(walk(~0ULL, &leaf));
	assert_false(svm_nested_walk(0, 0x5000, read_physical, memory, &leaf));
	assert_int_equal(reads, 0);
}

static void hostile(void **state)
{
	struct svm_nested_leaf leaf;

	(void)state;
	/* A table that is its own table, at every level. */
	memory[0][0] = page(0) | ALL;
	reads = 0;
	assert_true(walk(0x123, &leaf));
	assert_int_equal(leaf.pa, page(0) + 0x123);
	assert_int_equal(reads, 4);
	/* A table where no memory is, and a "page" in a PML4. */
	memory[0][0] = 0xfffffffff000 | ALL;
	assert_false(walk(0x5000, &leaf));
	memory[0][0] = page(1) | ALL | PS;
	assert_true(walk(0xc0000000, &leaf));
	assert_int_equal(leaf.pa, 0x1c0000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves, setup),
		cmocka_unit_test_setup(rights, setup),
		cmocka_unit_test_setup(unmapped, setup),
		cmocka_unit_test_setup(hostile, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

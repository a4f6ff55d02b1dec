// SPDX-License-Identifier: GPL-2.0-only
/* driver/walk.c over tables in an array: levels, rights, what is one range, and where it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "walk.h"

#define TABLES 16u
#define FIRST 0x70000000ull /* PA of table 0, which is the root */
#define MAX_RANGES 16u

#define P 1ull
#define W 2ull
#define U 4ull
#define CD 0x10ull
#define PS 0x80ull
#define NX (1ull << 63)

static u64 tables[TABLES][512];
static struct scdrv_walk_range got[MAX_RANGES];
static unsigned int got_count, wanted_count;
static struct scdrv_walk walk;

static const u64 *table(struct scdrv_walk *self, u64 pa)
{
	assert_ptr_equal(self->context, tables);
	assert_int_equal(pa % 4096, 0);
	return pa >= FIRST && pa < FIRST + TABLES * 4096 ? tables[(pa - FIRST) / 4096] : NULL;
}

static bool visit(struct scdrv_walk *self, const struct scdrv_walk_range *range)
{
	(void)self;
	assert_true(got_count < MAX_RANGES);
	got[got_count++] = *range;
	return got_count < wanted_count;
}

static int setup(void **state)
{
	(void)state;
	memset(tables, 0, sizeof(tables));
	got_count = 0;
	wanted_count = MAX_RANGES;
	walk = (struct scdrv_walk){
		.table = table, .visit = visit, .tables = TABLES, .context = tables};
	return 0;
}

static u64 at(unsigned int n)
{
	return FIRST + n * 4096;
}

/* Tables 1 to 3 hang under the root at one index each, with these rights. */
static void chain(unsigned int a, unsigned int b, unsigned int c, u64 rights)
{
	tables[0][a] = at(1) | P | rights;
	tables[1][b] = at(2) | P | rights;
	tables[2][c] = at(3) | P | rights;
}

static void expect(unsigned int n, u64 first, u64 size, u64 pa, u64 page_size, u32 flags)
{
	assert_true(n < got_count);
	assert_true(got[n].first == first);
	assert_true(got[n].last == first + size - 1);
	assert_true(got[n].at == pa);
	assert_true(got[n].page_size == page_size);
	assert_int_equal(got[n].flags, flags);
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	assert_int_equal(got_count, 0);
}

/* Neighbours with the same rights that lead to neighbours. */
static void test_merge(void **state)
{
	(void)state;
	chain(0, 0, 0, W | U);
	tables[3][5] = 0x1000 | P | W | U;
	tables[3][6] = 0x2000 | P | W | U;
	tables[3][7] = 0x4000 | P | W | U; /* elsewhere */
	tables[3][8] = 0x5000 | P | U;	   /* other rights */
	tables[3][10] = 0x6000 | P | U;	   /* a gap */
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	assert_int_equal(got_count, 4);
	expect(0, 0x5000, 0x2000, 0x1000, 4096, SCDRV_WALK_WRITE | SCDRV_WALK_USER);
	expect(1, 0x7000, 0x1000, 0x4000, 4096, SCDRV_WALK_WRITE | SCDRV_WALK_USER);
	expect(2, 0x8000, 0x1000, 0x5000, 4096, SCDRV_WALK_USER);
	expect(3, 0xa000, 0x1000, 0x6000, 4096, SCDRV_WALK_USER);
}

/* Over the border of two tables, but not over that of two sizes. */
static void test_merge_across(void **state)
{
	(void)state;
	chain(0, 0, 0, W);
	tables[2][1] = at(4) | P | W;
	tables[2][2] = 0x400000 | P | W | PS;
	tables[2][3] = 0x600000 | P | W | PS;
	tables[3][511] = 0x1ff000 | P | W;
	tables[4][0] = 0x200000 | P | W;
	tables[4][511] = 0x3ff000 | P | W;
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	assert_int_equal(got_count, 3);
	expect(0, 0x1ff000, 0x2000, 0x1ff000, 4096, SCDRV_WALK_WRITE);
	expect(1, 0x3ff000, 0x1000, 0x3ff000, 4096, SCDRV_WALK_WRITE);
	expect(2, 0x400000, 0x400000, 0x400000, 2 << 20, SCDRV_WALK_WRITE);
}

static void test_gigabyte(void **state)
{
	(void)state;
	tables[0][2] = at(1) | P;
	tables[1][3] = 0x40000000 | P | PS | NX | CD;
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	expect(0, (2ull << 39) + (3ull << 30), 1 << 30, 0x40000000, 1 << 30,
	       SCDRV_WALK_NO_EXECUTE | SCDRV_WALK_UNCACHED);
}

/* A right needs every level, and one level is enough to forbid execution. */
static void test_rights(void **state)
{
	(void)state;
	chain(0, 0, 0, W | U);
	tables[3][0] = 0x1000 | P | W | U;
	for (unsigned int level = 0; level < 3; level++) {
		unsigned int before = got_count;

		tables[level][0] = at(level + 1) | P | W;
		assert_int_equal(scdrv_walk(&walk, FIRST), 0);
		tables[level][0] = at(level + 1) | P | U | NX;
		walk.tables = TABLES;
		assert_int_equal(scdrv_walk(&walk, FIRST), 0);
		tables[level][0] = at(level + 1) | P | W | U;
		expect(before, 0, 4096, 0x1000, 4096, SCDRV_WALK_WRITE);
		expect(before + 1, 0, 4096, 0x1000, 4096,
		       SCDRV_WALK_USER | SCDRV_WALK_NO_EXECUTE);
	}
}

static void test_sign(void **state)
{
	(void)state;
	chain(511, 511, 511, 0);
	tables[3][511] = 0x1000 | P;
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	expect(0, 0x0000fffffffff000, 4096, 0x1000, 4096, 0);
	walk.tables = TABLES;
	walk.sign_extended = true;
	assert_int_equal(scdrv_walk(&walk, FIRST), 0);
	expect(1, 0xfffffffffffff000, 4096, 0x1000, 4096, 0);
}

/* What was found before is visited. */
static void test_no_table(void **state)
{
	(void)state;
	chain(0, 0, 0, W);
	tables[3][0] = 0x1000 | P;
	tables[2][1] = 0x12345000 | P;
	assert_int_equal(scdrv_walk(&walk, FIRST), -EFAULT);
	assert_int_equal(got_count, 1);
	assert_int_equal(scdrv_walk(&walk, 0x1000), -EFAULT);
}

/* A table that is its own child is no endless walk. */
static void test_loop(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 512; i++)
		tables[0][i] = FIRST | P;
	walk.tables = 3;
	assert_int_equal(scdrv_walk(&walk, FIRST), -E2BIG);
	assert_int_equal(walk.tables, 0);
}

static void test_enough(void **state)
{
	(void)state;
	chain(0, 0, 0, W);
	for (unsigned int i = 0; i < 512; i += 2)
		tables[3][i] = 0x1000 | P;
	wanted_count = 3;
	assert_int_equal(scdrv_walk(&walk, FIRST), -ECANCELED);
	assert_int_equal(got_count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_merge, setup),
		cmocka_unit_test_setup(test_merge_across, setup),
		cmocka_unit_test_setup(test_gigabyte, setup),
		cmocka_unit_test_setup(test_rights, setup),
		cmocka_unit_test_setup(test_sign, setup),
		cmocka_unit_test_setup(test_no_table, setup),
		cmocka_unit_test_setup(test_loop, setup),
		cmocka_unit_test_setup(test_enough, setup),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}

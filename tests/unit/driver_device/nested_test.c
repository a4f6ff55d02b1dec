// SPDX-License-Identifier: GPL-2.0-only
/* driver/nested.c over fake memory, seen by a walker of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sidecar/ioctl.h>

#include "fake_memory.h"
#include "nested.h"

#define GUEST_PAGES 4096u /* the first half of the fake pages; tables come from the second */
#define LARGE 512ul
#define UNMAPPED UINT64_MAX
#define READ_WRITE (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE)

struct page fake_pages[FAKE_PAGES];
unsigned long fake_tables;
unsigned long fake_allocations_left;

static uint8_t memory[FAKE_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static bool used[FAKE_PAGES];
static struct page *guest[GUEST_PAGES];
static struct scdrv_nested nested;

struct page *alloc_pages_node(int node, gfp_t flags, unsigned int order)
{
	unsigned int i;

	(void)flags;
	assert_int_equal(node, 7);
	assert_int_equal(order, 0);
	if (!fake_allocations_left)
		return NULL;
	fake_allocations_left--;
	for (i = GUEST_PAGES; i < FAKE_PAGES && used[i]; i++)
		;
	assert_true(i < FAKE_PAGES);
	used[i] = true;
	fake_tables++;
	memset(memory[i], 0, PAGE_SIZE);
	return &fake_pages[i];
}

/* A table that is freed is not walked any more: filled, so that a walk would be seen. */
void __free_page(struct page *page)
{
	assert_true(used[page - fake_pages]);
	used[page - fake_pages] = false;
	fake_tables--;
	memset(memory[page - fake_pages], 0xff, PAGE_SIZE);
}

void *page_address(struct page *page)
{
	return memory[page - fake_pages];
}

/* APM vol. 2, 5.3: the leaf entry for an address, bit 7 telling its size, or UNMAPPED. */
static uint64_t walk(uint64_t gpa, unsigned int *shift)
{
	uint64_t entry = scdrv_nested_root(&nested) | 7;

	for (*shift = 48; *shift > 12;) {
		uint64_t *table = page_address(pfn_to_page((entry & 0xffffffffff000) >> 12));

		*shift -= 9;
		entry = table[(gpa >> *shift) & 511];
		if (!(entry & 1))
			return UNMAPPED;
		assert_true(entry & 4); /* a nested walk is a user access */
		if (*shift == 21 && (entry & 0x80))
			break;
	}
	return entry;
}

/* The physical frame behind an address. */
static uint64_t frame_of(uint64_t gpa)
{
	unsigned int shift;
	uint64_t entry = walk(gpa, &shift), mask = (1ull << shift) - 1;

	if (entry == UNMAPPED)
		return UNMAPPED;
	assert_int_equal(entry & mask & 0xffffffffff000, 0);
	return ((entry & 0xffffffffff000) | (gpa & mask)) >> 12;
}

static void assert_mapped(uint64_t gpa, struct page *const *pages, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		assert_int_equal(frame_of(gpa + (i << 12)), page_to_pfn(pages[i]));
}

static void assert_unmapped(uint64_t gpa, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		assert_true(frame_of(gpa + (i << 12)) == UNMAPPED);
}

static void unmap(uint64_t gpa, unsigned long count)
{
	struct list_head detached;

	list_init(&detached);
	scdrv_nested_unmap(&nested, gpa, count, &detached);
	assert_unmapped(gpa, count);
	scdrv_nested_free_detached(&nested, &detached);
}

static int map(uint64_t gpa, unsigned long first, unsigned long count, uint32_t flags)
{
	return scdrv_nested_map(&nested, gpa, guest + first, count, flags);
}

static int setup(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < GUEST_PAGES; i++)
		guest[i] = &fake_pages[i];
	fake_allocations_left = ~0ul;
	return scdrv_nested_init(&nested, 7);
}

static int teardown(void **state)
{
	(void)state;
	scdrv_nested_destroy(&nested);
	return fake_tables != 0;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void empty(void **state)
{
	(void)state;
	assert_true(frame_of(0) == UNMAPPED);
	assert_true(frame_of(SCDRV_NESTED_LIMIT - 4096) == UNMAPPED);
	assert_int_equal(nested.table_pages, 1);
}

/* The first fake frame is a multiple of 512, so that pages 0, 512, … may begin a large page. */
static void one_large_page(void **state)
{
	(void)state;
	assert_int_equal(map(LARGE << 12, LARGE, LARGE, READ_WRITE), 0);
	assert_mapped(LARGE << 12, guest + LARGE, LARGE);
	assert_int_equal(nested.large_pages, 1);
	assert_int_equal(nested.table_pages, 3);
	unmap(LARGE << 12, LARGE);
	assert_int_equal(nested.large_pages, 0);
	assert_int_equal(nested.table_pages, 1);
}

static void unaligned_memory_is_mapped_small(void **state)
{
	(void)state;
	assert_int_equal(map(0, 1, LARGE, READ_WRITE), 0);
	assert_mapped(0, guest + 1, LARGE);
	assert_int_equal(nested.large_pages, 0);
	unmap(0, LARGE);
	assert_int_equal(nested.table_pages, 1);
}

static void one_stray_page_makes_it_small(void **state)
{
	(void)state;
	guest[LARGE + 511] = &fake_pages[3000];
	assert_int_equal(map(0, LARGE, LARGE, READ_WRITE), 0);
	assert_mapped(0, guest + LARGE, LARGE);
	assert_int_equal(nested.large_pages, 0);
}

/* 3 pages, two large ones, 5 pages. */
static void a_range_may_mix_both(void **state)
{
	uint64_t gpa = (LARGE - 3) << 12;

	(void)state;
	assert_int_equal(map(gpa, LARGE - 3, 3 + 2 * LARGE + 5, READ_WRITE), 0);
	assert_mapped(gpa, guest + LARGE - 3, 3 + 2 * LARGE + 5);
	assert_int_equal(nested.large_pages, 2);
	assert_unmapped(gpa - 4096, 1);
	assert_unmapped(gpa + ((3 + 2 * LARGE + 5) << 12), 1);
	unmap(gpa, 3 + 2 * LARGE + 5);
	assert_int_equal(nested.table_pages, 1);
}

static void neighbours_keep_their_table(void **state)
{
	(void)state;
	assert_int_equal(map(0, 0, 8, READ_WRITE), 0);
	assert_int_equal(map(8 << 12, 100, 8, READ_WRITE), 0);
	unmap(0, 8);
	assert_mapped(8 << 12, guest + 100, 8);
	assert_int_equal(map(0, 200, 8, READ_WRITE), 0);
	assert_mapped(0, guest + 200, 8);
	unmap(8 << 12, 8);
	unmap(0, 8);
	assert_int_equal(nested.table_pages, 1);
}

/* Until the caller has flushed, a CPU may be inside a detached table. */
static void detached_tables_are_kept_until_freed(void **state)
{
	struct list_head detached;

	(void)state;
	list_init(&detached);
	assert_int_equal(map(0, 0, 8, READ_WRITE), 0);
	assert_int_equal(nested.table_pages, 4);
	scdrv_nested_unmap(&nested, 0, 8, &detached);
	assert_int_equal(nested.table_pages, 4);
	scdrv_nested_free_detached(&nested, &detached);
	assert_int_equal(nested.table_pages, 1);
}

static void both_ends_of_the_address_space(void **state)
{
	(void)state;
	assert_int_equal(map(0, 0, 1, READ_WRITE), 0);
	assert_int_equal(map(SCDRV_NESTED_LIMIT - 4096, 1, 1, READ_WRITE), 0);
	assert_mapped(0, guest, 1);
	assert_mapped(SCDRV_NESTED_LIMIT - 4096, guest + 1, 1);
}

/* The four tables on the way change at this address. */
static void across_all_levels(void **state)
{
	uint64_t gpa = (1ull << 39) - (4 << 12);

	(void)state;
	assert_int_equal(map(gpa, 10, 8, READ_WRITE), 0);
	assert_mapped(gpa, guest + 10, 8);
	unmap(gpa, 8);
	assert_int_equal(nested.table_pages, 1);
}

static void rights(void **state)
{
	unsigned int shift;

	(void)state;
	assert_int_equal(map(0, 0, 1, SIDECAR_MAP_READ), 0);
	assert_int_equal(map(4096, 1, 1, READ_WRITE | SIDECAR_MAP_EXECUTE), 0);
	assert_int_equal(walk(0, &shift) & 2, 0);
	assert_int_equal(walk(0, &shift) >> 63, 1);
	assert_int_equal(walk(4096, &shift) & 2, 2);
	assert_int_equal(walk(4096, &shift) >> 63, 0);
	assert_int_equal(map(LARGE << 12, LARGE, LARGE, SIDECAR_MAP_READ), 0);
	assert_int_equal(walk(LARGE << 12, &shift) & 2, 0);
	assert_int_equal(walk(LARGE << 12, &shift) >> 63, 1);
}

/* Wherever memory runs out, a guest sees nothing of the attempt. */
static void out_of_memory(void **state)
{
	const uint64_t gpa = (1ull << 39) - ((LARGE + 4) << 12);
	const unsigned long count = 2 * LARGE;
	unsigned long left = 0;

	(void)state;
	for (;; left++) {
		fake_allocations_left = left;
		if (map(gpa, 5, count, READ_WRITE) == 0)
			break;
		assert_unmapped(gpa, count);
		/* The tables stay for the next attempt; a real caller's come with the partition. */
		scdrv_nested_destroy(&nested);
		fake_allocations_left = ~0ul;
		assert_int_equal(scdrv_nested_init(&nested, 7), 0);
	}
	assert_true(left >= 5);
	assert_mapped(gpa, guest + 5, count);
}

/* What a failed attempt left is a table without entries; it is neither lost nor replaced. */
static void a_table_that_was_left(void **state)
{
	(void)state;
	fake_allocations_left = 3; /* down to the first leaf table */
	assert_int_equal(map(0, 1, 2 * LARGE, READ_WRITE), -ENOMEM);
	fake_allocations_left = ~0ul;
	assert_int_equal(nested.table_pages, 4);
	assert_int_equal(map(0, LARGE, LARGE, READ_WRITE), 0);
	assert_mapped(0, guest + LARGE, LARGE);
	assert_int_equal(nested.large_pages, 0);
	unmap(0, LARGE);
	assert_int_equal(nested.table_pages, 1);
}

/* Many ranges, mapped and unmapped in a fixed order that looks like none. */
static void many_ranges(void **state)
{
	enum { RANGES = 64, STEPS = 4000 };
	bool mapped[RANGES] = {};
	unsigned int seed = 1, step, i;

	(void)state;
	for (step = 0; step < STEPS; step++) {
		unsigned long count;
		uint64_t gpa;

		seed = seed * 1103515245u + 12345u;
		i = seed >> 16 & (RANGES - 1);
		gpa = ((uint64_t)i * 777) << 12;
		count = i * 12 + 1;
		if (mapped[i])
			unmap(gpa, count);
		else
			assert_int_equal(map(gpa, i * 50, count, READ_WRITE), 0);
		mapped[i] = !mapped[i];
	}
	for (i = 0; i < RANGES; i++) {
		if (mapped[i]) {
			assert_mapped(((uint64_t)i * 777) << 12, guest + i * 50, i * 12 + 1);
			unmap(((uint64_t)i * 777) << 12, i * 12 + 1);
		}
	}
	assert_int_equal(nested.table_pages, 1);
	assert_int_equal(nested.large_pages, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(empty),
		CASE(one_large_page),
		CASE(unaligned_memory_is_mapped_small),
		CASE(one_stray_page_makes_it_small),
		CASE(a_range_may_mix_both),
		CASE(neighbours_keep_their_table),
		CASE(detached_tables_are_kept_until_freed),
		CASE(both_ends_of_the_address_space),
		CASE(across_all_levels),
		CASE(rights),
		CASE(out_of_memory),
		CASE(a_table_that_was_left),
		CASE(many_ranges),
	};

	return cmocka_run_group_tests_name("nested", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
#include "nested.h"

#include "cpu.h"

#define PRESENT 0x1ull
#define LEAF_TABLE 0x7ull /* present, writable, user: nested walks are user accesses */
#define LEAF_LARGE 0x87ull
#define READ_ONLY 0x5ull
#define SIZE_2M 0x200000ull
#define SIZE_1G 0x40000000ull
#define GIB_IN_2M 16u /* so much has page directories; beyond it are only 1 GiB pages */
#define PDPT_ENTRIES 512u

struct tables {
	uint64_t pml4[512];
	uint64_t pdpt[512];
	uint64_t pd[GIB_IN_2M * 512];
	uint64_t low[512];
	uint64_t apic[512];
} __attribute__((aligned(4096)));

static struct tables tables[NESTED_VIEWS];
static struct nested_range ram[NESTED_MAX_RANGES];
static uint32_t ram_count;

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool is_hidden(uint64_t gpa, uint64_t size)
{
	return overlaps(gpa, size, L0_BASE, L0_SIZE) || overlaps(gpa, size, TRAMPOLINE, PAGE);
}

bool nested_is_ram(uint64_t gpa, uint64_t size)
{
	if (gpa + size < gpa || is_hidden(gpa, size))
		return false;
	for (uint32_t i = 0; i < ram_count; i++)
		if (gpa >= ram[i].base && gpa + size <= ram[i].base + ram[i].size)
			return true;
	return false;
}

bool nested_is_vtl0_ram(uint64_t gpa, uint64_t size)
{
	uint64_t page = gpa < SIZE_2M ? PAGE : SIZE_2M;
	uint64_t begin = gpa & ~(page - 1);
	uint64_t end = (gpa + size + page - 1) & ~(page - 1);

	return nested_is_ram(begin, end - begin) && begin < GIB_IN_2M * SIZE_1G;
}

static void map_directories(struct tables *t, enum nested_view view)
{
	for (uint64_t i = 0; i < GIB_IN_2M * 512; i++) {
		uint64_t gpa = i * SIZE_2M;
		bool visible = view == NESTED_VTL0 ? nested_is_vtl0_ram(gpa, SIZE_2M)
						   : !overlaps(gpa, SIZE_2M, L0_BASE, L0_SIZE);

		t->pd[i] = visible ? gpa | LEAF_LARGE : 0;
	}
}

static void map_low(struct tables *t, enum nested_view view)
{
	for (uint64_t gpa = 0; gpa < SIZE_2M; gpa += PAGE) {
		bool visible = view == NESTED_VTL0 ? nested_is_vtl0_ram(gpa, PAGE)
						   : !is_hidden(gpa, PAGE);

		t->low[gpa / PAGE] = visible ? gpa | LEAF_TABLE : 0;
	}
	t->pd[0] = (uint64_t)t->low | LEAF_TABLE;
}

/* INIT and SIPI go through the APIC's page: every write has to come by. */
static void map_apic(struct tables *t, enum nested_view view)
{
	uint64_t base = APIC & ~(SIZE_2M - 1);

	for (uint64_t i = 0; i < 512; i++)
		t->apic[i] = (base + i * PAGE) | LEAF_TABLE;
	t->apic[(APIC - base) / PAGE] = view == NESTED_VTL2 ? APIC | READ_ONLY : 0;
	t->pd[base / SIZE_2M] = (uint64_t)t->apic | LEAF_TABLE;
}

static void build(struct tables *t, enum nested_view view)
{
	t->pml4[0] = (uint64_t)t->pdpt | LEAF_TABLE;
	for (uint64_t i = 0; i < GIB_IN_2M; i++)
		t->pdpt[i] = (uint64_t)&t->pd[i * 512] | LEAF_TABLE;
	for (uint64_t i = GIB_IN_2M; i < PDPT_ENTRIES && view != NESTED_VTL0; i++)
		t->pdpt[i] = i * SIZE_1G | LEAF_LARGE;
	map_directories(t, view);
	map_low(t, view);
	if (view != NESTED_VTL0)
		map_apic(t, view);
}

void nested_init(const struct nested_range *ranges, uint32_t count)
{
	ram_count = count;
	for (uint32_t i = 0; i < count; i++)
		ram[i] = ranges[i];
	for (uint32_t view = 0; view < NESTED_VIEWS; view++)
		build(&tables[view], view);
}

uint64_t nested_root(enum nested_view view)
{
	return (uint64_t)tables[view].pml4;
}

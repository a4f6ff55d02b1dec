// SPDX-License-Identifier: MIT
#include "memory.h"

#include <string.h>

#define PAGE 4096ull

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greatest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool insert(struct memory *memory, uint32_t at, const struct memory_range *range)
{
	struct memory_range *place = &memory->ranges[at];

	if (memory->count == MEMORY_MAX_RANGES)
		return false;
	memmove(place + 1, place, (memory->count - at) * sizeof(*place));
	*place = *range;
	memory->count++;
	return true;
}

static void drop(struct memory *memory, uint32_t at)
{
	struct memory_range *place = &memory->ranges[at];

	memory->count--;
	memmove(place, place + 1, (memory->count - at) * sizeof(*place));
}

static bool alike(const struct memory_range *a, const struct memory_range *b)
{
	return a->end == b->start && a->vnode == b->vnode && a->use == b->use;
}

static void merge(struct memory *memory)
{
	uint32_t i = 1;

	while (i < memory->count) {
		if (!alike(&memory->ranges[i - 1], &memory->ranges[i])) {
			i++;
			continue;
		}
		memory->ranges[i - 1].end = memory->ranges[i].end;
		drop(memory, i);
	}
}

/* So that a range begins at this address, if one contains it. */
static bool cut(struct memory *memory, uint64_t address)
{
	struct memory_range behind;
	uint32_t i;

	for (i = 0; i < memory->count; i++) {
		if (address <= memory->ranges[i].start || address >= memory->ranges[i].end)
			continue;
		behind = memory->ranges[i];
		behind.start = address;
		if (!insert(memory, i + 1, &behind))
			return false;
		memory->ranges[i].end = address;
		return true;
	}
	return true;
}

bool memory_add(struct memory *memory, uint64_t start, uint64_t end, uint32_t vnode)
{
	struct memory_range range = {
		.start = round_up(start, PAGE),
		.end = end & ~(PAGE - 1),
		.vnode = vnode,
		.use = MEMORY_FREE,
	};
	uint32_t i = 0;

	if (range.start >= range.end)
		return true;
	while (i < memory->count && memory->ranges[i].end <= range.start)
		i++;
	if (i < memory->count && memory->ranges[i].start < range.end)
		return false;
	if (!insert(memory, i, &range))
		return false;
	merge(memory);
	return true;
}

bool memory_set_vnode(struct memory *memory, uint64_t start, uint64_t end, uint32_t vnode)
{
	uint32_t i;

	if (!cut(memory, start) || !cut(memory, end))
		return false;
	for (i = 0; i < memory->count; i++) {
		if (memory->ranges[i].start >= start && memory->ranges[i].end <= end)
			memory->ranges[i].vnode = vnode;
	}
	merge(memory);
	return true;
}

bool memory_use(struct memory *memory, uint64_t start, uint64_t end, uint32_t use)
{
	uint32_t i;

	start &= ~(PAGE - 1);
	end = round_up(end, PAGE);
	if (!cut(memory, start) || !cut(memory, end))
		return false;
	for (i = 0; i < memory->count; i++) {
		struct memory_range *range = &memory->ranges[i];

		if (range->start >= start && range->end <= end && range->use == MEMORY_FREE)
			range->use = use;
	}
	merge(memory);
	return true;
}

/* Where in this range; its end when nowhere. */
static uint64_t place_in(const struct memory_range *range, const struct memory_want *want)
{
	uint64_t start = round_up(greatest(range->start, PAGE), want->alignment);
	uint64_t end = least(range->end, want->below);

	if (range->use != MEMORY_FREE ||
	    (want->vnode != MEMORY_ANY_VNODE && want->vnode != range->vnode))
		return range->end;
	return start < end && want->size <= end - start ? start : range->end;
}

bool memory_take(struct memory *memory, const struct memory_want *want, uint64_t *address)
{
	uint64_t start;
	uint32_t i;

	for (i = 0; i < memory->count; i++) {
		start = place_in(&memory->ranges[i], want);
		if (start == memory->ranges[i].end)
			continue;
		*address = start;
		return memory_use(memory, start, start + want->size, want->use);
	}
	return false;
}

void memory_give_back(struct memory *memory, uint32_t use)
{
	uint32_t i;

	for (i = 0; i < memory->count; i++) {
		if (memory->ranges[i].use == use)
			memory->ranges[i].use = MEMORY_FREE;
	}
	merge(memory);
}

// SPDX-License-Identifier: GPL-2.0-only
/* See walk.h. Knows the bits of both kinds of tables, which are the same. */
#include <linux/errno.h>

#include "shm.h"
#include "walk.h"

#define TOP_LEVEL 3
#define LARGEST_LEAF 2 /* 1 GiB */
#define ENTRIES 512u

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_UNCACHED (1ull << 4)
#define ENTRY_LARGE (1ull << 7)
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

#define SIGN_BIT (1ull << 47)

static u64 span_of(unsigned int level)
{
	return 4096ull << (9 * level);
}

/* Write and user need every level's consent, one level's no-execute is enough. */
static u32 rights_below(u32 flags, u64 entry)
{
	if (!(entry & ENTRY_WRITE))
		flags &= ~SCDRV_WALK_WRITE;
	if (!(entry & ENTRY_USER))
		flags &= ~SCDRV_WALK_USER;
	if (entry & ENTRY_NO_EXECUTE)
		flags |= SCDRV_WALK_NO_EXECUTE;
	return flags;
}

static bool is_leaf(u64 entry, unsigned int level)
{
	return level == 0 || (level <= LARGEST_LEAF && (entry & ENTRY_LARGE));
}

static bool goes_on(const struct scdrv_walk_range *open, const struct scdrv_walk_range *next)
{
	return open->page_size == next->page_size && open->flags == next->flags &&
	       open->last + 1 == next->first &&
	       open->at + (open->last - open->first) + 1 == next->at;
}

static int flush(struct scdrv_walk *walk)
{
	if (!walk->open.page_size)
		return 0;
	return walk->visit(walk, &walk->open) ? 0 : -ECANCELED;
}

static int add_leaf(struct scdrv_walk *walk, u64 entry, unsigned int level, u64 address, u32 flags)
{
	struct scdrv_walk_range next = {
		.first = address,
		.last = address + span_of(level) - 1,
		.at = entry & ENTRY_ADDRESS & ~(span_of(level) - 1),
		.page_size = span_of(level),
		.flags = flags | (entry & ENTRY_UNCACHED ? SCDRV_WALK_UNCACHED : 0),
	};
	int error;

	if (goes_on(&walk->open, &next)) {
		walk->open.last = next.last;
		return 0;
	}
	error = flush(walk);
	walk->open = next;
	return error;
}

static u64 address_of(const struct scdrv_walk *walk, u64 address)
{
	if (walk->sign_extended && (address & SIGN_BIT))
		address |= ~(SIGN_BIT - 1);
	return address;
}

static int walk_table(struct scdrv_walk *walk, u64 pa, unsigned int level, u64 base, u32 flags)
{
	const u64 *entries = walk->table(walk, pa);
	unsigned int i;
	int error = 0;

	if (!entries)
		return -EFAULT;
	if (!walk->tables)
		return -E2BIG;
	walk->tables--;
	for (i = 0; i < ENTRIES && !error; i++) {
		u64 entry = shm_read(&entries[i]);
		u64 address = address_of(walk, base + i * span_of(level));
		u32 below = rights_below(flags, entry);

		if (!(entry & ENTRY_PRESENT))
			continue;
		if (is_leaf(entry, level))
			error = add_leaf(walk, entry, level, address, below);
		else
			error = walk_table(walk, entry & ENTRY_ADDRESS, level - 1, address, below);
	}
	return error;
}

int scdrv_walk(struct scdrv_walk *walk, u64 root)
{
	u32 all = SCDRV_WALK_WRITE | SCDRV_WALK_USER;
	int error, last;

	walk->open.page_size = 0;
	error = walk_table(walk, root & ENTRY_ADDRESS, TOP_LEVEL, 0, all);
	if (error == -ECANCELED)
		return error;
	last = flush(walk);
	return error ? error : last;
}

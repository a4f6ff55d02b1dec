// SPDX-License-Identifier: GPL-2.0-only
/* See nested.h. The walker knows levels, the small functions at the top know bits. */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>

#include <sidecar/ioctl.h>

#include "nested.h"
#include "shm.h"

#define LEVELS 4
#define ENTRIES 512ul
#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_LARGE (1ull << 7)
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* Pages that one entry of a level covers; level 0 is the leaf table. */
static unsigned long entry_span(unsigned int level)
{
	return 1ul << (9 * level);
}

static unsigned int entry_index(u64 frame, unsigned int level)
{
	return (frame >> (9 * level)) & (ENTRIES - 1);
}

static u64 table_entry(struct page *table)
{
	return page_to_phys(table) | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER;
}

static u64 leaf_entry(struct page *page, u32 flags)
{
	u64 entry = page_to_phys(page) | ENTRY_PRESENT | ENTRY_USER;

	if (flags & SIDECAR_MAP_WRITE)
		entry |= ENTRY_WRITE;
	if (!(flags & SIDECAR_MAP_EXECUTE))
		entry |= ENTRY_NO_EXECUTE;
	return entry;
}

static bool is_table(u64 entry)
{
	return (entry & (ENTRY_PRESENT | ENTRY_LARGE)) == ENTRY_PRESENT;
}

static struct page *entry_page(u64 entry)
{
	return pfn_to_page((entry & ENTRY_ADDRESS) >> PAGE_SHIFT);
}

static u64 *entries_of(struct page *table)
{
	return page_address(table);
}

static struct page *table_alloc(struct scdrv_nested *nested)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	struct page *table = alloc_pages_node(nested->numa_node, gfp, 0);

	if (table)
		nested->table_pages++;
	return table;
}

static void table_free(struct scdrv_nested *nested, struct page *table)
{
	__free_page(table);
	nested->table_pages--;
}

int scdrv_nested_init(struct scdrv_nested *nested, int numa_node)
{
	nested->numa_node = numa_node;
	nested->table_pages = 0;
	nested->large_pages = 0;
	nested->root = table_alloc(nested);
	return nested->root ? 0 : -ENOMEM;
}

u64 scdrv_nested_root(const struct scdrv_nested *nested)
{
	return page_to_phys(nested->root);
}

static void destroy_level(struct scdrv_nested *nested, struct page *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level > 0 && i < ENTRIES; i++) {
		u64 entry = shm_read(&entries_of(table)[i]);

		if (is_table(entry))
			destroy_level(nested, entry_page(entry), level - 1);
	}
	table_free(nested, table);
}

void scdrv_nested_destroy(struct scdrv_nested *nested)
{
	destroy_level(nested, nested->root, LEVELS - 1);
}

/* The entry of a level that covers a frame, or NULL; tables above it are made on the way. */
static u64 *entry_for(struct scdrv_nested *nested, u64 frame, unsigned int wanted)
{
	struct page *table = nested->root;
	unsigned int level;

	for (level = LEVELS - 1; level > wanted; level--) {
		u64 *slot = &entries_of(table)[entry_index(frame, level)];
		struct page *next;

		if (is_table(shm_read(slot))) {
			table = entry_page(shm_read(slot));
			continue;
		}
		next = table_alloc(nested);
		if (!next)
			return NULL;
		shm_write_release(slot, table_entry(next)); /* partner: the processor's walk */
		table = next;
	}
	return &entries_of(table)[entry_index(frame, wanted)];
}

static bool contiguous(struct page *const *pages, unsigned long count)
{
	unsigned long first = page_to_pfn(pages[0]), i;

	if (first % ENTRIES)
		return false;
	for (i = 1; i < count; i++) {
		if (page_to_pfn(pages[i]) != first + i)
			return false;
	}
	return true;
}

/* A leaf table that is already there is kept: replacing it would need a flush. */
static bool fits_large(const u64 *slot, u64 frame, struct page *const *pages, unsigned long left)
{
	return frame % ENTRIES == 0 && left >= ENTRIES && !is_table(shm_read(slot)) &&
	       contiguous(pages, ENTRIES);
}

/* What is left of the 2 MiB around a frame. */
static unsigned long chunk_of(u64 frame, unsigned long left)
{
	return min(left, ENTRIES - (unsigned long)(frame % ENTRIES));
}

/* All tables first, so that the second pass, which guests can see, cannot fail. */
static int prepare(struct scdrv_nested *nested, u64 frame, struct page *const *pages,
		   unsigned long count)
{
	unsigned long done, chunk;

	for (done = 0; done < count; done += chunk) {
		u64 *slot = entry_for(nested, frame + done, 1);

		if (!slot)
			return -ENOMEM;
		if (!fits_large(slot, frame + done, pages + done, count - done) &&
		    !entry_for(nested, frame + done, 0))
			return -ENOMEM;
		chunk = chunk_of(frame + done, count - done);
	}
	return 0;
}

static void fill_leaf_table(struct scdrv_nested *nested, u64 frame, struct page *const *pages,
			    unsigned long count, u32 flags)
{
	u64 *slot = entry_for(nested, frame, 0);
	unsigned long i;

	for (i = 0; i < count; i++)
		shm_write_release(&slot[i], leaf_entry(pages[i], flags));
}

int scdrv_nested_map(struct scdrv_nested *nested, u64 gpa, struct page *const *pages,
		     unsigned long count, u32 flags)
{
	u64 frame = gpa >> PAGE_SHIFT;
	unsigned long done, chunk;

	if (prepare(nested, frame, pages, count))
		return -ENOMEM;
	for (done = 0; done < count; done += chunk) {
		u64 *slot = entry_for(nested, frame + done, 1);

		chunk = chunk_of(frame + done, count - done);
		if (fits_large(slot, frame + done, pages + done, count - done)) {
			shm_write_release(slot, leaf_entry(pages[done], flags) | ENTRY_LARGE);
			nested->large_pages++;
		} else {
			fill_leaf_table(nested, frame + done, pages + done, chunk, flags);
		}
	}
	return 0;
}

static bool table_is_empty(struct page *table)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		if (shm_read(&entries_of(table)[i]))
			return false;
	}
	return true;
}

static void unmap_level(struct scdrv_nested *nested, struct page *table, unsigned int level,
			u64 frame, u64 end, struct list_head *detached);

static void unmap_entry(struct scdrv_nested *nested, u64 *slot, unsigned int level, u64 frame,
			u64 end, struct list_head *detached)
{
	u64 entry = shm_read(slot);
	struct page *below;

	if (!is_table(entry) || level == 0) {
		nested->large_pages -= level == 1 && (entry & ENTRY_PRESENT);
		shm_exchange(slot, 0); /* the processor may be setting A and D in it */
		return;
	}
	below = entry_page(entry);
	unmap_level(nested, below, level - 1, frame, end, detached);
	if (table_is_empty(below)) {
		shm_exchange(slot, 0);
		list_add(&below->lru, detached);
	}
}

static void unmap_level(struct scdrv_nested *nested, struct page *table, unsigned int level,
			u64 frame, u64 end, struct list_head *detached)
{
	while (frame < end) {
		u64 next = min(end, (frame | (entry_span(level) - 1)) + 1);

		unmap_entry(nested, &entries_of(table)[entry_index(frame, level)], level, frame,
			    next, detached);
		frame = next;
	}
}

void scdrv_nested_unmap(struct scdrv_nested *nested, u64 gpa, unsigned long count,
			struct list_head *detached)
{
	u64 frame = gpa >> PAGE_SHIFT;

	unmap_level(nested, nested->root, LEVELS - 1, frame, frame + count, detached);
}

void scdrv_nested_free_detached(struct scdrv_nested *nested, struct list_head *detached)
{
	struct page *table, *next;

	list_for_each_entry_safe(table, next, detached, lru) {
		list_del(&table->lru);
		table_free(nested, table);
	}
}

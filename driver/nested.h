/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested page tables: guest-physical to physical, four levels, 4 KiB and 2 MiB pages.
 * AMD64 APM vol. 2, 15.25.5: a nested walk is a user access, so every entry has US set; the
 * processor sets A and D by itself.
 *
 * The caller serialises changes; sidecar CPUs walk the tables at any time.
 */
#ifndef SCDRV_NESTED_H
#define SCDRV_NESTED_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#define SCDRV_NESTED_LIMIT (1ull << 48)

struct scdrv_nested {
	struct page *root;
	int numa_node;
	unsigned long table_pages; /* root included */
	unsigned long large_pages; /* 2 MiB entries in use */
};

int scdrv_nested_init(struct scdrv_nested *nested, int numa_node);
void scdrv_nested_destroy(struct scdrv_nested *nested);
u64 scdrv_nested_root(const struct scdrv_nested *nested);

/*
 * Maps count pages at gpa, none of which is mapped; flags are SIDECAR_MAP_*. -ENOMEM changes
 * nothing that a guest can see.
 */
int scdrv_nested_map(struct scdrv_nested *nested, u64 gpa, struct page *const *pages,
		     unsigned long count, u32 flags);

/*
 * Unmaps what one scdrv_nested_map mapped. Tables that became empty go to *detached: a CPU may
 * still walk them until it has flushed its translations; then scdrv_nested_free_detached.
 */
void scdrv_nested_unmap(struct scdrv_nested *nested, u64 gpa, unsigned long count,
			struct list_head *detached);
void scdrv_nested_free_detached(struct scdrv_nested *nested, struct list_head *detached);

#endif

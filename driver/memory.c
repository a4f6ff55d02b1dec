// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node's memory: one physically contiguous range, from the NUMA node of its CPUs. It is split
 * into single pages, so that user mode can map some of them and the rest of the block is free.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/numa.h>

#include "driver.h"

#define GFP_NODE (GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN)

/* The largest block that the page allocator has; what it is called changed twice. */
#ifdef MAX_PAGE_ORDER
#define LARGEST_ORDER MAX_PAGE_ORDER
#else
#define LARGEST_ORDER 10
#endif

static struct page *alloc_block(const struct scdrv_node *node, unsigned int order)
{
	struct page *pages;

	if (node->numa_node == NUMA_NO_NODE)
		return alloc_pages(GFP_NODE, order);
	pages = alloc_pages_node(node->numa_node, GFP_NODE | __GFP_THISNODE, order);
	if (pages)
		return pages;
	pages = alloc_pages(GFP_NODE, order);
	if (pages)
		pr_warn("node %u: no %lu KiB in one piece on NUMA node %d, taken from node %d\n",
			node->index, PAGE_SIZE << order >> 10, node->numa_node, page_to_nid(pages));
	return pages;
}

static void free_pages_of(struct page *pages, size_t first, size_t end)
{
	for (; first < end; first++)
		__free_page(pages + first);
}

int scdrv_memory_alloc(struct scdrv_node *node)
{
	size_t size = SIDECAR_REQUIRED_MEMORY(node->cpu_count);
	unsigned int order = get_order(size);

	if (order > LARGEST_ORDER) {
		pr_err("node %u: %u CPUs need %zu KiB in one piece, the limit is %lu KiB; use "
		       "node_size=%lu or less\n",
		       node->index, node->cpu_count, size >> 10, PAGE_SIZE << LARGEST_ORDER >> 10,
		       ((1ul << LARGEST_ORDER) - 1) / SIDECAR_PAGES_PER_CPU);
		return -EINVAL;
	}
	node->pages = alloc_block(node, order);
	if (!node->pages) {
		pr_err("node %u: no %zu KiB in one piece\n", node->index, size >> 10);
		return -ENOMEM;
	}
	split_page(node->pages, order);
	free_pages_of(node->pages, size >> PAGE_SHIFT, 1ul << order);
	node->memory = page_to_phys(node->pages);
	node->memory_va = page_address(node->pages);
	node->memory_size = size;
	return 0;
}

void scdrv_memory_free(struct scdrv_node *node)
{
	if (!node->pages)
		return;
	free_pages_of(node->pages, 0, node->memory_size >> PAGE_SHIFT);
	node->pages = NULL;
}

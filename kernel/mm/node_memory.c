// SPDX-License-Identifier: MIT
#include "node_memory.h"

static phys_t nth_page(const struct sidecar_node_params *node, uint64_t n)
{
	return phys(node->memory_base + n * SIDECAR_PAGE_SIZE);
}

phys_t node_control_page(const struct sidecar_node_params *node)
{
	return nth_page(node, 0);
}

phys_t node_shared_page(const struct sidecar_node_params *node, uint32_t index,
			enum shared_page page)
{
	return nth_page(node, 1 + (uint64_t)index * SHARED_COUNT + page);
}

phys_t node_private_page(const struct sidecar_node_params *node, uint32_t index,
			 enum private_page page)
{
	uint64_t first = 1 + (uint64_t)node->vp_count * SHARED_COUNT;

	return nth_page(node, first + (uint64_t)index * PRIVATE_COUNT + page);
}

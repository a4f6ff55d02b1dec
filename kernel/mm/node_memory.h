/* SPDX-License-Identifier: MIT */
/* How a node's memory is carved: control page, then every CPU's shared pages, then its private. */
#ifndef NODE_MEMORY_H
#define NODE_MEMORY_H

#include <sidecar/abi.h>

#include "cpu.h"

enum shared_page {
	SHARED_COMMAND,
	SHARED_REGISTER_PAGE,
	SHARED_COUNT,
};

enum private_page {
	PRIVATE_PML4,
	PRIVATE_PDPT,
	PRIVATE_PD,
	PRIVATE_PT,
	PRIVATE_TRAP_STACKS,
	PRIVATE_STACK, /* and the next */
	PRIVATE_GLOBALS = PRIVATE_STACK + 2,
	PRIVATE_BACKEND,
	PRIVATE_STATE = PRIVATE_BACKEND + BACKEND_PRIVATE_PAGES,
	PRIVATE_COUNT,
};
_Static_assert(SHARED_COUNT * SIDECAR_PAGE_SIZE == SIDECAR_PER_CPU_SHMEM, "shared pages");
_Static_assert(PRIVATE_COUNT == SIDECAR_PRIVATE_PAGES, "private pages");

/* index is the CPU's place in the node. */
phys_t node_control_page(const struct sidecar_node_params *node);
phys_t node_shared_page(const struct sidecar_node_params *node, uint32_t index,
			enum shared_page page);
phys_t node_private_page(const struct sidecar_node_params *node, uint32_t index,
			 enum private_page page);

#endif

/* SPDX-License-Identifier: MIT */
/* The flattened device tree that tells Linux where each node's pages are. Pure. */
#ifndef SHIM_DEVICE_TREE_H
#define SHIM_DEVICE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

struct device_tree_input {
	const struct sidecar_node_output *nodes;
	uint32_t node_count;
	uint64_t time_start; /* of the entry function, in units of 100 ns */
	uint64_t time_end;
};

#define DEVICE_TREE_MAX_SIZE 32768u /* of SIDECAR_MAX_NODES nodes */

/* Returns the size in bytes, or 0 when the tree needs more than size. blob is 8-byte aligned. */
uint32_t device_tree_make(void *blob, uint32_t size, const struct device_tree_input *input);

#endif

/* SPDX-License-Identifier: MIT */
/* The page tables of a CPU. */
#ifndef TABLES_H
#define TABLES_H

#include <sidecar/abi.h>

#include "cpu.h"

/* Byte offsets in the image where the rights change; multiples of the page size. */
struct image_layout {
	uint32_t text_end;     /* from 0: code */
	uint32_t constant_end; /* from text_end: constants */
	uint32_t data_end;     /* from constant_end: data; the rest is for booting, not mapped */
};

/* Fills the table of the image (512 entries), which all CPUs share. image is its PA. */
void image_table_fill(uint64_t *table, uint64_t image, const struct image_layout *layout);

/*
 * Fills the four tables of one CPU of a node, which are all zero. It maps what layout.h lists, and
 * windows later.
 */
void cpu_tables_fill(const struct sidecar_node_params *node, uint32_t index, phys_t image_table);

#endif

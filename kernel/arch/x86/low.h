/* SPDX-License-Identifier: MIT */
#ifndef LOW_H
#define LOW_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "pte.h"

/*
 * Memory that only the entry function uses. It is part of the image but not of its mapping: reached
 * by its low address before, and through slots after the boot tables are in use.
 */
struct boot_memory {
	uint64_t pml4[PTES_PER_TABLE];
	uint64_t pdpt[PTES_PER_TABLE];
	uint64_t pd[PTES_PER_TABLE];
	uint64_t slots[PTES_PER_TABLE];
	uint64_t image[PTES_PER_TABLE]; /* of all CPUs, for good */
	uint8_t globals[SIDECAR_PAGE_SIZE];
	uint8_t stack[2][SIDECAR_PAGE_SIZE];
};

/*
 * Called by entry.S at the image's physical address, on the caller's tables, before anything is
 * relocated: code here and in what it calls may not follow a pointer that the linker stored.
 * Relocates the image, fills the tables for descriptors and pages. False with a text in *error.
 */
bool low_prepare(struct sidecar_command_error *error);

#endif

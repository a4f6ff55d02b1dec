/* SPDX-License-Identifier: MIT */
/*
 * Guest-physical memory: the machine's own, at the same addresses, without L0. VTL2 sees all of
 * it, its local APIC read-only or not at all; VTL0 sees RAM only, in pages of 2 MiB above the first
 * 2 MiB.
 */
#ifndef L0_NESTED_H
#define L0_NESTED_H

#include <stdbool.h>
#include <stdint.h>

#define NESTED_MAX_RANGES 32u

struct nested_range {
	uint64_t base, size;
};

/* RAM as the firmware's map has it. */
void nested_init(const struct nested_range *ram, uint32_t count);

enum nested_view {
	NESTED_VTL0,
	NESTED_VTL2,
	NESTED_VTL2_X2APIC, /* without the xAPIC's page */
	NESTED_VIEWS,
};

uint64_t nested_root(enum nested_view view);

/* All of it RAM that VTL2 may see. */
bool nested_is_ram(uint64_t gpa, uint64_t size);

/* All of it RAM in VTL0's eyes. */
bool nested_is_vtl0_ram(uint64_t gpa, uint64_t size);

#endif

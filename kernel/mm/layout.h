/* SPDX-License-Identifier: MIT */
/*
 * The address space of a sidecar CPU, and of the CPU that boots the kernel. Two page tables hang
 * under one page directory:
 *
 *   IMAGE_VA              2 MiB   the image: one table for all CPUs, W^X, 4 KiB pages
 *   SLOTS_VA              2 MiB   the CPU's own pages: one table a CPU, one slot a page
 *
 * Nothing else is mapped. Nobody outside the kernel sees these addresses but the entry and stack
 * addresses in the extension, which are used as they are.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <sidecar/abi.h>

#include "arch.h"

#define IMAGE_VA 0xffffff8000000000ull
#define SLOTS_VA (IMAGE_VA + SIDECAR_IMAGE_MAX_SIZE)

enum slot {
	SLOT_TABLE, /* the table of the slots itself, to open windows with */
	SLOT_COMMAND,
	SLOT_REGISTER_PAGE,
	SLOT_CONTROL,
	SLOT_STATE,
	SLOT_GLOBALS,
	SLOT_BACKEND,					  /* and the next */
	SLOT_APIC = SLOT_BACKEND + BACKEND_PRIVATE_PAGES, /* the CPU maps it itself, if it has to */
	SLOT_TRAP_STACKS = 16,				  /* between unmapped slots: guards */
	SLOT_WINDOWS = 256,				  /* WINDOW_COUNT of them */
	SLOT_STACK = 510,				  /* two pages, a guard below */
	SLOT_COUNT = 512,
};

#define SLOT_VA(slot) (SLOTS_VA + (uint64_t)(slot)*SIDECAR_PAGE_SIZE)
#define STACK_VA SLOT_VA(SLOT_STACK)
#define STACK_END_VA SLOT_VA(SLOT_COUNT)
#define TRAP_STACKS_VA SLOT_VA(SLOT_TRAP_STACKS)

/* Entries of the upper levels that lead to both tables. */
#define IMAGE_PML4_INDEX 511u
#define IMAGE_PDPT_INDEX 0u
#define IMAGE_PD_INDEX 0u
#define SLOTS_PD_INDEX 1u

#endif

/* SPDX-License-Identifier: MIT */
/* The machine as the loader and the firmware describe it. */
#ifndef SHIM_MACHINE_H
#define SHIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "memory.h"
#include "plan.h"

#define E820_RAM 1u
#define E820_RESERVED 2u
#define MACHINE_MAX_FIRMWARE_RANGES 64u
#define COMMAND_LINE_SIZE 4096u

struct e820_entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

struct machine {
	uint64_t rsdp;
	char command_line[COMMAND_LINE_SIZE];
	struct file archive;
	/* What the firmware keeps: everything that is not RAM. */
	struct e820_entry firmware[MACHINE_MAX_FIRMWARE_RANGES];
	uint32_t firmware_count;
	struct memory memory;
	struct shim_cpu cpus[SHIM_MAX_CPUS];
	uint32_t cpu_count;
	bool x2apic;
	uint64_t low_page; /* PA of a page below 1 MiB for the SIPI trampoline */
};

/* What the loader's EBX pointed to; it may be overwritten afterwards. */
void machine_read(struct machine *machine, const void *start_info);

/* The same bytes at a multiple of a page. */
struct file machine_align(struct machine *machine, const struct file *file);

/*
 * A place for something of the shim's, in whole pages below 4 GiB, or a panic. The first leaves in
 * it what was there, the second is all zero.
 */
void *machine_reserve(struct machine *machine, uint64_t size, uint64_t alignment, uint32_t use);
void *machine_place(struct machine *machine, uint64_t size, uint64_t alignment, uint32_t use);

#endif

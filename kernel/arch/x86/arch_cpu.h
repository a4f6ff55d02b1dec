/* SPDX-License-Identifier: MIT */
/*
 * What a CPU has of the architecture's: descriptor tables and traps. It stands behind struct cpu in
 * the globals page, at the same address on every CPU.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* Selectors of every GDT of ours. */
#define SELECTOR_CODE 0x08u
#define SELECTOR_DATA 0x10u
#define SELECTOR_TSS 0x18u

/* Code and data of 64-bit mode, accessed bits set so that nobody writes them (APM vol. 2, 4.8). */
#define GDT_CODE 0x00af9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull

/* APM vol. 2, 12.2.5. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* ist[0] is the descriptors' number 1 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "TSS");

#define GDT_ENTRIES 5u /* null, code, data, and two for the TSS */

struct arch_cpu {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	bool x2apic; /* the mode in which the CPU was found */
	bool dying;  /* in panic: another fault is not reported */
};

struct globals {
	struct cpu cpu;
	struct arch_cpu arch;
};
_Static_assert(sizeof(struct globals) <= SIDECAR_PAGE_SIZE, "the globals exceed their page");

/* The globals of the CPU that asks. The boot CPU's have no state page. */
struct globals *this_globals(void);

/* Descriptor tables, traps, interrupt controller. The CPU may have been started before. */
void arch_cpu_start(struct cpu *cpu);

/* Marks the CPU as dying; true if it was already. */
bool arch_begin_dying(struct cpu *cpu);

#endif

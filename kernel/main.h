/* SPDX-License-Identifier: MIT */
#ifndef MAIN_H
#define MAIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu;

/*
 * From entry.S, on the boot tables and stack. All are physical addresses: of the caller's
 * parameters and output, the image, its page table, and the level-3 table above all of it.
 */
bool kernel_main(uint64_t params, uint64_t output, uint64_t image, uint64_t image_table,
		 uint64_t high_root);

/* Lets kernel_main return false, with a text, from wherever it is. */
_Noreturn void boot_fail(const char *format, va_list arguments);

/* From entry.S, on the CPU's own tables and stack. */
_Noreturn void cpu_main(struct cpu *cpu);

/* entry.S: returns false from the entry function. */
_Noreturn void entry_abort(void);

#endif

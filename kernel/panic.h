/* SPDX-License-Identifier: MIT */
#ifndef PANIC_H
#define PANIC_H

#include "console/format.h"

struct cpu;

/* In the record of a panic that no trap caused: RIP and RSP are the caller's, the rest is zero. */
#define PANIC_VECTOR (~0ull)

/*
 * This CPU cannot go on: the text is logged and given to the backend, the state page says FAULTED,
 * and the CPU waits for whatever takes it away. The status byte stays as it is, so the driver
 * notices by its time limit. During boot the entry function returns false with the text instead.
 */
_Noreturn void panic(struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * The same in two steps, for whoever fills the state page's record in between. A CPU that fails
 * between them, or in the second, spins at once.
 */
void panic_begin(struct cpu *cpu);
_Noreturn void panic_end(struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

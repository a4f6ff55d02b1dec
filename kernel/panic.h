/* SPDX-License-Identifier: MIT */
#ifndef PANIC_H
#define PANIC_H

#include "console/format.h"

struct cpu;

/*
 * This CPU cannot go on: the text is logged, the state page says FAULTED, and the CPU spins until
 * an INIT. The status byte stays as it is, so the driver notices by its time limit. During boot the
 * entry function returns false with the text instead.
 */
_Noreturn void panic(struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

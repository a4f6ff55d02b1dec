/* SPDX-License-Identifier: MIT */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "cpu.h"

/* Serves the commands of a CPU whose status is IDLE, or already RUN, until REMOVE. */
_Noreturn void dispatch(struct cpu *cpu);

#endif

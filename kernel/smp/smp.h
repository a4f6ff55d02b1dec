/* SPDX-License-Identifier: MIT */
/*
 * How the CPUs get from wherever they are into cpu_main. Exactly one file is linked into an image:
 * caller.c where the caller starts them, and only needs to know where each has to go; fan_out.c
 * where the kernel starts them itself.
 */
#ifndef SMP_H
#define SMP_H

#include <stdbool.h>

#include "boot.h"

/* After params_check, before the first side effect. False with a text in *error. */
bool smp_check(const struct sidecar_boot_params *params, struct sidecar_command_error *error);

/*
 * The control pages are ready: has the memory of each CPU prepared (node_prepare_cpu) and lets the
 * CPUs run. False with a text in *error.
 */
bool smp_start(const struct boot *boot, struct sidecar_command_error *error);

/* On each CPU before its first IDLE: helps with the others, where there is something to help. */
void smp_join(struct cpu *cpu);

/* Where a CPU enters with its tables in RDI and its stack in RSI; arch. */
uint64_t smp_entry(void);

#endif

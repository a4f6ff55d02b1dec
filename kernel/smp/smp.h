/* SPDX-License-Identifier: MIT */
/*
 * How the CPUs get from wherever they are into cpu_main. Where the caller starts them (caller.c)
 * this only leaves word of where each has to go; a world in which the kernel starts them itself
 * has another file behind the same three functions.
 */
#ifndef SMP_H
#define SMP_H

#include <stdbool.h>

#include "boot.h"

/* After params_check, before the first side effect. False with a text in *error. */
bool smp_check(const struct sidecar_boot_params *params, struct sidecar_command_error *error);

/*
 * A CPU's memory is complete, or the CPU is none of ours. ordinal counts the CPUs of all nodes in
 * order, bases included.
 */
void smp_prepare_cpu(const struct boot *boot, const struct sidecar_node_params *node,
		     uint32_t index, uint32_t ordinal);

/* All are: lets them run. False with a text in *error. */
bool smp_start(const struct boot *boot, struct sidecar_command_error *error);

/* Where a CPU enters with its tables in RDI and its stack in RSI; arch. */
uint64_t smp_entry(void);

#endif

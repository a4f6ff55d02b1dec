/* SPDX-License-Identifier: MIT */
/*
 * The boot extension: who is who among the CPUs, by the caller, and where each CPU has its tables,
 * its entry and its state page, by the kernel.
 */
#ifndef SMP_EXTENSION_H
#define SMP_EXTENSION_H

#include <stdbool.h>

#include "boot.h"

bool extension_given(const struct sidecar_boot_params *params);

/*
 * Of an extension that was given: false with a text in *error when it is not where or what it
 * should be, or has other flags than these.
 */
bool extension_check(const struct sidecar_boot_params *params, uint32_t flags,
		     struct sidecar_command_error *error);

/*
 * After extension_check: the kernel's part of every CPU's entry. entry is where one begins that
 * comes through the trampoline.
 */
void extension_fill(const struct boot *boot, uint64_t entry);

#endif

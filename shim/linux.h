/* SPDX-License-Identifier: MIT */
/* A stock Linux kernel, booted by the 64-bit boot protocol (Linux's Documentation/x86/boot.rst). */
#ifndef SHIM_LINUX_H
#define SHIM_LINUX_H

#include "archive.h"
#include "machine.h"

/* Keeps the kernel's place free of everything else; the first to be called. */
void linux_reserve(struct machine *machine, const struct file *kernel);

/* initrd is page aligned. device_tree may be NULL; a kernel that knows no device tree ignores it.
 */
_Noreturn void linux_boot(struct machine *machine, const struct file *initrd,
			  const char *command_line, const void *device_tree,
			  uint32_t device_tree_size);

#endif

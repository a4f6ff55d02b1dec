/* SPDX-License-Identifier: MIT */
/*
 * The PVH protocol gives a loader one file beside the program. It is a cpio archive ("newc"), as
 * `cpio -o -H newc` writes it, with the files
 *
 *   kernel   the sidecar kernel; without it there is no sidecar
 *   linux    Linux's bzImage
 *   initrd   may be missing
 */
#ifndef SHIM_ARCHIVE_H
#define SHIM_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

struct file {
	const void *bytes;
	uint64_t size; /* 0: there is none */
};

/* False when the archive is damaged in front of it, or has no such file. */
bool archive_find(const struct file *archive, const char *name, struct file *found);

#endif

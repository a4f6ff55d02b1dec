/* SPDX-License-Identifier: MIT */
/* The files of a run: a cpio archive, "newc", as `cpio -o -H newc` writes it. */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

struct archive {
	const uint8_t *base;
	uint64_t size;
};

/* False when there is no such file. *data stays in the archive. */
bool archive_find(const struct archive *archive, const char *name, const uint8_t **data,
		  uint64_t *size);

#endif

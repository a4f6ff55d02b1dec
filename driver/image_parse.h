/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The sidecar kernel's ELF file: every offset and size is checked before it is used, because the
 * file may be truncated, damaged or something else altogether.
 */
#ifndef SCDRV_IMAGE_PARSE_H
#define SCDRV_IMAGE_PARSE_H

#include "pure.h"

struct image_layout {
	size_t size;	/* bytes in memory, BSS included */
	uint64_t entry; /* these offsets are from the image's base */
	uint32_t trampoline;
	uint32_t trampoline_size;
	uint32_t backend;
};

/*
 * 0, or -ENOEXEC (not such a file), -EFBIG, -ENODEV (made for another backend), with a text. The
 * file must be 8-byte aligned in memory.
 */
int image_parse(const void *file, size_t file_size, uint32_t backend, struct image_layout *layout,
		char text[PURE_TEXT_SIZE]);

/* Copies the segments of a file that image_parse accepted to zeroed memory of layout->size. */
void image_place(const void *file, void *memory);

#endif

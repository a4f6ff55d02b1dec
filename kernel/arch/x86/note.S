/* SPDX-License-Identifier: MIT */
/* What a loader must know of the image beside its segments: struct sidecar_image_note. */
#include "offsets.h"

	.section .note.sidecar, "a", @note
	.balign	4
	.long	2f - 1f				/* size of the name, its NUL included */
	.long	SIDECAR_NOTE_SIZE
	.long	SIDECAR_NOTE_TYPE
1:	.asciz	"libsidecar"		/* SIDECAR_NOTE_NAME: offsets.c compares */
2:	.balign	4
	.long	SIDECAR_EXTENSION_VERSION
	.long	IMAGE_BACKEND
	/* The last two words, where the trampoline is, are the linker script's. */

	.section .note.GNU-stack, "", @progbits

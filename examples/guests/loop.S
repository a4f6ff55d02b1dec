/* SPDX-License-Identifier: MIT */
/* Never ends and never exits; counts its rounds in memory. */
#include "ports.h"

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
1:	incl	LOOP_COUNTER
	jmp	1b

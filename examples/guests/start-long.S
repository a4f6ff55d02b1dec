/* SPDX-License-Identifier: MIT */
/*
 * A guest that is started in 64-bit mode already, by a VMM that has made its page tables: where the
 * guest's memory does not begin at GPA 0, as in a whole machine that is the guest.
 */
#include "ports.h"

	.section .text.start, "ax"
	.globl _start
_start:
	movl	$GUEST_BASE, %esp
	xorl	%ebp, %ebp
	call	main
1:	hlt
	jmp	1b

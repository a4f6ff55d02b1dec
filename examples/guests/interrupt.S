/* SPDX-License-Identifier: MIT */
/*
 * Waits, interruptible, for vector 0x21, and prints an I for it; for NMI an N. Between them it
 * spins, so that only a deliverable event moves it. A HLT ends it after both.
 */
#include "ports.h"

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$GUEST_BASE, %sp
	movw	$on_nmi, 2 * 4
	movw	%ax, 2 * 4 + 2
	movw	$on_interrupt, 0x21 * 4
	movw	%ax, 0x21 * 4 + 2
	sti
1:	cmpw	$3, seen
	jne	1b
2:	hlt
	jmp	2b

on_nmi:
	orw	$1, seen
	movb	$'N', %al
	outb	%al, $PORT_PRINT
	iretw

on_interrupt:
	orw	$2, seen
	movb	$'I', %al
	outb	%al, $PORT_PRINT
	iretw

seen:
	.word	0

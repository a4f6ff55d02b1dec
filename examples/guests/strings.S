/* SPDX-License-Identifier: MIT */
/* Port I/O of every kind: both directions, three sizes, immediate port and DX, string and REP. */
#include "ports.h"

#define PORT 0x3f8

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	$PORT, %dx
	movl	$0x11223344, %eax
	outb	%al, $0x80
	outw	%ax, %dx
	outl	%eax, %dx
	inb	$0x80, %al
	inw	%dx, %ax
	inl	%dx, %eax
	movw	$data, %si
	movw	$LOOP_COUNTER, %di
	movw	$3, %cx
	outsb
	insw
	rep outsl
	movw	$2, %cx
	rep insb
1:	hlt
	jmp	1b

data:
	.ascii	"0123456789abcdef"

/* SPDX-License-Identifier: MIT */
/* Greets in 16-bit real mode, and says back its input, which it reads byte by byte. */
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
	xorl	%ebp, %ebp		/* exits so far */

	movw	$greeting, %si
	call	print
	movw	$PORT_INPUT_LENGTH, %dx
	inl	%dx, %eax
	incl	%ebp
	movl	%eax, %ecx
	testl	%ecx, %ecx
	jz	2f
1:	inb	$PORT_INPUT_BYTE, %al
	outb	%al, $PORT_PRINT
	addl	$2, %ebp
	decl	%ecx
	jnz	1b

2:	leal	2(%ebp), %eax		/* the next OUT and the HLT */
	movw	$PORT_EXITS, %dx
	outl	%eax, %dx
3:	hlt
	jmp	3b

/* Prints the string at DS:SI. */
print:
	lodsb
	testb	%al, %al
	jz	1f
	outb	%al, $PORT_PRINT
	incl	%ebp
	jmp	print
1:	ret

greeting:
	.asciz	"hello from 16-bit real mode\n"

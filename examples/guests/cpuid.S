/* SPDX-License-Identifier: MIT */
/* Prints the vendor of its processor, as the VMM's answer to CPUID has it. */
#include "ports.h"

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%ecx, %esi
	movl	%ebx, %eax
	call	print_word
	movl	%edx, %eax
	call	print_word
	movl	%esi, %eax
	call	print_word
	movb	$'\n', %al
	outb	%al, $PORT_PRINT
	movl	$(1 + 3 * 4 + 1 + 2), %eax
	movw	$PORT_EXITS, %dx
	outl	%eax, %dx
1:	hlt
	jmp	1b

/* Prints the four characters of EAX; AL is the first. */
print_word:
	movw	$4, %cx
1:	outb	%al, $PORT_PRINT
	shrl	$8, %eax
	loop	1b
	ret

/* SPDX-License-Identifier: MIT */
/* Reads and writes an MSR that no processor has. */
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	movl	$0x12345678, %ecx
	rdmsr
	movl	$0x89abcdef, %eax
	movl	$0x01234567, %edx
	wrmsr
1:	hlt
	jmp	1b

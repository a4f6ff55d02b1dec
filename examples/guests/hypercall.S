/* SPDX-License-Identifier: MIT */
/* One hypercall, with a number in each register that its message carries. */
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	movl	$1, %eax
	movl	$2, %ebx
	movl	$3, %ecx
	movl	$4, %edx
	movl	$5, %esi
	movl	$6, %edi
	vmmcall
1:	hlt
	jmp	1b

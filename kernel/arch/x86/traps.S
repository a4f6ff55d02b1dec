/* SPDX-License-Identifier: MIT */
/*
 * One stub a vector, TRAP_STUB_SIZE bytes each. All build a struct trap_frame on whatever stack the
 * processor chose and call trap(). Interrupts are off from the gate to the iret.
 */
#include "offsets.h"

	.section .text, "ax"

	.balign	TRAP_STUB_SIZE
	.globl	trap_stubs
	.hidden	trap_stubs
trap_stubs:
	vector = 0
	.rept	256
	.balign	TRAP_STUB_SIZE
	/* APM vol. 2, table 8-1: these push an error code, the others get a 0. */
	has_error_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	has_error_code = has_error_code || vector == 21 || vector == 29 || vector == 30
	.if	!has_error_code
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

trap_common:
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%r11
	pushq	%r10
	pushq	%r9
	pushq	%r8
	pushq	%rdi
	pushq	%rsi
	pushq	%rbp
	pushq	%rsp			/* RSP's slot; its value is in the frame's end */
	pushq	%rbx
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	cld
	movq	%rsp, %rdi
	subq	$8, %rsp		/* after 5 + 2 + 16 words: aligned to 16 */
	call	trap
	addq	$8, %rsp
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rbx
	addq	$8, %rsp
	popq	%rbp
	popq	%rsi
	popq	%rdi
	popq	%r8
	popq	%r9
	popq	%r10
	popq	%r11
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	addq	$16, %rsp		/* vector and error code */
	iretq

	.section .note.GNU-stack, "", @progbits

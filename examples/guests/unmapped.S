/* SPDX-License-Identifier: MIT */
/* Reads, then writes, where no guest has memory, in 32-bit protected mode. */
#define NOWHERE 0xc0000000

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $protected_mode

	.code32
protected_mode:
	movl	$16, %eax
	movl	%eax, %ds
	movl	NOWHERE, %eax
	movl	%eax, NOWHERE
1:	hlt
	jmp	1b

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* 32-bit code */
	.quad	0x00cf92000000ffff	/* data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

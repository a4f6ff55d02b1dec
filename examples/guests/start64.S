/* SPDX-License-Identifier: MIT */
/*
 * From 16-bit real mode to main() in long mode: the first 4 GiB mapped as they are with 2 MiB
 * pages, interrupts off, no IDT (an exception ends the guest). All tables are below GUEST_BASE.
 */
#include "ports.h"

#define PML4 0x1000
#define PDPT 0x2000
#define PD 0x3000	/* four of them */
#define STACK_END GUEST_BASE	/* 4 KiB above the tables */

#define TABLE_FLAGS 0x03	/* present, writable */
#define LARGE_FLAGS 0x83	/* and a large page */

#define CR0_PE_PG_NE_ET 0x80000031
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es

	movw	$PML4, %di
	xorl	%eax, %eax
	movw	$((STACK_END - PML4) / 4), %cx
	rep stosl
	movl	$(PDPT + TABLE_FLAGS), PML4
	movl	$(PD + TABLE_FLAGS), %eax
	movw	$PDPT, %di
1:	movl	%eax, (%di)
	addw	$8, %di
	addl	$0x1000, %eax
	cmpw	$(PDPT + 4 * 8), %di
	jne	1b
	movl	$LARGE_FLAGS, %eax
	movw	$PD, %di
1:	movl	%eax, (%di)
	addw	$8, %di
	addl	$0x200000, %eax
	cmpw	$(PD + 4 * 0x1000), %di
	jne	1b

	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME, %eax
	xorl	%edx, %edx
	wrmsr
	lgdtl	gdt_pointer
	movl	$CR0_PE_PG_NE_ET, %eax
	movl	%eax, %cr0
	ljmpl	$8, $long_mode

	.code64
long_mode:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$STACK_END, %esp
	xorl	%ebp, %ebp
	call	main
1:	hlt
	jmp	1b

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9a000000ffff	/* 64-bit code */
	.quad	0x00cf92000000ffff	/* data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

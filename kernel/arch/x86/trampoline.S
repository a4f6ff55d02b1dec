/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU wakes from SIPI: a copy of this code at the beginning of a page below 1 MiB, with
 * struct sidecar_trampoline at SIDECAR_TRAMPOLINE_DATA of the same page. Real mode, CS is the page,
 * IP is 0, nothing else is known. Straight to 64-bit mode, then to the CPU's own entry.
 *
 * Any number of CPUs may be here at once. They store the same values in the same words, and none
 * has a stack but the conductor.
 */
#include "offsets.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC_BIT 10
#define MSR_X2APIC_ID 0x802
#define XAPIC_ID 0xfee00020
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define CR0_START 0x80010033		/* PG WP NE ET MP PE; not CD, NW: INIT set them */
#define CR4_START 0x620			/* PAE OSFXSR OSXMMEXCPT */

/* Offsets in the page, for the code that runs before any address is known. */
#define IN_PAGE(symbol) (symbol - trampoline)

/* Registers from 64-bit mode on: RBX the data, R12 the APIC ID. */
#define DATA(field) TRAMPOLINE_##field(%rbx)

	.section .text.trampoline, "ax"

	.globl	trampoline, trampoline_end
	.hidden	trampoline, trampoline_end
trampoline:
	.code16
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movzwl	%ax, %ebx
	shll	$4, %ebx			/* PA of the page */

	leal	IN_PAGE(gdt)(%ebx), %eax
	movl	%eax, IN_PAGE(gdt_base)
	leal	IN_PAGE(long_mode)(%ebx), %eax
	movl	%eax, IN_PAGE(long_mode_target)

	movl	$CR4_START, %eax
	movl	%eax, %cr4
	movl	SIDECAR_TRAMPOLINE_DATA + TRAMPOLINE_CR3, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME_NXE, %eax
	xorl	%edx, %edx
	wrmsr
	lgdtl	IN_PAGE(gdt_limit)
	movl	$CR0_START, %eax
	movl	%eax, %cr0
	ljmpl	*IN_PAGE(long_mode_target)

	.code64
long_mode:
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebx, %ebx			/* the upper half is undefined after the switch */
	addq	$SIDECAR_TRAMPOLINE_DATA, %rbx

	movl	$MSR_APIC_BASE, %ecx
	rdmsr
	btl	$APIC_BASE_X2APIC_BIT, %eax
	jc	1f
	movl	$XAPIC_ID, %eax
	movl	(%rax), %eax
	shrl	$24, %eax
	jmp	2f
1:	movl	$MSR_X2APIC_ID, %ecx
	rdmsr
2:	movl	%eax, %r12d

	cmpl	$0, DATA(PARK)
	jne	park
	cmpl	%r12d, DATA(CONDUCTOR_APIC_ID)
	je	conduct

enter:	/* Each of the others, and the conductor when it is done, to its own entry. */
	movq	DATA(EXTENSION), %rsi
	movl	EXTENSION_CPU_COUNT(%rsi), %ecx
	addq	$EXTENSION_SIZE, %rsi
1:	subl	$1, %ecx
	jb	lose
	cmpl	%r12d, EXTENSION_CPU_APIC_ID(%rsi)
	je	2f
	addq	$EXTENSION_CPU_SIZE, %rsi
	jmp	1b
2:	movq	EXTENSION_CPU_ENTRY(%rsi), %rax
	testq	%rax, %rax			/* known, but not the sidecar's to start */
	jz	lose
	movq	EXTENSION_CPU_CR3(%rsi), %rdi
	movq	EXTENSION_CPU_STACK(%rsi), %rsi
	jmp	*%rax

conduct:
	movq	DATA(CONDUCTOR_STACK), %rsp
	andq	$-16, %rsp
	movq	DATA(PARAMS), %rdi
	movq	DATA(OUTPUT), %rsi
	call	*DATA(IMAGE_ENTRY)		/* keeps RBX and R12 */
	testb	%al, %al
	jz	fail
	movq	DATA(EXTENSION), %rsi
	movq	EXTENSION_BOOT_PML4E(%rsi), %rax
	movq	%cr3, %rcx
	andq	$-4096, %rcx
	movq	%rax, IMAGE_PML4_ENTRY(%rcx)
	movq	%cr3, %rcx
	movq	%rcx, %cr3
	/* Stores stay in order: whoever sees the result sees all that entry did. */
	movl	$SIDECAR_CONDUCTOR_DONE, DATA(CONDUCTOR_RESULT)
	jmp	enter
fail:
	movl	$SIDECAR_CONDUCTOR_FAILED, DATA(CONDUCTOR_RESULT)
	jmp	spin
lose:
	movl	%r12d, DATA(LOST_APIC_ID)
	lock incl DATA(LOST)
	jmp	spin
park:
	lock incl DATA(PARKED)
spin:	/* Never hlt: an INIT to a halted CPU may only be latched. */
	cli
	pause
	jmp	spin

	.balign	8
gdt:
	.quad	0
	.quad	GDT_CODE
	.quad	GDT_DATA
gdt_limit:
	.word	. - gdt - 1
gdt_base:
	.long	0
long_mode_target:
	.long	0
	.word	SELECTOR_CODE
trampoline_end:

	.section .note.GNU-stack, "", @progbits

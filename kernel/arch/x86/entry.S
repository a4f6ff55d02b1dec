/* SPDX-License-Identifier: MIT */
/*
 * The two ways into the kernel, and the one way out.
 *
 * entry(RDI = PA of the parameters, RSI = PA of the output) -> AL
 *	System V calling convention, 64-bit mode, CPL 0, on the caller's tables, which map all
 *	memory that matters at its physical address, themselves included, and writable. Borrows
 *	entry 511 of the caller's PML4. Gives back every register and table as it was.
 *
 * cpu_entry(RDI = PA of the CPU's tables, RSI = VA of its stack's end), never returns
 *	64-bit mode, CPL 0, interrupts off, on any tables that map the image at IMAGE_VA.
 */
#include "offsets.h"

#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800

	.section .text.entry, "ax"

	.globl	entry
	.hidden	entry
entry:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	cli
	cld
	movq	%rdi, %r12			/* parameters */
	movq	%rsi, %r13			/* output */

	/* The loader does not clear what is not in the file, and a reboot leaves anything there. */
	leaq	image_bss(%rip), %rdi
	leaq	image_end(%rip), %rcx
	subq	%rdi, %rcx
	shrq	$3, %rcx
	xorl	%eax, %eax
	rep stosq

	movq	%rsp, %rbx			/* low_prepare gets an aligned stack */
	andq	$-16, %rsp
	leaq	BOOT_OUTPUT_ERROR(%r13), %rdi
	call	low_prepare
	movq	%rbx, %rsp
	testb	%al, %al
	jz	return

	/* What the caller has, in the order in which it is needed last. */
	movl	$MSR_EFER, %ecx
	rdmsr
	pushq	%rdx
	pushq	%rax
	orl	$EFER_NXE, %eax			/* our tables use the bit */
	wrmsr
	movq	%cr3, %r14
	pushq	%r14
	movq	%r14, %rbx
	andq	$-4096, %rbx			/* the caller's PML4 */
	pushq	IMAGE_PML4_ENTRY(%rbx)
	movl	%ss, %eax
	pushq	%rax
	movl	%cs, %eax
	pushq	%rax
	subq	$16, %rsp
	sgdt	(%rsp)
	subq	$16, %rsp
	sidt	(%rsp)
	leaq	image_start(%rip), %rbp
	pushq	%rbp
	movq	%r14, caller_cr3(%rip)
	movq	%rsp, caller_stack(%rip)

	/* High, on the caller's tables; then on ours. */
	leaq	boot_memory(%rip), %r15
	leaq	BOOT_MEMORY_PDPT + PTE_TABLE(%r15), %rax
	movq	%rax, IMAGE_PML4_ENTRY(%rbx)
	movq	%r14, %cr3
	leaq	high(%rip), %rax
	subq	%rbp, %rax
	movabsq	$IMAGE_VA, %rdx
	addq	%rdx, %rax
	jmp	*%rax
high:
	leaq	BOOT_MEMORY_PML4(%r15), %rax
	movq	%rax, %cr3
	movabsq	$STACK_END_VA, %rsp

	leaq	boot_gdt(%rip), %rax
	pushq	%rax
	subq	$8, %rsp
	movw	$(boot_gdt_end - boot_gdt - 1), 6(%rsp)
	lgdt	6(%rsp)
	leaq	boot_idt(%rip), %rax
	movq	%rax, 8(%rsp)
	movw	$BOOT_IDT_LIMIT, 6(%rsp)
	lidt	6(%rsp)
	addq	$16, %rsp
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ss
	pushq	$SELECTOR_CODE
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:
	movq	%r12, %rdi
	movq	%r13, %rsi
	movq	%rbp, %rdx
	leaq	BOOT_MEMORY_IMAGE(%r15), %rcx
	leaq	BOOT_MEMORY_PDPT(%r15), %r8
	call	kernel_main
	movzbl	%al, %r12d

leave:	/* R12 is the result; everything else that is needed is in memory. */
	movq	caller_cr3(%rip), %rax
	movq	caller_stack(%rip), %rsp
	movq	%rax, %cr3
	popq	%rbp
	leaq	low(%rip), %rax
	movabsq	$IMAGE_VA, %rdx
	subq	%rdx, %rax
	addq	%rbp, %rax
	jmp	*%rax
low:
	lidt	(%rsp)
	addq	$16, %rsp
	lgdt	(%rsp)
	addq	$16, %rsp
	popq	%rcx
	popq	%rax
	movl	%eax, %ss
	pushq	%rcx
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:
	popq	%rdx				/* entry 511 */
	popq	%rax				/* CR3 */
	movq	%rax, %rcx
	andq	$-4096, %rcx
	movq	%rdx, IMAGE_PML4_ENTRY(%rcx)
	movq	%rax, %cr3
	popq	%rax
	popq	%rdx
	movl	$MSR_EFER, %ecx
	wrmsr
	movl	%r12d, %eax
return:
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.globl	entry_abort
	.hidden	entry_abort
entry_abort:
	xorl	%r12d, %r12d
	jmp	leave

	.globl	cpu_entry
	.hidden	cpu_entry
cpu_entry:
	movq	%rdi, %cr3
	movq	%rsi, %rsp
	xorl	%ebp, %ebp
	movabsq	$GLOBALS_VA, %rdi
	call	cpu_main
	ud2

	.section .rodata, "a"
	.balign	8
boot_gdt:
	.quad	0
	.quad	GDT_CODE
	.quad	GDT_DATA
boot_gdt_end:

	.bss
	.balign	8
caller_cr3:
	.quad	0
caller_stack:
	.quad	0

	.section .note.GNU-stack, "", @progbits

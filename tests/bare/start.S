/* SPDX-License-Identifier: MIT */
/*
 * From a multiboot loader (32-bit, paging off, EBX = its information) to loader_main in 64-bit
 * mode, with 8 GiB mapped at their physical addresses.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x10000			/* the addresses below are valid */

	.section .text.start, "ax"
	.code32
	.balign	4
header:
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)
	.long	header, image_start, image_file_end, image_end, start

	.globl	start
start:
	cli
	movl	$stack_end, %esp
	movl	%ebx, %ebp
	movl	$pml4, %edi
	movl	$pdpt + 3, (%edi)
	movl	$pdpt, %edi
	movl	$pd + 3, %eax
	movl	$8, %ecx
1:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	1b
	movl	$pd, %edi
	movl	$0x83, %eax			/* present, writable, 2 MiB */
	xorl	%edx, %edx
	movl	$8 * 512, %ecx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$0x200000, %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	1b
	movl	$0x620, %eax			/* PAE OSFXSR OSXMMEXCPT */
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	movl	$0x100, %eax			/* LME, and no NXE: entry has to set it */
	xorl	%edx, %edx
	wrmsr
	movl	$0x80010033, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$0x18, $long_mode

	.code64
long_mode:
	movl	$0x20, %eax			/* selectors that the kernel's GDT has not */
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	%ebp, %edi
	call	loader_main
1:	hlt
	jmp	1b

/* bool call_entry(uint64_t entry, params, output): checks that what must survive does. */
	.globl	call_entry
call_entry:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rsp, saved_stack
	movq	$0x1111, %rbx
	movq	$0x2222, %rbp
	movq	$0x3333, %r12
	movq	$0x4444, %r13
	movq	$0x5555, %r14
	movq	$0x6666, %r15
	std					/* DF may not matter to it, and comes back */
	call	*%rax
	pushfq
	popq	%rcx
	cld
	testl	$0x400, %ecx
	jz	bad
	cmpq	%rsp, saved_stack
	jne	bad
	cmpq	$0x1111, %rbx
	jne	bad
	cmpq	$0x2222, %rbp
	jne	bad
	cmpq	$0x3333, %r12
	jne	bad
	cmpq	$0x4444, %r13
	jne	bad
	cmpq	$0x5555, %r14
	jne	bad
	cmpq	$0x6666, %r15
	jne	bad
	movzbl	%al, %eax
	jmp	1f
bad:	movq	saved_stack, %rsp
	movl	$2, %eax
1:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.section .rodata, "a"
	.balign	8
gdt:	.quad	0, 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt, 0

	.bss
	.balign	4096
	.globl	pml4
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	8 * 4096
	.skip	65536
stack_end:
saved_stack:
	.skip	8

	.section .note.GNU-stack, "", @progbits

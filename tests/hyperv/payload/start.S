/* SPDX-License-Identifier: MIT */
/*
 * The first VP of VTL2, from PVH (32-bit, paging off, EBX = start information) to payload_main;
 * other VPs, from StartVirtualProcessor to payload_vp_main; interrupts; the VTL return.
 */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18
	.asciz	"Xen"
	.quad	pvh_start

	.text
	.code32
pvh_start:
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
	movl	$0x83, %eax
	xorl	%edx, %edx
	movl	$8 * 512, %ecx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$0x200000, %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	1b
	movl	$0x620, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	movl	$0x900, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x80010033, %eax
	movl	%eax, %cr0
	lgdt	payload_gdt_pointer
	ljmp	$0x18, $long_mode

	.code64
long_mode:
	movl	$0x20, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	%ebp, %edi
	call	payload_main
1:	hlt
	jmp	1b

/* A VP of StartVirtualProcessor: RSP is set, the rest is in its context. */
	.globl	payload_vp_entry
payload_vp_entry:
	xorl	%ebp, %ebp
	call	payload_vp_main
	ud2

/*
 * void vtl_return(uint64_t *gps, const void *code, uint64_t control): into VTL0 and back, with the
 * general registers but RAX, RCX and RSP of VTL0 in gps. The three travel in the VP assist page
 * and the hypervisor.
 */
	.globl	vtl_return
vtl_return:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	%rsi, %rax
	movq	%rdx, %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x28(%rdi), %rbp
	movq	0x30(%rdi), %rsi
	movq	0x40(%rdi), %r8
	movq	0x48(%rdi), %r9
	movq	0x50(%rdi), %r10
	movq	0x58(%rdi), %r11
	movq	0x60(%rdi), %r12
	movq	0x68(%rdi), %r13
	movq	0x70(%rdi), %r14
	movq	0x78(%rdi), %r15
	movq	0x38(%rdi), %rdi
	call	*%rax
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rdx, 0x10(%rdi)
	movq	%rbx, 0x18(%rdi)
	movq	%rbp, 0x28(%rdi)
	movq	%rsi, 0x30(%rdi)
	popq	0x38(%rdi)
	movq	%r8, 0x40(%rdi)
	movq	%r9, 0x48(%rdi)
	movq	%r10, 0x50(%rdi)
	movq	%r11, 0x58(%rdi)
	movq	%r12, 0x60(%rdi)
	movq	%r13, 0x68(%rdi)
	movq	%r14, 0x70(%rdi)
	movq	%r15, 0x78(%rdi)
	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* uint64_t hypercall_asm(uint64_t control, uint64_t in, uint64_t out, const void *page) */
	.globl	hypercall_asm
hypercall_asm:
	movq	%rcx, %rax
	movq	%rdx, %r8
	movq	%rsi, %rdx
	movq	%rdi, %rcx
	call	*%rax
	ret

/*
 * unsigned int call_entry(uint64_t entry, params, output): the sidecar kernel's entry function, and
 * whether the registers that a callee keeps are kept: 2 = they are not.
 */
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
	call	*%rax
	pushfq
	popq	%rcx
	cld
	testl	$0x400, %ecx		/* DF */
	jnz	bad
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

/* 256 gates, 16 bytes apart. */
	.globl	gates
	.balign	16
gates:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	!(vector == 8 || vector == 17 || (vector >= 10 && vector <= 14))
	pushq	$0
	.endif
	pushq	$vector
	jmp	gate_common
	.set	vector, vector + 1
	.endr

gate_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	movq	72(%rsp), %rdi		/* vector */
	movq	80(%rsp), %rsi		/* error code */
	leaq	88(%rsp), %rdx		/* the frame: RIP, CS, RFLAGS, RSP, SS */
	cld
	call	payload_interrupt
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .rodata, "a"
	.balign	8
	.globl	payload_gdt, payload_gdt_pointer
payload_gdt:
	.quad	0, 0, 0x00af9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
payload_gdt_pointer:
	.word	. - payload_gdt - 1
	.long	payload_gdt, 0

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

/* SPDX-License-Identifier: MIT */
/*
 * Every way into L0: from QEMU by PVH (32-bit, paging off, EBX = hvm_start_info), from SIPI through
 * the trampoline page, from a guest by #VMEXIT, from a fault of L0's own.
 */
#include "layout.h"

#define CR0_LONG 0x80010033		/* PG WP NE ET MP PE */
#define CR4_LONG 0x620			/* PAE OSFXSR OSXMMEXCPT */

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18		/* sizes of name and descriptor, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	pvh_start

	.section .text.start, "ax"
	.code32
pvh_start:
	cli
	movl	$boot_stack_end, %esp
	movl	%ebx, %ebp
	movl	$host_pml4, %edi
	movl	$host_pdpt + 3, (%edi)
	/* The first 4 GiB in 2 MiB pages: MMIO lies there. */
	movl	$host_pdpt, %edi
	movl	$host_pd + 3, %eax
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	1b
	/* From there to 512 GiB in 1 GiB pages. */
	movl	$0x83, %eax
	movl	$1, %edx
	movl	$508, %ecx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$0x40000000, %eax
	adcl	$0, %edx
	addl	$8, %edi
	loop	1b
	movl	$host_pd, %edi
	movl	$0x83, %eax
	movl	$4 * 512, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	movl	$CR4_LONG, %eax
	movl	%eax, %cr4
	movl	$host_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	movl	$0x1900, %eax		/* SVME NXE LME */
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	lgdt	host_gdt_pointer
	ljmp	$0x08, $boot64

	.code64
boot64:
	movl	$0x10, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	%ebp, %edi
	call	boot_main
1:	cli
	hlt
	jmp	1b

/*
 * The trampoline, copied to TRAMPOLINE: real mode with CS = TRAMPOLINE >> 4, straight to long mode.
 */
	.code16
	.globl	trampoline, trampoline_end
	.balign	16
trampoline:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	movl	$CR4_LONG, %eax
	movl	%eax, %cr4
	movl	$host_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	movl	$0x1900, %eax
	xorl	%edx, %edx
	wrmsr
	lgdtl	trampoline_gdt_pointer - trampoline
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $ap64
	.balign	8
trampoline_gdt_pointer:
	.word	host_gdt_end - host_gdt - 1
	.long	host_gdt
trampoline_end:

/* Slots are given away once, in order of arrival; slot 0 is the BSP's. */
	.code64
ap64:
	movl	$0x10, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	$APIC, %eax
	movl	0x20(%rax), %ebx
	shrl	$24, %ebx
	movzbl	slot_of_apic(%rbx), %edi
	testl	%edi, %edi
	jnz	1f
	movl	$1, %edi
	lock xaddl %edi, slot_count
	movb	%dil, slot_of_apic(%rbx)
1:	movl	%edi, %eax
	imulq	$CPU_SIZE, %rax, %rax
	leaq	cpus + CPU_STACK_END(%rax), %rsp
	movl	%ebx, %esi
	call	cpu_arrive		/* slot, APIC ID */
1:	cli
	hlt
	jmp	1b

	.text
/*
 * void guest_enter(uint64_t *gps, uint64_t vmcb_pa): to the guest and back. GIF is 0 before and
 * after; IF = 1 lets physical interrupts end a guest that has V_INTR_MASKING. gps are in the order
 * of the encoding; RAX and RSP are in the VMCB.
 */
	.globl	guest_enter
guest_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	%rsi, %rax
	movq	0x08(%rdi), %rcx
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
	sti
	vmload	%rax
	vmrun	%rax
	.globl	guest_left
guest_left:
	vmsave	%rax
	cli
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rcx, 0x08(%rdi)
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

/* void nmi_take(void): takes the NMI that ended a guest and is still pending. */
	.globl	nmi_take
nmi_take:
	stgi
	nop
	clgi
	ret

	.balign	16
nmi_return:
	iretq

/* A gate for each exception, 16 bytes apart; those without an error code push a zero. */
	.globl	fault_gates
	.balign	16
fault_gates:
	.set	vector, 0
	.rept	32
	.balign	16
	.if	vector == 2
	jmp	nmi_return
	.else
	.if	!(vector == 8 || vector == 17 || (vector >= 10 && vector <= 14))
	pushq	$0
	.endif
	pushq	$vector
	jmp	fault_common
	.endif
	.set	vector, vector + 1
	.endr

fault_common:
	popq	%rdi			/* vector */
	popq	%rsi			/* error code */
	movq	(%rsp), %rdx		/* RIP */
	movq	%cr2, %rcx
	andq	$-16, %rsp
	call	boot_fault
1:	cli
	hlt
	jmp	1b

	.section .rodata, "a"
	.balign	8
	.globl	host_gdt
host_gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
host_gdt_end:
host_gdt_pointer:
	.word	host_gdt_end - host_gdt - 1
	.long	host_gdt, 0

	.data
	.balign	4
	.globl	slot_count
slot_count:
	.long	1

	.bss
	.balign	4096
	.globl	host_pml4
host_pml4:
	.skip	4096
host_pdpt:
	.skip	4096
host_pd:
	.skip	4 * 4096
	.skip	16384
boot_stack_end:
	.globl	slot_of_apic
slot_of_apic:
	.skip	256

	.section .note.GNU-stack, "", @progbits

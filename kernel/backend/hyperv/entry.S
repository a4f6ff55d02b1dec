/* SPDX-License-Identifier: MIT */
/*
 * Where the CPU crosses into the hypervisor, and where it comes from it.
 *
 * hyperv_hypercall_page: this kernel's own copy of the page with the hypervisor's call
 *	instructions; the shim takes its page away. Code, therefore never writable: backend_boot
 *	fills it by its physical address.
 *
 * uint64_t hyperv_hypercall(uint64_t control, uint64_t input, uint64_t output)
 *	Input and output are physical addresses, or 0. Returns the result word. The page expects
 *	RCX, RDX and R8, and may destroy what a C function may.
 *
 * void hyperv_vtl_return(struct hyperv_guest *guest, uint64_t code)
 *	Runs the guest until something enters this VTL. code is the address of the VTL return code
 *	in the page, which takes it in RAX, and RCX = 0: a normal return, with the guest's RAX and
 *	RCX in the VP assist page. RSP, RIP, RFLAGS, segments and control registers are private to
 *	a VTL; all other general-purpose registers are the guest's afterwards.
 *
 * hyperv_vp_start
 *	A VP begins here, on its own tables and stack, with interrupts off.
 *
 * hyperv_vp_entry(RDI = PA of the CPU's tables, RSI = VA of its stack's end)
 *	The same for one that comes through the trampoline: 64-bit mode, CPL 0, interrupts off, on
 *	any tables that map the image at IMAGE_VA.
 */
#include "entry.h"
#include "offsets.h"

	.section .text, "ax"

	.balign	SIDECAR_PAGE_SIZE
	.globl	hyperv_hypercall_page
	.hidden	hyperv_hypercall_page
hyperv_hypercall_page:
	.fill	SIDECAR_PAGE_SIZE, 1, 0xcc

	.globl	hyperv_hypercall
	.hidden	hyperv_hypercall
	.type	hyperv_hypercall, @function
hyperv_hypercall:
	movq	%rdi, %rcx
	movq	%rdx, %r8
	movq	%rsi, %rdx
	jmp	hyperv_hypercall_page
	.size	hyperv_hypercall, . - hyperv_hypercall

	.globl	hyperv_vtl_return
	.hidden	hyperv_vtl_return
	.type	hyperv_vtl_return, @function
hyperv_vtl_return:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

	movq	%rsi, %rax
	xorl	%ecx, %ecx
	movq	HYPERV_GUEST_RDX(%rdi), %rdx
	movq	HYPERV_GUEST_RBX(%rdi), %rbx
	movq	HYPERV_GUEST_RBP(%rdi), %rbp
	movq	HYPERV_GUEST_RSI(%rdi), %rsi
	movq	HYPERV_GUEST_R8(%rdi), %r8
	movq	HYPERV_GUEST_R9(%rdi), %r9
	movq	HYPERV_GUEST_R10(%rdi), %r10
	movq	HYPERV_GUEST_R11(%rdi), %r11
	movq	HYPERV_GUEST_R12(%rdi), %r12
	movq	HYPERV_GUEST_R13(%rdi), %r13
	movq	HYPERV_GUEST_R14(%rdi), %r14
	movq	HYPERV_GUEST_R15(%rdi), %r15
	movq	HYPERV_GUEST_RDI(%rdi), %rdi
	call	*%rax

	xchgq	%rdi, (%rsp)			/* the guest's is on the stack now */
	movq	%rdx, HYPERV_GUEST_RDX(%rdi)
	movq	%rbx, HYPERV_GUEST_RBX(%rdi)
	movq	%rbp, HYPERV_GUEST_RBP(%rdi)
	movq	%rsi, HYPERV_GUEST_RSI(%rdi)
	popq	HYPERV_GUEST_RDI(%rdi)
	movq	%r8, HYPERV_GUEST_R8(%rdi)
	movq	%r9, HYPERV_GUEST_R9(%rdi)
	movq	%r10, HYPERV_GUEST_R10(%rdi)
	movq	%r11, HYPERV_GUEST_R11(%rdi)
	movq	%r12, HYPERV_GUEST_R12(%rdi)
	movq	%r13, HYPERV_GUEST_R13(%rdi)
	movq	%r14, HYPERV_GUEST_R14(%rdi)
	movq	%r15, HYPERV_GUEST_R15(%rdi)

	/* No guest value stays in a register that the compiler could speculate with. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d

	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	hyperv_vtl_return, . - hyperv_vtl_return

	.globl	hyperv_vp_entry
	.hidden	hyperv_vp_entry
hyperv_vp_entry:
	movq	%rdi, %cr3
	movq	%rsi, %rsp
	/* falls through */

	.globl	hyperv_vp_start
	.hidden	hyperv_vp_start
hyperv_vp_start:
	xorl	%ebp, %ebp
	movabsq	$GLOBALS_VA, %rdi
	call	hyperv_vp_main
	ud2

	.section .note.GNU-stack, "", @progbits

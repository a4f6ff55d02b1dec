/* SPDX-License-Identifier: MIT */
/*
 * void svm_enter(struct svm_guest *guest, uint64_t vmcb_pa)
 *
 * Runs the guest until #VMEXIT. Called by run.c in 64-bit mode at CPL 0 with GIF = 1 and IF = 0,
 * and returns so. RDI = guest, RSI = vmcb_pa.
 *
 * VMRUN switches RAX, RSP, RIP, RFLAGS, CRs, DR6, DR7 and CS, DS, ES, SS (APM vol. 2, 15.5.1);
 * VMLOAD and VMSAVE switch FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER; the other
 * general-purpose registers are switched here, DR0-3 and x87/SSE by run.c, once per command.
 *
 * Interrupts: GIF = 0 holds back everything between here and the guest, IF = 1 makes a physical
 * interrupt end the guest (V_INTR_MASKING gives the guest an IF of its own). So an IPI that comes
 * after run.c's last look at the status byte makes VMRUN exit at once, and none is taken in here.
 *
 * Of what VMLOAD loaded the kernel uses only TR, for the IST stacks: it is loaded again before
 * GIF = 1. A host copy for a second VMLOAD would cost a page; FS, GS, LDTR and the MSRs keep the
 * guest's values, which nothing in the kernel reads.
 */
#include "entry.h"

	.section .text, "ax"
	.globl svm_enter
	.type svm_enter, @function
svm_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi

	movq	%rsi, %rax
	movq	SVM_GUEST_RCX(%rdi), %rcx
	movq	SVM_GUEST_RDX(%rdi), %rdx
	movq	SVM_GUEST_RBX(%rdi), %rbx
	movq	SVM_GUEST_RBP(%rdi), %rbp
	movq	SVM_GUEST_RSI(%rdi), %rsi
	movq	SVM_GUEST_R8(%rdi), %r8
	movq	SVM_GUEST_R9(%rdi), %r9
	movq	SVM_GUEST_R10(%rdi), %r10
	movq	SVM_GUEST_R11(%rdi), %r11
	movq	SVM_GUEST_R12(%rdi), %r12
	movq	SVM_GUEST_R13(%rdi), %r13
	movq	SVM_GUEST_R14(%rdi), %r14
	movq	SVM_GUEST_R15(%rdi), %r15
	movq	SVM_GUEST_RDI(%rdi), %rdi

	clgi
	sti
	vmload	%rax
	vmrun	%rax
	vmsave	%rax

	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rcx, SVM_GUEST_RCX(%rdi)
	movq	%rdx, SVM_GUEST_RDX(%rdi)
	movq	%rbx, SVM_GUEST_RBX(%rdi)
	movq	%rbp, SVM_GUEST_RBP(%rdi)
	movq	%rsi, SVM_GUEST_RSI(%rdi)
	popq	SVM_GUEST_RDI(%rdi)
	movq	%r8, SVM_GUEST_R8(%rdi)
	movq	%r9, SVM_GUEST_R9(%rdi)
	movq	%r10, SVM_GUEST_R10(%rdi)
	movq	%r11, SVM_GUEST_R11(%rdi)
	movq	%r12, SVM_GUEST_R12(%rdi)
	movq	%r13, SVM_GUEST_R13(%rdi)
	movq	%r14, SVM_GUEST_R14(%rdi)
	movq	%r15, SVM_GUEST_R15(%rdi)

	/* LTR wants an available TSS; the one that the guest's TR displaced is still marked busy. */
	movq	SVM_GUEST_TSS_DESCRIPTOR(%rdi), %rax
	andb	$~TSS_BUSY, TSS_TYPE_BYTE(%rax)
	ltr	SVM_GUEST_TSS_SELECTOR(%rdi)

	/* No guest value stays in a register that the compiler could speculate with. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d

	cli
	stgi

	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size svm_enter, . - svm_enter

	.section .note.GNU-stack, "", @progbits

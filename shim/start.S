/* SPDX-License-Identifier: MIT */
/*
 * The ways in and out: from the loader by PVH (32-bit, paging off, EBX = hvm_start_info), from an
 * exception, and to Linux by its 64-bit boot protocol.
 */
#define CR0_LONG 0x80010033		/* PG WP NE ET MP PE */
#define CR4_LONG 0x620			/* PAE OSFXSR OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define ELFNOTE_PHYS32_ENTRY 18
#define STACK_SIZE 32768

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.quad	start

	.section .text.start, "ax"
	.code32
	.globl	start
start:
	cli
	cld
	movl	%ebx, %ebp
	/* Nobody promises that memory which is not in the file is 0. */
	movl	$bss_start, %edi
	movl	$bss_end, %ecx
	subl	%edi, %ecx
	shrl	$2, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$stack_end, %esp

	movl	$pml4, %edi
	movl	$pdpt + 3, (%edi)
	/* The first 4 GiB in 2 MiB pages: devices lie there. */
	movl	$pdpt, %edi
	movl	$pd + 3, %eax
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
	movl	$pd, %edi
	movl	$0x83, %eax			/* present, writable, large */
	movl	$4 * 512, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	movl	$CR4_LONG, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME_NXE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$0x10, $long_mode

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebp, %edi
	call	shim_main
1:	cli
	hlt
	jmp	1b

/* _Noreturn void enter_linux(uint64_t entry, void *boot_params): boot.rst, 64-bit boot protocol. */
	.text
	.globl	enter_linux
enter_linux:
	movq	%rdi, %rax
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	jmp	*%rax

/* One stub for each exception; those without an error code push a 0 in its place. */
	.balign	16
	.globl	exception_stubs
exception_stubs:
	vector = 0
	.rept	32
	.balign	16
	.if	(0x60227d00 >> vector) & 1	/* 8 10-14 17 21 29 30 */
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	exception
	vector = vector + 1
	.endr
exception:
	popq	%rdi				/* vector */
	popq	%rsi				/* error code */
	movq	(%rsp), %rdx			/* RIP */
	movq	%cr2, %rcx
	andq	$-16, %rsp
	call	shim_exception

	.section .rodata, "a"
	.balign	8
gdt:	.quad	0, 0
	.quad	0x00af9b000000ffff		/* 0x10, which Linux wants for CS */
	.quad	0x00cf93000000ffff		/* 0x18, for the rest */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt, 0

	.bss
	.balign	4096
	.globl	pml4
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4 * 4096
stack:	.skip	STACK_SIZE
stack_end:

	.section .note.GNU-stack, "", @progbits

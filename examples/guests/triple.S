/* SPDX-License-Identifier: MIT */
/* An exception without an interrupt table: a triple fault. */
	.section .text.start, "ax"
	.code16
	.globl _start
_start:
	cli
	lidtw	%cs:no_table - _start
	ud2

no_table:
	.word	0
	.long	0

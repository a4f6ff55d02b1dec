/* SPDX-License-Identifier: MIT */
/*
 * The image: linked at 0, at most 2 MiB, its rights changing only between pages. Constants include
 * what the relocation code writes; .boot is memory that only the entry function uses, and nothing
 * maps after it.
 */
#include "offsets.h"

OUTPUT_FORMAT("elf64-x86-64")
ENTRY(entry)

PHDRS {
	text PT_LOAD FLAGS(5);
	constant PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
	dynamic PT_DYNAMIC FLAGS(4);
	note PT_NOTE FLAGS(4);
	stack PT_GNU_STACK FLAGS(6);
}

trampoline_offset = trampoline - image_start;
trampoline_size = trampoline_end - trampoline;

SECTIONS {
	. = 0;
	image_start = .;
	.text : {
		*(.text.entry)
		*(.text.trampoline)
		*(.text .text.*)
	} :text
	. = ALIGN(SIDECAR_PAGE_SIZE);
	image_text_end = .;

	.rodata : { *(.rodata .rodata.*) } :constant
	.note.sidecar : {
		KEEP(*(.note.sidecar))
		LONG(trampoline_offset)
		LONG(trampoline_size)
	} :constant :note
	.ex_table : ALIGN(4) {
		image_exceptions = .;
		KEEP(*(.ex_table))
		image_exceptions_end = .;
	} :constant
	.rela.dyn : ALIGN(8) {
		image_relocations = .;
		*(.rela.*)
		image_relocations_end = .;
	} :constant
	.dynsym : { *(.dynsym) } :constant
	.dynstr : { *(.dynstr) } :constant
	.hash : { *(.hash) } :constant
	.gnu.hash : { *(.gnu.hash) } :constant
	.dynamic : { *(.dynamic) } :constant :dynamic
	.got : { *(.got) *(.got.plt) } :constant
	.data.rel.ro : { *(.data.rel.ro .data.rel.ro.*) } :constant
	.constant_after_boot : ALIGN(16) { *(.constant_after_boot) } :constant
	. = ALIGN(SIDECAR_PAGE_SIZE);
	image_constant_end = .;

	.data : { *(.data .data.*) } :data
	.bss : ALIGN(8) {
		image_bss = .;
		*(.bss COMMON)
		*(.bss.page_aligned)
		. = ALIGN(8);
	} :data
	. = ALIGN(SIDECAR_PAGE_SIZE);
	image_data_end = .;

	.boot (NOLOAD) : { *(.bss.boot) } :data
	. = ALIGN(SIDECAR_PAGE_SIZE);
	image_end = .;

	/DISCARD/ : { *(.comment .note.GNU-stack .note.gnu.* .eh_frame .interp) }
}

ASSERT(trampoline_size <= SIDECAR_TRAMPOLINE_DATA, "the trampoline reaches into its data")
ASSERT(image_end <= SIDECAR_IMAGE_MAX_SIZE, "the image and its BSS exceed 2 MiB")
ASSERT(SIZEOF(.data) == 0, "initialised variables: the image can be entered twice")
ASSERT(SIZEOF(.got) <= 24, "something is reached through the GOT")

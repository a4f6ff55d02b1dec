// SPDX-License-Identifier: MIT
/*
 * Numbers that assembly shares with C. Compiled to assembly, never linked: generate-offsets turns
 * the marked lines into offsets.h.
 */
#include <stddef.h>

#include <sidecar/abi.h>

#include "arch/x86/arch_cpu.h"
#include "arch/x86/idt.h"
#include "arch/x86/low.h"
#include "arch/x86/pte.h"
#include "arch/x86/traps.h"
#include "mm/layout.h"

#define DEFINE(name, value) asm volatile("\n->" #name " %0" : : "i"(value))
#define DEFINE_OFFSET(name, type, field) DEFINE(name, offsetof(struct type, field))

_Static_assert(!__builtin_strcmp(SIDECAR_NOTE_NAME, "libsidecar"), "note.S has another name");

void offsets(void);

void offsets(void)
{
	DEFINE(IMAGE_VA, IMAGE_VA);
	DEFINE(STACK_END_VA, STACK_END_VA);
	DEFINE(GLOBALS_VA, SLOT_VA(SLOT_GLOBALS));
	DEFINE(IMAGE_PML4_ENTRY, IMAGE_PML4_INDEX * sizeof(uint64_t));
	DEFINE(PTE_TABLE, pte_table(0));

	DEFINE_OFFSET(BOOT_MEMORY_PML4, boot_memory, pml4);
	DEFINE_OFFSET(BOOT_MEMORY_PDPT, boot_memory, pdpt);
	DEFINE_OFFSET(BOOT_MEMORY_IMAGE, boot_memory, image);
	DEFINE_OFFSET(BOOT_OUTPUT_ERROR, sidecar_boot_output, error);
	DEFINE(BOOT_IDT_LIMIT, VECTOR_COUNT * sizeof(struct gate) - 1);
	DEFINE(TRAP_STUB_SIZE, TRAP_STUB_SIZE);
	DEFINE(SELECTOR_CODE, SELECTOR_CODE);
	DEFINE(SELECTOR_DATA, SELECTOR_DATA);
	DEFINE(GDT_CODE, GDT_CODE);
	DEFINE(GDT_DATA, GDT_DATA);

	DEFINE(SIDECAR_TRAMPOLINE_DATA, SIDECAR_TRAMPOLINE_DATA);
	DEFINE(SIDECAR_CONDUCTOR_DONE, SIDECAR_CONDUCTOR_DONE);
	DEFINE(SIDECAR_CONDUCTOR_FAILED, SIDECAR_CONDUCTOR_FAILED);
	DEFINE_OFFSET(TRAMPOLINE_CR3, sidecar_trampoline, cr3);
	DEFINE_OFFSET(TRAMPOLINE_EXTENSION, sidecar_trampoline, extension);
	DEFINE_OFFSET(TRAMPOLINE_PARAMS, sidecar_trampoline, params);
	DEFINE_OFFSET(TRAMPOLINE_OUTPUT, sidecar_trampoline, output);
	DEFINE_OFFSET(TRAMPOLINE_IMAGE_ENTRY, sidecar_trampoline, image_entry);
	DEFINE_OFFSET(TRAMPOLINE_CONDUCTOR_STACK, sidecar_trampoline, conductor_stack);
	DEFINE_OFFSET(TRAMPOLINE_CONDUCTOR_APIC_ID, sidecar_trampoline, conductor_apic_id);
	DEFINE_OFFSET(TRAMPOLINE_CONDUCTOR_RESULT, sidecar_trampoline, conductor_result);
	DEFINE_OFFSET(TRAMPOLINE_PARK, sidecar_trampoline, park);
	DEFINE_OFFSET(TRAMPOLINE_PARKED, sidecar_trampoline, parked);
	DEFINE_OFFSET(TRAMPOLINE_LOST, sidecar_trampoline, lost);
	DEFINE_OFFSET(TRAMPOLINE_LOST_APIC_ID, sidecar_trampoline, lost_apic_id);

	DEFINE(EXTENSION_SIZE, sizeof(struct sidecar_extension));
	DEFINE_OFFSET(EXTENSION_CPU_COUNT, sidecar_extension, cpu_count);
	DEFINE_OFFSET(EXTENSION_BOOT_PML4E, sidecar_extension, boot_pml4e);
	DEFINE(EXTENSION_CPU_SIZE, sizeof(struct sidecar_extension_cpu));
	DEFINE_OFFSET(EXTENSION_CPU_APIC_ID, sidecar_extension_cpu, apic_id);
	DEFINE_OFFSET(EXTENSION_CPU_CR3, sidecar_extension_cpu, cr3);
	DEFINE_OFFSET(EXTENSION_CPU_ENTRY, sidecar_extension_cpu, entry);
	DEFINE_OFFSET(EXTENSION_CPU_STACK, sidecar_extension_cpu, stack);

	DEFINE(SIDECAR_PAGE_SIZE, SIDECAR_PAGE_SIZE);
	DEFINE(SIDECAR_IMAGE_MAX_SIZE, SIDECAR_IMAGE_MAX_SIZE);
	DEFINE(SIDECAR_NOTE_SIZE, sizeof(struct sidecar_image_note));
	DEFINE(SIDECAR_NOTE_TYPE, SIDECAR_NOTE_TYPE);
	DEFINE(SIDECAR_EXTENSION_VERSION, SIDECAR_EXTENSION_VERSION);
	DEFINE(SIDECAR_BACKEND_SVM, SIDECAR_BACKEND_SVM);
	DEFINE(SIDECAR_BACKEND_HYPERV, SIDECAR_BACKEND_HYPERV);
}

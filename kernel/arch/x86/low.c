// SPDX-License-Identifier: MIT
#include "low.h"

#include "console/format.h"
#include "idt.h"
#include "image.h"
#include "mm/layout.h"
#include "mm/tables.h"
#include "relocate.h"
#include "traps.h"

__attribute__((section(".bss.boot"), aligned(SIDECAR_PAGE_SIZE))) struct boot_memory boot_memory;

static uint32_t offset_of(const uint8_t *limit)
{
	return (uint32_t)(limit - image_start);
}

static bool relocate_image(struct sidecar_command_error *error)
{
	const Elf64_Rela *relocations = (const void *)image_relocations;
	uint64_t count = (uint64_t)(image_relocations_end - image_relocations) / sizeof(Elf64_Rela);
	uint64_t done = relocate((uint8_t *)(uint64_t)image_start, offset_of(image_end), IMAGE_VA,
				 relocations, count);

	if (done < count)
		error_format(error,
			     "relocation %lu of %lu, offset 0x%lx: type %u, only %u is known", done,
			     count, relocations[done].r_offset,
			     (uint32_t)ELF64_R_TYPE(relocations[done].r_info), R_X86_64_RELATIVE);
	return done == count;
}

static void fill_slots(struct boot_memory *boot)
{
	boot->slots[SLOT_TABLE] = pte_data((uint64_t)boot->slots);
	boot->slots[SLOT_GLOBALS] = pte_data((uint64_t)boot->globals);
	boot->slots[SLOT_STACK] = pte_data((uint64_t)boot->stack[0]);
	boot->slots[SLOT_STACK + 1] = pte_data((uint64_t)boot->stack[1]);
}

static void fill_tables(struct boot_memory *boot)
{
	const struct image_layout layout = {
		.text_end = offset_of(image_text_end),
		.constant_end = offset_of(image_constant_end),
		.data_end = offset_of(image_data_end),
	};

	image_table_fill(boot->image, (uint64_t)image_start, &layout);
	fill_slots(boot);
	boot->pml4[IMAGE_PML4_INDEX] = pte_table((uint64_t)boot->pdpt);
	boot->pdpt[IMAGE_PDPT_INDEX] = pte_table((uint64_t)boot->pd);
	boot->pd[IMAGE_PD_INDEX] = pte_table((uint64_t)boot->image);
	boot->pd[SLOTS_PD_INDEX] = pte_table((uint64_t)boot->slots);
}

bool low_prepare(struct sidecar_command_error *error)
{
	uint64_t stubs = IMAGE_VA + offset_of(trap_stubs);

	if ((uint64_t)image_start % SIDECAR_IMAGE_MAX_SIZE) {
		error_format(error, "image at 0x%lx is not at a multiple of 0x%x",
			     (uint64_t)image_start, SIDECAR_IMAGE_MAX_SIZE);
		return false;
	}
	if (!relocate_image(error))
		return false;
	idt_fill(cpu_idt, stubs, true);
	idt_fill(boot_idt, stubs, false);
	fill_tables(&boot_memory);
	return true;
}

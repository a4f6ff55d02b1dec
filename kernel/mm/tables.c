// SPDX-License-Identifier: MIT
#include "tables.h"

#include "arch/x86/pte.h"
#include "layout.h"
#include "node_memory.h"
#include "window.h"

void image_table_fill(uint64_t *table, uint64_t image, const struct image_layout *layout)
{
	for (uint32_t offset = 0; offset < SIDECAR_IMAGE_MAX_SIZE; offset += SIDECAR_PAGE_SIZE) {
		uint64_t *entry = &table[offset / SIDECAR_PAGE_SIZE];

		if (offset < layout->text_end)
			*entry = pte_code(image + offset);
		else if (offset < layout->constant_end)
			*entry = pte_constant(image + offset);
		else if (offset < layout->data_end)
			*entry = pte_data(image + offset);
		else
			*entry = 0;
	}
}

static void set_entry(phys_t table, unsigned int index, uint64_t value)
{
	uint64_t *entries = window_open(NULL, WINDOW_TABLE, table, true);

	entries[index] = value;
	window_close(NULL, WINDOW_TABLE);
}

static void fill_slots(const struct sidecar_node_params *node, uint32_t index, uint64_t *slots)
{
	const struct {
		enum slot slot;
		phys_t page;
	} pages[] = {
		{SLOT_TABLE, node_private_page(node, index, PRIVATE_PT)},
		{SLOT_COMMAND, node_shared_page(node, index, SHARED_COMMAND)},
		{SLOT_REGISTER_PAGE, node_shared_page(node, index, SHARED_REGISTER_PAGE)},
		{SLOT_CONTROL, node_control_page(node)},
		{SLOT_STATE, node_private_page(node, index, PRIVATE_STATE)},
		{SLOT_GLOBALS, node_private_page(node, index, PRIVATE_GLOBALS)},
		{SLOT_BACKEND, node_private_page(node, index, PRIVATE_BACKEND)},
		{SLOT_BACKEND + 1, node_private_page(node, index, PRIVATE_BACKEND + 1)},
		{SLOT_TRAP_STACKS, node_private_page(node, index, PRIVATE_TRAP_STACKS)},
		{SLOT_STACK, node_private_page(node, index, PRIVATE_STACK)},
		{SLOT_STACK + 1, node_private_page(node, index, PRIVATE_STACK + 1)},
	};

	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		slots[pages[i].slot] = pte_data(pages[i].page.value);
}

void cpu_tables_fill(const struct sidecar_node_params *node, uint32_t index, phys_t image_table)
{
	phys_t pml4 = node_private_page(node, index, PRIVATE_PML4);
	phys_t pdpt = node_private_page(node, index, PRIVATE_PDPT);
	phys_t pd = node_private_page(node, index, PRIVATE_PD);
	phys_t pt = node_private_page(node, index, PRIVATE_PT);

	set_entry(pml4, IMAGE_PML4_INDEX, pte_table(pdpt.value));
	set_entry(pdpt, IMAGE_PDPT_INDEX, pte_table(pd.value));
	set_entry(pd, IMAGE_PD_INDEX, pte_table(image_table.value));
	set_entry(pd, SLOTS_PD_INDEX, pte_table(pt.value));
	fill_slots(node, index, window_open(NULL, WINDOW_TABLE, pt, true));
	window_close(NULL, WINDOW_TABLE);
}

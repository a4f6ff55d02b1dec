// SPDX-License-Identifier: MIT
/* arch.h's windows: entries of the table of slots, which each CPU has mapped in a slot. */
#include "arch.h"

#include "mm/layout.h"
#include "pte.h"
#include "slots.h"
#include "x86.h"

void *slot_map(unsigned int slot, uint64_t entry)
{
	uint64_t *slots = (uint64_t *)SLOT_VA(SLOT_TABLE);
	void *address = (void *)SLOT_VA(slot);

	slots[slot] = entry;
	invlpg(address);
	return address;
}

void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable)
{
	uint64_t entry = writable ? pte_data(pa.value) : pte_constant(pa.value);
	uint8_t *page = slot_map(SLOT_WINDOWS + slot, entry);

	(void)cpu; /* its table is the one in use */
	return page + pa.value % SIDECAR_PAGE_SIZE;
}

void window_close(struct cpu *cpu, unsigned int slot)
{
	(void)cpu;
	slot_map(SLOT_WINDOWS + slot, 0);
}

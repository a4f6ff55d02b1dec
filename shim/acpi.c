// SPDX-License-Identifier: MIT
#include "acpi.h"

#include <string.h>

#define HEADER_SIZE 36u
#define MADT_ENTRIES 44u
#define SRAT_ENTRIES 48u

#define MADT_LOCAL_APIC 0u
#define MADT_LOCAL_X2APIC 9u
#define SRAT_LOCAL_APIC 0u
#define SRAT_MEMORY 1u
#define SRAT_LOCAL_X2APIC 2u
#define ENABLED 1u

#define NO_APIC_ID 0xffffffffu

static uint32_t read_u32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static uint64_t read_u64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static bool sums_to_zero(const uint8_t *bytes, uint32_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return sum == 0;
}

static uint32_t table_size(const uint8_t *table)
{
	return read_u32(table + 4);
}

static bool is_table(const uint8_t *table, const char *signature)
{
	return table && !memcmp(table, signature, 4) && table_size(table) >= HEADER_SIZE &&
	       sums_to_zero(table, table_size(table));
}

/* The table of tables: 8-byte entries in the newer one. */
static const uint8_t *find_root(uint64_t rsdp, uint32_t *entry_size)
{
	const uint8_t *p = (const uint8_t *)rsdp;
	const uint8_t *root;

	if (!p || memcmp(p, "RSD PTR ", 8) || !sums_to_zero(p, 20))
		return NULL;
	*entry_size = 8;
	root = p[15] >= 2 ? (const uint8_t *)read_u64(p + 24) : NULL;
	if (is_table(root, "XSDT"))
		return root;
	*entry_size = 4;
	root = (const uint8_t *)(uint64_t)read_u32(p + 16);
	return is_table(root, "RSDT") ? root : NULL;
}

const void *acpi_find(uint64_t rsdp, const char *signature)
{
	const uint8_t *root, *table;
	uint32_t entry_size, at;

	root = find_root(rsdp, &entry_size);
	if (!root)
		return NULL;
	for (at = HEADER_SIZE; at + entry_size <= table_size(root); at += entry_size) {
		table = (const uint8_t *)(entry_size == 8 ? read_u64(root + at)
							  : read_u32(root + at));
		if (is_table(table, signature))
			return table;
	}
	return NULL;
}

/* The entry at *at, and *at behind it; NULL at the end, or at one that reaches beyond it. */
static const uint8_t *next_entry(const uint8_t *table, uint32_t *at)
{
	uint32_t size = table_size(table);
	const uint8_t *entry = table + *at;

	if (*at + 2 > size || entry[1] < 2 || *at + entry[1] > size)
		return NULL;
	*at += entry[1];
	return entry;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* Of an enabled CPU. */
static uint32_t madt_apic_id(const uint8_t *entry)
{
	if (entry[0] == MADT_LOCAL_APIC && entry[1] >= 8 && (entry[4] & ENABLED) &&
	    entry[3] != 0xff)
		return entry[3];
	if (entry[0] == MADT_LOCAL_X2APIC && entry[1] >= 16 && (read_u32(entry + 8) & ENABLED))
		return read_u32(entry + 4);
	return NO_APIC_ID;
}

/* Revision 1 has no more than eight bits of the number. */
static bool srat_cpu(const uint8_t *srat, const uint8_t *entry, uint32_t *apic_id, uint32_t *vnode)
{
	if (entry[0] == SRAT_LOCAL_APIC && entry[1] >= 16 && (entry[4] & ENABLED)) {
		*apic_id = entry[3];
		*vnode = entry[2];
		if (srat[8] >= 2)
			*vnode |= (uint32_t)entry[9] << 8 | (uint32_t)entry[10] << 16 |
				  (uint32_t)entry[11] << 24;
		return true;
	}
	if (entry[0] == SRAT_LOCAL_X2APIC && entry[1] >= 24 && (entry[12] & ENABLED)) {
		*apic_id = read_u32(entry + 8);
		*vnode = read_u32(entry + 4);
		return true;
	}
	return false;
}

static uint32_t vnode_of(const uint8_t *srat, uint32_t wanted)
{
	uint32_t at = SRAT_ENTRIES, apic_id, vnode;
	const uint8_t *entry;

	while (srat && (entry = next_entry(srat, &at))) {
		if (srat_cpu(srat, entry, &apic_id, &vnode) && apic_id == wanted)
			return vnode;
	}
	return 0;
}

uint32_t acpi_cpus(const void *madt, const void *srat, uint32_t boot_apic_id, struct shim_cpu *cpus,
		   uint32_t max)
{
	uint32_t at = MADT_ENTRIES, count = 0, apic_id;
	const uint8_t *entry;

	cpus[count++] = (struct shim_cpu){boot_apic_id, vnode_of(srat, boot_apic_id)};
	while ((entry = next_entry(madt, &at))) {
		apic_id = madt_apic_id(entry);
		if (apic_id == NO_APIC_ID || apic_id == boot_apic_id)
			continue;
		if (count < max)
			cpus[count] = (struct shim_cpu){apic_id, vnode_of(srat, apic_id)};
		count++;
	}
	return count;
}

/* ---- memory ---------------------------------------------------------------------------------- */

bool acpi_memory(const void *srat, struct memory *memory)
{
	uint32_t at = SRAT_ENTRIES;
	const uint8_t *entry;
	uint64_t start;

	while (srat && (entry = next_entry(srat, &at))) {
		if (entry[0] != SRAT_MEMORY || entry[1] < 40 || !(entry[28] & ENABLED))
			continue;
		start = read_u64(entry + 8);
		if (!memory_set_vnode(memory, start, start + read_u64(entry + 16),
				      read_u32(entry + 2)))
			return false;
	}
	return true;
}

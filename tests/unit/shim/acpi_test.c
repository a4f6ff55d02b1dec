// SPDX-License-Identifier: MIT
/* Firmware tables made here, of a machine whose APIC IDs have gaps and whose first CPU is not
 * first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "acpi.h"

struct table {
	uint32_t size;
	uint8_t bytes[1024];
};

static struct table madt, srat, xsdt;
static uint8_t rsdp[36];
static struct shim_cpu cpus[8];

static void add(struct table *table, const void *bytes, uint32_t size)
{
	memcpy(table->bytes + table->size, bytes, size);
	table->size += size;
}

static void fix_sum(uint8_t *bytes, uint32_t size, uint32_t at)
{
	uint8_t sum = 0;

	bytes[at] = 0;
	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	bytes[at] = (uint8_t)-sum;
}

static void begin(struct table *table, const char *signature, uint32_t size)
{
	memset(table, 0, sizeof(*table));
	memcpy(table->bytes, signature, 4);
	table->bytes[8] = 3;
	table->size = size;
}

static void end(struct table *table)
{
	memcpy(table->bytes + 4, &table->size, 4);
	fix_sum(table->bytes, table->size, 9);
}

static void madt_cpu(uint8_t apic_id, uint8_t flags)
{
	const uint8_t entry[8] = {0, 8, 0, apic_id, flags};

	add(&madt, entry, sizeof(entry));
}

static void madt_x2apic(uint8_t apic_id_high)
{
	const uint8_t entry[16] = {9, 16, 0, 0, 1, apic_id_high, 0, 0, 1};

	add(&madt, entry, sizeof(entry));
}

static void srat_cpu(uint8_t apic_id, uint8_t vnode, uint8_t vnode_high)
{
	const uint8_t entry[16] = {0, 16, vnode, apic_id, 1, 0, 0, 0, 0, vnode_high};

	add(&srat, entry, sizeof(entry));
}

static void srat_x2apic(uint8_t apic_id_high, uint8_t vnode)
{
	const uint8_t entry[24] = {2, 24, 0, 0, vnode, 0, 0, 0, 1, apic_id_high, 0, 0, 1};

	add(&srat, entry, sizeof(entry));
}

static void srat_memory(uint8_t gib, uint8_t vnode, uint8_t flags)
{
	uint8_t entry[40] = {1, 40, vnode, 0, 0, 0};

	entry[11] = (uint8_t)(gib << 6);
	entry[19] = 0x40; /* 1 GiB */
	entry[28] = flags;
	add(&srat, entry, sizeof(entry));
}

static int make_tables(void **state)
{
	const uint8_t other[6] = {1, 6};
	uint64_t address;

	(void)state;
	begin(&madt, "APIC", 44);
	madt_cpu(0, 1);
	madt_cpu(2, 1);
	add(&madt, other, sizeof(other));
	madt_cpu(3, 0);
	madt_cpu(5, 1);
	madt_cpu(0xff, 1);
	madt_x2apic(1);
	end(&madt);
	begin(&srat, "SRAT", 48);
	srat_cpu(0, 1, 0);
	srat_cpu(5, 2, 1);
	srat_x2apic(1, 7);
	srat_memory(0, 1, 1);
	srat_memory(1, 2, 1);
	srat_memory(2, 9, 0);
	end(&srat);
	begin(&xsdt, "XSDT", 36);
	address = (uint64_t)madt.bytes;
	add(&xsdt, &address, 8);
	address = (uint64_t)srat.bytes;
	add(&xsdt, &address, 8);
	end(&xsdt);
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	address = (uint64_t)xsdt.bytes;
	memcpy(rsdp + 24, &address, 8);
	fix_sum(rsdp, 20, 8);
	return 0;
}

static void tables_are_found(void **state)
{
	(void)state;
	assert_ptr_equal(acpi_find((uint64_t)rsdp, "APIC"), madt.bytes);
	assert_ptr_equal(acpi_find((uint64_t)rsdp, "SRAT"), srat.bytes);
	assert_null(acpi_find((uint64_t)rsdp, "HPET"));
	assert_null(acpi_find(0, "APIC"));
}

static void damaged_tables_are_none(void **state)
{
	(void)state;
	srat.bytes[50]++;
	assert_null(acpi_find((uint64_t)rsdp, "SRAT"));
	rsdp[9]++;
	assert_null(acpi_find((uint64_t)rsdp, "APIC"));
}

static void expect_cpu(uint32_t index, uint32_t apic_id, uint32_t vnode)
{
	assert_int_equal(cpus[index].apic_id, apic_id);
	assert_int_equal(cpus[index].vnode, vnode);
}

static void the_boot_cpu_is_first(void **state)
{
	(void)state;
	assert_int_equal(acpi_cpus(madt.bytes, srat.bytes, 2, cpus, 8), 4);
	expect_cpu(0, 2, 0);
	expect_cpu(1, 0, 1);
	expect_cpu(2, 5, 0x102);
	expect_cpu(3, 0x101, 7);
	assert_int_equal(acpi_cpus(madt.bytes, NULL, 0, cpus, 8), 4);
	expect_cpu(3, 0x101, 0);
}

static void revision_1_has_small_numbers(void **state)
{
	(void)state;
	srat.bytes[8] = 1;
	acpi_cpus(madt.bytes, srat.bytes, 0, cpus, 8);
	expect_cpu(2, 5, 2);
}

static void more_than_fit_are_counted(void **state)
{
	(void)state;
	memset(cpus, 0xee, sizeof(cpus));
	assert_int_equal(acpi_cpus(madt.bytes, NULL, 0, cpus, 2), 4);
	expect_cpu(2, 0xeeeeeeee, 0xeeeeeeee);
}

static void a_truncated_entry_ends_the_table(void **state)
{
	(void)state;
	madt.bytes[44 + 8 + 1] = 0;
	assert_int_equal(acpi_cpus(madt.bytes, NULL, 0, cpus, 8), 1);
	madt.bytes[44 + 8 + 1] = 255;
	assert_int_equal(acpi_cpus(madt.bytes, NULL, 0, cpus, 8), 1);
}

static void memory_gets_its_node(void **state)
{
	static struct memory memory;

	(void)state;
	assert_true(memory_add(&memory, 1ull << 20, 3ull << 30, 0));
	assert_true(acpi_memory(srat.bytes, &memory));
	assert_int_equal(memory.count, 3);
	assert_int_equal(memory.ranges[0].vnode, 1);
	assert_int_equal(memory.ranges[1].vnode, 2);
	assert_int_equal(memory.ranges[1].start, 1ull << 30);
	assert_int_equal(memory.ranges[2].vnode, 0);
	assert_true(acpi_memory(NULL, &memory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tables_are_found, make_tables),
		cmocka_unit_test_setup(damaged_tables_are_none, make_tables),
		cmocka_unit_test_setup(the_boot_cpu_is_first, make_tables),
		cmocka_unit_test_setup(revision_1_has_small_numbers, make_tables),
		cmocka_unit_test_setup(more_than_fit_are_counted, make_tables),
		cmocka_unit_test_setup(a_truncated_entry_ends_the_table, make_tables),
		cmocka_unit_test_setup(memory_gets_its_node, make_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * CPUs and NUMA nodes from the firmware's tables. Addresses in the tables are used as pointers:
 * memory is mapped where it is. Every length is checked against its table's.
 *
 * Sources: ACPI 6.4, 5.2.5.3 (RSDP), 5.2.7 (RSDT), 5.2.8 (XSDT), 5.2.12 (MADT), 5.2.16 (SRAT).
 */
#ifndef SHIM_ACPI_H
#define SHIM_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "plan.h"

/* NULL when the RSDP or the table is not there, or a checksum is wrong. signature: 4 letters. */
const void *acpi_find(uint64_t rsdp, const char *signature);

/*
 * The enabled CPUs in the order in which Linux numbers them: the one that boots, then the others
 * as the MADT has them. srat may be NULL: all are of NUMA node 0. Returns how many there are, of
 * which only max are stored.
 */
uint32_t acpi_cpus(const void *madt, const void *srat, uint32_t boot_apic_id, struct shim_cpu *cpus,
		   uint32_t max);

/* Tells memory which RAM is of which NUMA node. False when its list is full. */
bool acpi_memory(const void *srat, struct memory *memory);

#endif

/* SPDX-License-Identifier: MIT */
/* Page-table entries (APM vol. 2, 5.3 and 5.4): the bits; who walks tables knows the levels. */
#ifndef PTE_H
#define PTE_H

#include <stdint.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_DISABLE (1ull << 4)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define PTES_PER_TABLE 512u

/* Upper levels allow everything: the last level decides. */
static inline uint64_t pte_table(uint64_t pa)
{
	return (pa & PTE_ADDRESS) | PTE_PRESENT | PTE_WRITE;
}

static inline uint64_t pte_code(uint64_t pa)
{
	return (pa & PTE_ADDRESS) | PTE_PRESENT;
}

static inline uint64_t pte_constant(uint64_t pa)
{
	return (pa & PTE_ADDRESS) | PTE_PRESENT | PTE_NO_EXECUTE;
}

static inline uint64_t pte_data(uint64_t pa)
{
	return (pa & PTE_ADDRESS) | PTE_PRESENT | PTE_WRITE | PTE_NO_EXECUTE;
}

/* Device registers: entry 3 of the PAT, uncached with every PAT in use. */
static inline uint64_t pte_device(uint64_t pa)
{
	return pte_data(pa) | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
}

#endif

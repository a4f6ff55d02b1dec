/* SPDX-License-Identifier: MIT */
/* The local APIC of the CPU that boots: who it is, and INIT and SIPI to the others. */
#ifndef SHIM_APIC_H
#define SHIM_APIC_H

#include <stdint.h>

uint32_t apic_id(void);
void apic_init(uint32_t target);
void apic_sipi(uint32_t target, uint64_t page); /* PA of a page below 1 MiB */

#endif

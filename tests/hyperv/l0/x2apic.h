/* SPDX-License-Identifier: MIT */
/*
 * VTL2's local APIC. The machine's stays in xAPIC mode (TCG has no other); x2APIC mode is a bit of
 * L0's, and the MSRs become accesses to the xAPIC's page, which VTL2 loses with that. INIT and SIPI
 * never reach a processor: L0 starts the target itself.
 */
#ifndef L0_X2APIC_H
#define L0_X2APIC_H

#include "cpu.h"

uint64_t x2apic_base(struct cpu *cpu);

/* False is #GP. */
bool x2apic_set_base(struct cpu *cpu, uint64_t value);
bool x2apic_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
bool x2apic_write(struct cpu *cpu, uint32_t msr, uint64_t value);

/* A write to the xAPIC's page, which VTL2 has read-only. False: not decoded, or it is hidden. */
bool x2apic_page_write(struct cpu *cpu, uint64_t gpa);

/*
 * From now on the page is not there. Only a VP that begins as a processor does after INIT has it,
 * until it turns x2APIC mode on; one that StartVirtualProcessor starts never has.
 */
void x2apic_hide_page(struct cpu *cpu);

/* A fixed interrupt for this processor itself. */
void x2apic_self_ipi(uint8_t vector);

#endif

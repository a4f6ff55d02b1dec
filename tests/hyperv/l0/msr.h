/* SPDX-License-Identifier: MIT */
/* MSRs that VTL2 cannot have natively. */
#ifndef L0_MSR_H
#define L0_MSR_H

#include "cpu.h"

/* CRASH_CTL: notification and message are there. */
#define MSR_CRASH_CAPABILITIES 0xc000000000000000ull

/* 32-bit word n, 0 to 9, of the crash parameters P0 to P4 that were reported last. */
uint32_t msr_last_crash(uint32_t n);

bool msr_is_mtrr(uint32_t msr);

/* An exit of VTL2; false is #GP. */
bool msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
bool msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

/* Of VTL0, those that are no message; false: VTL2 gets a message. */
bool msr_vtl0(struct cpu *cpu);

#endif

/* SPDX-License-Identifier: MIT */
/* Registers by their Hyper-V names, of VTL0 or VTL2 of the VP that asks. */
#ifndef L0_REGISTERS_H
#define L0_REGISTERS_H

#include "cpu.h"

/* HV_STATUS_*. */
uint16_t register_get(struct cpu *cpu, uint8_t vtl, uint32_t name, struct hv_u128 *value);
uint16_t register_set(struct cpu *cpu, uint8_t vtl, uint32_t name, const struct hv_u128 *value);

/* XMM0 and following, which nobody switches: they are in the processor. */
void registers_get_xmm(struct hv_u128 *xmm, uint32_t count);

uint64_t registers_interrupt_state(struct cpu *cpu);

#endif

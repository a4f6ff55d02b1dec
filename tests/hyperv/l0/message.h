/* SPDX-License-Identifier: MIT */
/*
 * VTL0 intercepts: each function writes the message into VTL2's VP assist page and enters VTL2
 * with HV_ENTRY_REASON_INTERCEPT. RIP stays at the intercepted instruction.
 */
#ifndef L0_MESSAGE_H
#define L0_MESSAGE_H

#include "cpu.h"

void message_io(struct cpu *cpu);
void message_msr(struct cpu *cpu);
void message_cpuid(struct cpu *cpu);
void message_hypercall(struct cpu *cpu);
void message_memory(struct cpu *cpu);
void message_exception(struct cpu *cpu, uint8_t vector);
void message_unrecoverable(struct cpu *cpu);
void message_deliverable(struct cpu *cpu, uint8_t interruption_type);
void message_invalid_register(struct cpu *cpu);

#endif

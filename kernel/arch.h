/* SPDX-License-Identifier: MIT */
/*
 * What generic code needs of the processor; arch/x86 has it for the machine, backend/host for a
 * thread. Interrupts are off everywhere in the kernel but inside arch_wait and arch_drain.
 */
#ifndef ARCH_H
#define ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/*
 * Sleeps until an interrupt, and takes it. One that came after the caller's last check with
 * interrupts off is not missed (sti; hlt; cli).
 */
void arch_wait(struct cpu *cpu);

/* Takes every pending interrupt, so that a stale wake does not end the next guest entry (R11). */
void arch_drain(struct cpu *cpu);

/* Sends a fixed interrupt; apic_id is physical. */
void arch_send_ipi(struct cpu *cpu, uint32_t apic_id, uint8_t vector);

/* Before REMOVED is reported: the interrupt controller takes nothing more. */
void arch_cpu_stop(struct cpu *cpu);

/*
 * A page of memory that the kernel has no lasting mapping of: the guest's, or a nested table.
 * slot is 0..WINDOW_COUNT-1; opening an open slot moves it. The PA need not be aligned: the
 * result points at the same offset in its page.
 */
#define WINDOW_COUNT 4u
void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable);
void window_close(struct cpu *cpu, unsigned int slot);

#endif

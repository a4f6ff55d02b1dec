/* SPDX-License-Identifier: MIT */
/* The local interrupt controller, in xAPIC or x2APIC mode: whichever the CPU is found in. */
#ifndef APIC_H
#define APIC_H

#include <stdint.h>

void apic_start(void);

/* Software-disabled: takes nothing more, but can still send. */
void apic_stop(void);

void apic_eoi(void);

/* A fixed, edge-triggered interrupt to a physical APIC ID. */
void apic_send(uint32_t apic_id, uint8_t vector);

#endif

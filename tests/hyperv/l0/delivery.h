/* SPDX-License-Identifier: MIT */
/* Events into VTL0, and what became of them. */
#ifndef L0_DELIVERY_H
#define L0_DELIVERY_H

#include "cpu.h"

/* Before VTL0 runs. False: a message has entered VTL2 instead. */
bool delivery_prepare(struct cpu *cpu);

/* After an exit of VTL0: an event that did not get through is pending again. */
void delivery_collect(struct cpu *cpu);

#endif

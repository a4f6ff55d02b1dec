/* SPDX-License-Identifier: MIT */
/*
 * How much VTL2 executes between two transitions that L0 sees, in ticks of the TSC, which under
 * QEMU's -icount are instructions. What L0 itself executes meanwhile does not count. And, apart
 * from that, what L0 and VTL0 execute together while VTL2 is left.
 */
#ifndef L0_METER_H
#define L0_METER_H

#include <stdint.h>

struct cpu;

enum meter_span {
	METER_ANSWER, /* from an intercept to the interrupt that announces the end of RUN_VP */
	METER_RESUME, /* from the EOI of a wake-up to the VTL return */
	METER_RETURN, /* from an entry for an interrupt to the next VTL return */
	METER_AWAY,   /* from the VTL return to the entry: L0 and VTL0 */
	METER_SPANS,
	METER_NONE = METER_SPANS,
};

struct meter {
	uint32_t open; /* enum meter_span */
	uint64_t ticks;
	uint64_t left; /* when VTL2 was left; 0: it was not */
	struct {
		uint64_t count, sum, least, most;
	} spans[METER_SPANS];
};

/*
 * Before and behind a stay in VTL2; the first returns the time, the second takes it. The shortest
 * of all stays is taken for L0's own way there and back.
 */
uint64_t meter_enter(struct cpu *cpu);
void meter_leave(struct cpu *cpu, uint64_t entered);

/* VTL2 returns to VTL0. */
void meter_return(struct cpu *cpu);

void meter_begin(struct cpu *cpu, enum meter_span span);
void meter_end(struct cpu *cpu, enum meter_span span);

/* Option meter: to the log, at the end of the run. */
void meter_enable(void);
void meter_log(const struct cpu *cpu);

#endif

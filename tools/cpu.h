/* SPDX-License-Identifier: MIT */
/* What sysfs says of a sidecar CPU: /sys/class/misc/mshv_vtl_sidecar<node>/cpu<cpu>/. */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl.h"
#include "node.h"

#define CPU_COUNT_KINDS 32

struct cpu_count {
	char name[24];
	uint64_t count;
};

/* A file of counts: a line for each kind, of which more are left out, and the driver's total. */
struct cpu_counts {
	uint64_t total;
	size_t kinds;
	struct cpu_count by[CPU_COUNT_KINDS];
};

struct cpu {
	uint32_t node;
	uint32_t cpu;
	char state[16];
	int32_t owner_pid; /* 0: nobody's */
	uint64_t commands;
	uint64_t entries;
	struct cpu_counts exits; /* by reason; the total is of those that reached the owner */
	bool has_guest_ns;	 /* not every driver says */
	uint64_t guest_ns;
	bool has_foreign; /* nor this */
	struct cpu_counts foreign; /* interrupts that were no requests, by vector */
	char last_error[256]; /* "": none */
};

/* Returns CTL_OK or an exit status. */
int cpu_read(struct ctl *ctl, uint32_t node, uint32_t number, struct cpu *cpu);

/* Every sidecar CPU of every node, in this order. */
struct snapshot {
	struct nodes nodes;
	struct cpu *cpus;
	size_t count;
};

/* To be freed with snapshot_free() after CTL_OK. */
int snapshot_read(struct ctl *ctl, struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * From the text of cpus= and what the machine looks like to a list of nodes. Nothing here touches
 * the machine, so that every rule can be tested on tables.
 *
 * A node is a contiguous range of CPUs, in one NUMA node, whose first CPU, the base, is Linux's.
 */
#ifndef SCDRV_PLAN_H
#define SCDRV_PLAN_H

#include "pure.h"

#define PLAN_MAX_CPUS 8192u
#define PLAN_MAX_NODES 128u
#define PLAN_MAX_NODE_SIZE 4032u /* status bytes of a control page */

struct plan_cpu {
	bool present;
	bool online;
	int numa;
	uint32_t core; /* equal for the threads of one core, and only for them */
};

struct plan_machine {
	const struct plan_cpu *cpus;
	uint32_t cpu_count;
};

struct plan_options {
	const char *cpus;
	uint32_t node_size;
	bool strict; /* a core shared with Linux is an error */
};

struct plan_node {
	uint32_t base_cpu;
	uint32_t cpu_count; /* the base CPU included, at least 2 */
	int numa;
	bool bring_base_online;
};

struct plan {
	/* Set by the caller: gets each message that is not an error. May be NULL. */
	void (*note)(void *context, const char *text);
	void *note_context;
	/* Results. */
	uint32_t node_count;
	uint32_t sidecar_cpus; /* sum of the nodes' cpu_count less their base CPUs */
	char error[PURE_TEXT_SIZE];
	struct plan_node nodes[PLAN_MAX_NODES];
	/* Private: which CPUs the text names, and which of them the sidecar gets. */
	uint8_t wanted[PLAN_MAX_CPUS];
	uint8_t taken[PLAN_MAX_CPUS];
};

/* 0, or a negative errno value and a text in plan->error. */
int plan_make(struct plan *plan, const struct plan_machine *machine,
	      const struct plan_options *options);

#endif

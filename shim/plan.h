/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs the sidecar gets, in which nodes and in which memory. Nothing here touches the
 * machine, so that every rule can be tested on tables. The rules are those of OpenHCL's boot shim,
 * in its order, but for one of its faults: a CPU that is alone in its NUMA node stays in
 * boot_cpus=.
 *
 * The driver's plan begins with a list that a person typed and a Linux that runs, this one with
 * the bare machine; they share no rule but that a node's first CPU is Linux's.
 */
#ifndef SHIM_PLAN_H
#define SHIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "memory.h"

#define SHIM_MAX_CPUS 2048u
#define SHIM_MAX_VNODES 64u
#define SHIM_NODE_CPUS 32u
#define SHIM_TEXT_SIZE 160u

enum shim_isolation {
	SHIM_ISOLATION_NONE,
	SHIM_ISOLATION_VBS,
	SHIM_ISOLATION_SNP,
	SHIM_ISOLATION_TDX,
};

/* In the order of VPs, which is that of Linux's CPU numbers; the first is the one that boots. */
struct shim_cpu {
	uint32_t apic_id;
	uint32_t vnode;
};

struct shim_cpu_list {
	bool beyond; /* names a CPU of SHIM_MAX_CPUS or more */
	uint8_t has[SHIM_MAX_CPUS];
};

struct shim_machine {
	const struct shim_cpu *cpus;
	uint32_t cpu_count;
	struct memory *memory; /* the nodes' memory is taken from it */
	enum shim_isolation isolation;
	bool image;	 /* there is a sidecar kernel */
	bool hypervisor; /* the kernel starts CPUs itself, by hypercall */
	bool x2apic;	 /* CPUID.1:ECX bit 21 */
	bool off;	 /* the command line says so */
	const struct shim_cpu_list *outstanding_io;  /* NULL, or from before servicing */
	const struct shim_cpu_list *idle_interrupts; /* the same */
};

struct shim_node {
	uint32_t base_cpu;
	uint32_t cpu_count; /* the base CPU included, at least 2 */
	uint32_t vnode;
	uint64_t memory;
	uint64_t memory_size;
};

struct shim_plan {
	/* Set by the caller: gets a line for every node made or skipped. May be NULL. */
	void (*note)(const char *text);
	/* Results. */
	char reason[SHIM_TEXT_SIZE]; /* why there is no node */
	uint32_t node_count;
	uint32_t sidecar_cpus;
	bool overrides; /* sidecar_starts goes to the kernel */
	struct shim_node nodes[SIDECAR_MAX_NODES];
	uint8_t sidecar_starts[SHIM_MAX_CPUS]; /* by VP; the others are Linux's to start */
};

/* False: no sidecar, and why; the machine's memory is as it was. */
bool shim_plan_make(struct shim_plan *plan, const struct shim_machine *machine);

/*
 * "boot_cpus=0,4 ": every CPU that the sidecar does not start. False when it does not fit; size
 * counts the NUL.
 */
bool shim_plan_boot_cpus(const struct shim_plan *plan, uint32_t cpu_count, char *text, size_t size);

/* Nodes and overrides, as the kernel's entry function wants them; the rest is not touched. */
void shim_plan_params(const struct shim_plan *plan, struct sidecar_boot_params *params);

#endif

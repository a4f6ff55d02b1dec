/* SPDX-License-Identifier: MIT */
/*
 * One sidecar CPU: where its pages are, in the address space of that CPU. Lives in the CPU's
 * globals page (in the host build: in a thread's memory). Nobody but that CPU touches it after
 * boot.
 */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "backend_cpu.h" /* struct backend_cpu, found in the folder of the linked backend */

/* A physical address. The kernel cannot dereference it: map it through a window first. */
typedef struct {
	uint64_t value;
} phys_t;

static inline phys_t phys(uint64_t value)
{
	return (phys_t){value};
}

struct cpu {
	uint32_t vp_index;   /* Linux CPU number */
	uint32_t node_index; /* this CPU's status byte is control->cpu_status[node_index] */
	struct sidecar_control_page *control;
	struct sidecar_command_page *command;
	struct hv_register_page *register_page;
	phys_t register_page_at;
	struct sidecar_state_page *state;
	phys_t backend_pages; /* PA of the first of the backend's two private pages */
	void *backend_memory; /* their VA: BACKEND_PRIVATE_PAGES pages, zero at boot */
	struct backend_cpu backend;
};

#define BACKEND_PRIVATE_PAGES 2u

#endif

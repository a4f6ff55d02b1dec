/* SPDX-License-Identifier: MIT */
/* The sidecar kernel: loaded, entered, its CPUs started, and what Linux's driver is to know of it.
 */
#ifndef SHIM_SIDECAR_H
#define SHIM_SIDECAR_H

#include <sidecar/handover.h>

#include "archive.h"
#include "machine.h"
#include "plan.h"

struct sidecar_start {
	const struct file *file;
	const struct shim_plan *plan;
	bool hypervisor;
	bool log;
	uint32_t timeout_ms;
};

/* Returns with every sidecar CPU idle, or panics: half a sidecar is none. */
struct sidecar_handover *sidecar_start(struct machine *machine, const struct sidecar_start *start);

#endif

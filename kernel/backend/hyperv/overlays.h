/* SPDX-License-Identifier: MIT */
/* VP assist page and register page: memory of ours that the hypervisor lays its own pages over. */
#ifndef HYPERV_OVERLAYS_H
#define HYPERV_OVERLAYS_H

#include "cpu.h"

/*
 * Does nothing after the first time. Called by RUN_VP and not before, because the hypervisor does
 * not stand overlays that come while other VPs are being started. A hypervisor without register
 * page is good enough; without assist page false, with a text.
 */
bool hyperv_overlays_map(struct cpu *cpu, struct sidecar_command_error *error);

/* Whether or not they were mapped. */
void hyperv_overlays_unmap(struct cpu *cpu);

#endif

/* SPDX-License-Identifier: MIT */
/* What the sidecar kernel needs of the hypervisor before its entry function is called. */
#ifndef SHIM_HYPERV_H
#define SHIM_HYPERV_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

/* A hypervisor with the interface of virtual trust levels, seen from where the shim runs. */
bool hyperv_present(void);

/* Names an operating system and enables the hypercall page at this address. */
void hyperv_enable(void *page);

/* Whether each CPU's number is its VP index; otherwise the first that differs. */
bool hyperv_same_order(struct machine *machine, uint32_t *cpu, uint32_t *vp);

/* Undoes it: Linux begins anew. */
void hyperv_disable(void);

uint64_t hyperv_time(void); /* 100 ns */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the host backend keeps per CPU: a thread stands for the CPU, an eventfd for its interrupt
 * controller, a C function for its guest.
 */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/hv.h>

struct host_cpu;

/* The registers that a VP of this backend has, by the ranges of registers.c. */
#define HOST_REGISTERS 160u

struct backend_cpu {
	struct host_cpu *host;
	struct hv_u128 registers[HOST_REGISTERS];
};

#endif

/* SPDX-License-Identifier: MIT */
/* The TSC, measured against the interval timer, which every PC has. */
#ifndef SHIM_CLOCK_H
#define SHIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

void clock_start(void);	    /* before the others */
uint64_t clock_100ns(void); /* since any moment, the same for all */
void clock_wait_us(uint32_t us);

#endif

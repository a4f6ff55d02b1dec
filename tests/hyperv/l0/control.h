/* SPDX-License-Identifier: MIT */
/*
 * How a test talks to the bench: a port for VTL2, and the end of the run. A kernel under test has
 * no business there.
 */
#ifndef L0_CONTROL_H
#define L0_CONTROL_H

#include "cpu.h"

/* 32-bit OUT: a command in bits 0 to 7, its argument above. 32-bit IN: the last result. */
#define CONTROL_PORT 0x500u
#define CONTROL_FORGIVE 1u    /* result: the violations so far, which no longer count */
#define CONTROL_VIOLATIONS 2u /* result: their number */
#define CONTROL_HOSTILE 3u    /* argument: HOSTILE_* to add */
#define CONTROL_FAIL 4u	      /* argument: call code, count << 16 */
#define CONTROL_EXITS 5u      /* argument: VP; result: its #VMEXITs so far */
#define CONTROL_FRIENDLY 6u   /* argument: HOSTILE_* to take away */
#define CONTROL_CRASH 7u      /* argument: n; result: 32-bit word n of P0 to P4 of the last crash */

/* 8-bit OUT: the run ends with this code. */
#define CONTROL_EXIT_PORT 0xf4u

void control_intercept_ports(uint8_t *iopm);

/* An exit of VTL2 for one of the ports. */
void control_io(struct cpu *cpu);

#endif

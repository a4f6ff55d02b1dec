/* SPDX-License-Identifier: MIT */
/* What a hypervisor may do and seldom does; each on request only. */
#ifndef L0_HOSTILE_H
#define L0_HOSTILE_H

#include "cpu.h"

#define HOSTILE_SPURIOUS 0x01u	   /* VTL2 entries of reason 2 without an interrupt */
#define HOSTILE_PEND 0x02u	   /* the request vector pending at a VTL return */
#define HOSTILE_STRANGERS 0x04u	   /* other vectors pending at a VTL return */
#define HOSTILE_DELAY 0x08u	   /* a started VP takes its time */
#define HOSTILE_REFUSE_PAGE 0x10u  /* no register page */
#define HOSTILE_CLOBBER 0x20u	   /* hypercalls lose RDX and R8 to R11 */
#define HOSTILE_REFUSE_START 0x40u /* StartVirtualProcessor fails */

/* "spurious,pend,..." as on the command line; false for a word that is none of these. */
bool hostile_parse(const char *words, uint32_t length);
void hostile_add(uint32_t what);
void hostile_remove(uint32_t what);
bool hostile_is(uint32_t what);

/* The next `count` calls with this code fail with HV_STATUS_INSUFFICIENT_MEMORY. */
void hostile_fail_next(uint16_t code, uint32_t count);
uint16_t hostile_fails_call(struct cpu *cpu, uint16_t code);

bool hostile_refuses_start(const struct cpu *target);
void hostile_delay(const struct cpu *cpu);
void hostile_clobber(struct cpu *cpu);

/* VTL0 is about to run: true = VTL2 is entered again at once. */
bool hostile_vtl_return(struct cpu *cpu);

#endif

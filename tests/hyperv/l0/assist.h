/* SPDX-License-Identifier: MIT */
/* VP assist page and register page, and the two switches between the VTLs that use them. */
#ifndef L0_ASSIST_H
#define L0_ASSIST_H

#include "cpu.h"

/* The MSR 0x40000073; false is #GP. */
bool assist_set(struct cpu *cpu, uint64_t value);

/* The register of that name. */
uint16_t register_page_set(struct cpu *cpu, uint64_t value);

/* NULL when it is not enabled. */
struct hv_vp_assist_page *assist_page(struct cpu *cpu);

/* VTL2 executed the VTL return of the hypercall page; RIP is still at VMMCALL. */
void vtl_return(struct cpu *cpu);

/* VTL0 stops, VTL2 goes on behind its VTL return. */
void vtl_enter(struct cpu *cpu, uint32_t entry_reason);

#endif

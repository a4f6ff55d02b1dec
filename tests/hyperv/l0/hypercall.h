/* SPDX-License-Identifier: MIT */
#ifndef L0_HYPERCALL_H
#define L0_HYPERCALL_H

#include "cpu.h"

/* The HYPERCALL MSR; false is #GP. */
bool hypercall_page_set(struct cpu *cpu, uint64_t value);

/* VTL2 executed VMMCALL. */
void hypercall(struct cpu *cpu);

/* TranslateVirtualAddressEx and its plain form. */
uint16_t translate(struct cpu *cpu, const void *input, void *output);
uint16_t translate_plain(struct cpu *cpu, const void *input, void *output);

/* The input VTL byte of the register and translate calls: HV_STATUS_*, and VTL 0 or 2. */
uint16_t hypercall_target_vtl(struct cpu *cpu, uint8_t input_vtl, uint8_t *vtl);

/* Logs what no caller may get wrong. */
uint16_t hypercall_check_self(struct cpu *cpu, uint64_t partition_id, uint32_t vp_index);

#endif

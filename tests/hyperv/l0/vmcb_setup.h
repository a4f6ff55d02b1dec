/* SPDX-License-Identifier: MIT */
/* What is in a VMCB before its first VMRUN. */
#ifndef L0_VMCB_SETUP_H
#define L0_VMCB_SETUP_H

#include "cpu.h"

/* The permission maps; once. */
void vmcb_init_maps(void);

/* All three VMCBs, with VTL2 as the mailbox has it. */
void vmcb_setup(struct cpu *cpu, enum start how);

/* VTL2 as a PVH loader leaves its first processor. */
void vmcb_setup_pvh(struct cpu *cpu, uint32_t entry, uint32_t start_info);

/* HV_STATUS_SUCCESS, or HV_STATUS_INVALID_REGISTER_VALUE and *what names the field. */
uint16_t vmcb_check_context(const struct hv_initial_vp_context *context, const char **what);

void vmcb_intercept_exception(uint8_t vector);
void vmcb_refresh_intercepts(struct cpu *cpu);

#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull
#define PAT_RESET 0x0007040600070406ull

#endif

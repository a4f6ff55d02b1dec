/* SPDX-License-Identifier: MIT */
/*
 * What the Hyper-V backend keeps per CPU, inside struct cpu. The VP is the hypervisor's; here are
 * only the registers that both VTLs share. The CPU's two backend pages are struct hyperv_pages of
 * hypercall.h.
 *
 * The shared registers are copied out of the command page when RUN_VP begins and back when it ends;
 * in between this copy is the only one that counts, whatever user mode writes meanwhile (R10).
 */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "entry.h"

struct hyperv_guest {
	uint64_t gps[16]; /* SIDECAR_GP_*; RAX and RCX are the assist page's while RUN_VP runs */
	struct hv_fx_state fx __attribute__((aligned(16)));
};
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_RDX], HYPERV_GUEST_RDX);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_RBX], HYPERV_GUEST_RBX);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_RBP], HYPERV_GUEST_RBP);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_RSI], HYPERV_GUEST_RSI);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_RDI], HYPERV_GUEST_RDI);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_R8], HYPERV_GUEST_R8);
SIDECAR_ASSERT_OFFSET(struct hyperv_guest, gps[SIDECAR_GP_R15], HYPERV_GUEST_R15);

struct backend_cpu {
	struct hyperv_guest guest;
	bool overlays_mapped;	   /* the first RUN_VP has been here */
	bool register_page_mapped; /* and the hypervisor has taken the register page */
	uint32_t mxcsr_mask;	   /* the processor's */
};

#endif

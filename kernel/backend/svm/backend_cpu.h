/* SPDX-License-Identifier: MIT */
/*
 * What the SVM backend keeps per CPU, inside struct cpu: the VP, and the guest registers that
 * software switches. The VMCB and the host save area are the CPU's two backend pages.
 *
 * The VP's registers are copied out of the command page when RUN_VP begins and back when it ends;
 * in between this copy is the only one that counts, whatever user mode writes meanwhile (R10).
 */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H

#include "delivery.h"
#include "entry.h"
#include "vp.h"

struct svm_guest {
	uint64_t gps[16];	 /* SIDECAR_GP_*; RAX and CR2 are the VMCB's while RUN_VP runs */
	uint8_t *tss_descriptor; /* the host's, in this CPU's own GDT */
	uint16_t tss_selector;
	struct hv_fx_state fx __attribute__((aligned(16)));
};
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RCX], SVM_GUEST_RCX);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RDX], SVM_GUEST_RDX);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RBX], SVM_GUEST_RBX);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RBP], SVM_GUEST_RBP);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RSI], SVM_GUEST_RSI);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_RDI], SVM_GUEST_RDI);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_R8], SVM_GUEST_R8);
SIDECAR_ASSERT_OFFSET(struct svm_guest, gps[SIDECAR_GP_R15], SVM_GUEST_R15);
SIDECAR_ASSERT_OFFSET(struct svm_guest, tss_descriptor, SVM_GUEST_TSS_DESCRIPTOR);
SIDECAR_ASSERT_OFFSET(struct svm_guest, tss_selector, SVM_GUEST_TSS_SELECTOR);

struct backend_cpu {
	struct svm_vp vp;
	struct svm_guest guest;
	struct svm_delivery delivery;
	uint64_t nested_root; /* as the state page had it when the command began */
	bool flush;	      /* the next entry drops every translation of the guest */
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A VP as AMD-V knows it: the VMCB, and what a guest has that the VMCB does not hold. The
 * general-purpose registers, CR2 and the x87/SSE state of a stopped VP are in the command page's
 * cpu_context; the VMCB's RAX and CR2 are only filled for an entry and emptied after an exit.
 *
 * Only the CPU that runs the VP touches it.
 */
#ifndef SVM_VP_H
#define SVM_VP_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "cpu_features.h"
#include "vmcb.h"

#define SVM_MTRR_VARIABLE_COUNT 16
#define SVM_MTRR_FIXED_COUNT 11
#define SVM_MTRR_CAP (SVM_MTRR_VARIABLE_COUNT | 0x500) /* fixed ranges, write combining */

/* The guest's MTRRs: kept and checked for the VMM, without any effect. */
struct svm_mtrrs {
	uint64_t def_type;
	uint64_t fixed[SVM_MTRR_FIXED_COUNT]; /* in the order of their names */
	uint64_t base[SVM_MTRR_VARIABLE_COUNT];
	uint64_t mask[SVM_MTRR_VARIABLE_COUNT];
};

struct svm_vp {
	/* Set once, kept by svm_vp_reset. */
	struct svm_vmcb *vmcb;
	uint64_t vmcb_pa;
	const struct svm_features *features;
	uint32_t vp_index;
	uint32_t apic_id;

	/* Bookkeeping of the run loop, kept by svm_vp_reset. */
	uint64_t owner;	     /* the owner whose VP this is */
	uint64_t generation; /* of the nested tables at the last entry */

	/* Guest state that is loaded by hand around an entry. */
	uint64_t dr[4];
	uint64_t xfem;
	uint64_t tsc_aux;

	/* Guest state that only the VMM sees. */
	uint64_t apic_base;
	struct svm_mtrrs mtrrs;

	/* What happens at the next entry, all in Hyper-V's words. */
	uint64_t activity;	       /* HV_ACTIVITY_* */
	uint64_t pending_interruption; /* HV_PENDING_INTERRUPTION_* */
	struct hv_u128 pending_event;  /* PendingEvent0: exception or external interrupt, or 0 */
	uint64_t deliverability;       /* HV_DELIVERABILITY_* that the VMM asked for */
	bool nmi_masked;	       /* from NMI delivery to IRET */

	/* A register was set since the last svm_check_state: settle and check before the entry. */
	bool unchecked;
};

/*
 * The state after power-up (APM vol. 2, 14.1.3) in the save area, in *vp and in *context; the
 * control area keeps its intercepts and addresses and loses what belongs to the old guest: events,
 * interrupt state, V_TPR, TSC offset, clean bits.
 */
void svm_vp_reset(struct svm_vp *vp, struct sidecar_cpu_context *context);

/*
 * Derives what the processor would derive had the guest loaded its registers itself: EFER.LMA from
 * LME and paging, CPL 0 in real and 3 in virtual-8086 mode, EFER.SVME. Before svm_check_state.
 */
void svm_vp_settle(struct svm_vp *vp);

/* Long mode is active, whatever EFER.LMA says before svm_vp_settle. */
static inline bool svm_long_mode(const struct svm_save_area *save)
{
	return (save->efer & EFER_LME) && (save->cr0 & CR0_PG);
}

/*
 * The CPL that a guest with these registers has. The VMCB's CPL counts, not SS.DPL: SYSRET leaves
 * that as it was (APM vol. 3, SYSRET). A VMM sees and sets it as the DPL of SS.
 */
uint8_t svm_cpl(const struct svm_save_area *save);

#endif

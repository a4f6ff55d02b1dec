/* SPDX-License-Identifier: MIT */
/*
 * Which event the next entry delivers, and what comes back of one that an exit interrupted. The
 * events wait in struct svm_vp in Hyper-V's words; this decides when each goes into EVENTINJ, and
 * opens the V_INTR window for those that the guest cannot take yet. Pure.
 */
#ifndef SVM_DELIVERY_H
#define SVM_DELIVERY_H

#include "vp.h"

/* What the run loop remembers from one entry to the next. */
struct svm_delivery {
	bool deferred;		/* the pending interruption stood back for an exception */
	bool software;		/* EVENTINJ holds an event of an instruction: RIP was advanced */
	uint64_t software_word; /* that event, as PendingInterruption has it */
	uint64_t software_rip;	/* the RIP of its instruction */
};

enum svm_readiness {
	SVM_READY,	     /* enter the guest */
	SVM_SUSPENDED,	     /* nothing to deliver to a VP that is suspended */
	SVM_DELIVERABLE,     /* tell the VMM that an interrupt can be delivered */
	SVM_DELIVERABLE_NMI, /* the same for an NMI */
};

/*
 * Before an entry: moves at most one event into EVENTINJ, programs the windows. A notification is
 * used up when it is reported. *cr2 is the guest's CR2, which a page fault changes.
 */
enum svm_readiness svm_deliver(struct svm_vp *vp, struct svm_delivery *delivery, uint64_t *cr2);

/* After an exit: an event whose delivery it interrupted is pending again. */
void svm_collect(struct svm_vp *vp, struct svm_delivery *delivery);

/* Makes an exception of the guest's pending; an older pending exception gives way to it. */
void svm_raise(struct svm_vp *vp, uint8_t vector);
void svm_raise_with_code(struct svm_vp *vp, uint8_t vector, uint32_t code);

/* The instruction at RIP is done: steps over it as the processor would have. */
void svm_step_over(struct svm_vp *vp, uint8_t length);

#endif

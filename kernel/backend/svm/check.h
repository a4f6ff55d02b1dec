/* SPDX-License-Identifier: MIT */
/* Is the whole of a VP's state one that a processor can be in? */
#ifndef SVM_CHECK_H
#define SVM_CHECK_H

#include "vp.h"

#define SVM_STATE_CONSISTENT 0u

/*
 * The name of the register to blame, or SVM_STATE_CONSISTENT. After svm_vp_settle. Needed before
 * the first entry after a register was set (vp->unchecked): a guest cannot bring itself into a
 * state that fails, and processors differ in what VMRUN checks (TCG checks little).
 */
uint32_t svm_check_state(const struct svm_vp *vp);

#endif

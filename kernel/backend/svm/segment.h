/* SPDX-License-Identifier: MIT */
/*
 * Segment registers between the VMCB's form and Hyper-V's. VMCB attributes have no hole between P
 * and AVL, Hyper-V's have that of a descriptor.
 */
#ifndef SVM_SEGMENT_H
#define SVM_SEGMENT_H

#include <stdbool.h>

#include "vmcb.h"

struct hv_segment svm_segment_to_hv(const struct svm_segment *segment);

/* SS with the CPL as its DPL, which SYSRET may have left as another. */
struct hv_segment svm_stack_segment(const struct svm_save_area *save);

/* False, and *segment unchanged, for reserved attribute bits or a base that is not canonical. */
bool svm_segment_from_hv(struct svm_segment *segment, const struct hv_segment *value);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What makes a guest exit: forced by the kernel, never chosen by user mode. The permission maps
 * are the same for every VP, so one copy serves all CPUs.
 */
#ifndef SVM_INTERCEPTS_H
#define SVM_INTERCEPTS_H

#include <stdint.h>

#include "vmcb.h"

/* APM vol. 2, 15.10.1 and 15.11. */
#define SVM_IOPM_SIZE (3u * 4096)
#define SVM_MSRPM_SIZE (2u * 4096)

extern uint8_t svm_iopm[SVM_IOPM_SIZE];
extern uint8_t svm_msrpm[SVM_MSRPM_SIZE];

enum msr_rule_kind {
	MSR_TO_VMM,   /* a message; every MSR that no rule names */
	MSR_DIRECT,   /* the guest's own: VMLOAD and VMSAVE switch it */
	MSR_REGISTER, /* the kernel keeps it as a register of the VP */
};

struct msr_rule {
	enum msr_rule_kind kind;
	uint32_t name; /* HV_REGISTER_*, for MSR_REGISTER */
};

/* The one policy: the permission map and the exit handler both come from it. */
struct msr_rule svm_msr_rule(uint32_t msr);

/* Once per image, before the first guest. */
void svm_intercepts_init(void);

/* The intercept words of an empty VMCB. */
void svm_intercepts_set(struct svm_control_area *control);

#endif

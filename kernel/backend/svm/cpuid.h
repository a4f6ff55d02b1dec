/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a guest sees it unless its VMM answers otherwise: the processor's own words, less what
 * this backend does not switch between guest and kernel, or between one owner and the next.
 */
#ifndef SVM_CPUID_H
#define SVM_CPUID_H

#include <stdint.h>

#include "cpu_features.h"

struct cpuid_words {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

/* words are the processor's answer to leaf and subleaf; apic_id is the guest's. */
struct cpuid_words svm_cpuid_filter(uint32_t leaf, uint32_t subleaf, struct cpuid_words words,
				    uint32_t apic_id);

/* The guest's default answer on this processor. */
struct cpuid_words svm_cpuid_default(uint32_t leaf, uint32_t subleaf, uint32_t apic_id);

/* What register checks go by: the features that a guest is told of. */
struct svm_cpuid svm_cpuid_features(void);

#endif

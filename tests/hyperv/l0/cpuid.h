/* SPDX-License-Identifier: MIT */
/* CPUID as both VTLs see it: the processor's, without SVM, with Hyper-V's leaves. */
#ifndef L0_CPUID_H
#define L0_CPUID_H

#include "cpu.h"

struct cpuid_words {
	uint32_t eax, ebx, ecx, edx;
};

struct cpuid_words cpuid_result(struct cpu *cpu, uint32_t leaf, uint32_t subleaf);

#endif

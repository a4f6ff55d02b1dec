// SPDX-License-Identifier: MIT
/* Bits by APM vol. 3, appendix E. */
#include "cpuid.h"

#include "instructions.h"

#define BIT(n) (1u << (n))

#define MAX_LEAF 0x0du
#define MAX_EXTENDED_LEAF 0x80000008u

/*
 * SSE3, PCLMULQDQ, SSSE3, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, PCID, RDRAND. Hidden: MONITOR
 * (intercepted as undefined), FMA, F16C and AVX (no YMM switch), XSAVE, x2APIC and the TSC
 * deadline (the local APIC is the VMM's).
 */
#define LEAF1_ECX                                                                               \
	(BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | \
	 BIT(25) | BIT(30))
#define LEAF1_ECX_HYPERVISOR BIT(31)
/* All but HTT: a VP is a processor of its own. */
#define LEAF1_EDX (~BIT(28))
#define LEAF1_EBX_CLFLUSH 0x0000ff00u

/* FSGSBASE, BMI1, SMEP, BMI2, ERMS, RDSEED, ADX, SMAP, CLFLUSHOPT, CLWB, SHA. */
#define LEAF7_EBX                                                                             \
	(BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | \
	 BIT(24) | BIT(29))
/* UMIP, RDPID. */
#define LEAF7_ECX (BIT(2) | BIT(22))

/* LAHF64, ABM, SSE4A, misaligned SSE, PREFETCHW. Hidden: SVM, XOP, FMA4, performance counters. */
#define EXT1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
/* All but FFXSR: FXRSTOR would leave XMM registers of the last owner. */
#define EXT1_EDX (~BIT(25))

#define EXT7_EDX_INVARIANT_TSC BIT(8)
#define EXT8_EBX_CLZERO BIT(0)

static struct cpuid_words leaf1(struct cpuid_words w, uint32_t apic_id)
{
	w.ebx = (w.ebx & LEAF1_EBX_CLFLUSH) | BIT(16) | (apic_id & 0xff) << 24;
	w.ecx = (w.ecx & LEAF1_ECX) | LEAF1_ECX_HYPERVISOR;
	w.edx &= LEAF1_EDX;
	return w;
}

static struct cpuid_words leaf7(struct cpuid_words w, uint32_t subleaf)
{
	if (subleaf != 0)
		return (struct cpuid_words){0};
	return (struct cpuid_words){.ebx = w.ebx & LEAF7_EBX, .ecx = w.ecx & LEAF7_ECX};
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

struct cpuid_words svm_cpuid_filter(uint32_t leaf, uint32_t subleaf, struct cpuid_words w,
				    uint32_t apic_id)
{
	switch (leaf) {
	case 0x00000000:
		w.eax = at_most(w.eax, MAX_LEAF);
		return w;
	case 0x00000001:
		return leaf1(w, apic_id);
	case 0x00000007:
		return leaf7(w, subleaf);
	case 0x80000000:
		w.eax = at_most(w.eax, MAX_EXTENDED_LEAF);
		return w;
	case 0x80000001:
		w.ecx &= EXT1_ECX;
		w.edx &= EXT1_EDX;
		return w;
	case 0x80000002 ... 0x80000006: /* name, caches and TLBs */
		return w;
	case 0x80000007:
		return (struct cpuid_words){.edx = w.edx & EXT7_EDX_INVARIANT_TSC};
	case 0x80000008: /* address widths */
		return (struct cpuid_words){.eax = w.eax & 0xffff, .ebx = w.ebx & EXT8_EBX_CLZERO};
	default: /* MONITOR, power, topology, XSAVE, hypervisor, SVM, SEV: the VMM's or nobody's */
		return (struct cpuid_words){0};
	}
}

struct cpuid_words svm_cpuid_default(uint32_t leaf, uint32_t subleaf, uint32_t apic_id)
{
	return svm_cpuid_filter(leaf, subleaf, cpuid(leaf, subleaf), apic_id);
}

struct svm_cpuid svm_cpuid_features(void)
{
	struct cpuid_words leaf1 = svm_cpuid_default(0x00000001, 0, 0);
	struct cpuid_words leaf7 = svm_cpuid_default(0x00000007, 0, 0);
	struct cpuid_words ext1 = svm_cpuid_default(0x80000001, 0, 0);
	struct cpuid_words ext8 = svm_cpuid_default(0x80000008, 0, 0);

	return (struct svm_cpuid){.leaf1_ecx = leaf1.ecx,
				  .leaf1_edx = leaf1.edx,
				  .leaf7_ebx = leaf7.ebx,
				  .leaf7_ecx = leaf7.ecx,
				  .ext1_ecx = ext1.ecx,
				  .ext1_edx = ext1.edx,
				  .ext8_eax = ext8.eax};
}

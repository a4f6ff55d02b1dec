/* SPDX-License-Identifier: MIT */
/*
 * What this processor lets a guest's registers hold, as masks. Filled once at boot from CPUID;
 * the pure parts of the backend take it as an argument, so that tests can be any processor.
 */
#ifndef SVM_CPU_FEATURES_H
#define SVM_CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1ULL << 0)
#define CR0_MP (1ULL << 1)
#define CR0_EM (1ULL << 2)
#define CR0_TS (1ULL << 3)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_WP (1ULL << 16)
#define CR0_AM (1ULL << 18)
#define CR0_NW (1ULL << 29)
#define CR0_CD (1ULL << 30)
#define CR0_PG (1ULL << 31)
#define CR0_ALLOWED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)

#define CR4_VME (1ULL << 0)
#define CR4_PVI (1ULL << 1)
#define CR4_TSD (1ULL << 2)
#define CR4_DE (1ULL << 3)
#define CR4_PSE (1ULL << 4)
#define CR4_PAE (1ULL << 5)
#define CR4_MCE (1ULL << 6)
#define CR4_PGE (1ULL << 7)
#define CR4_PCE (1ULL << 8)
#define CR4_OSFXSR (1ULL << 9)
#define CR4_OSXMMEXCPT (1ULL << 10)
#define CR4_UMIP (1ULL << 11)
#define CR4_LA57 (1ULL << 12)
#define CR4_FSGSBASE (1ULL << 16)
#define CR4_PCIDE (1ULL << 17)
#define CR4_OSXSAVE (1ULL << 18)
#define CR4_SMEP (1ULL << 20)
#define CR4_SMAP (1ULL << 21)
#define CR4_PKE (1ULL << 22)

#define EFER_SCE (1ULL << 0)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)
#define EFER_NXE (1ULL << 11)
#define EFER_SVME (1ULL << 12)
#define EFER_FFXSR (1ULL << 14)
#define EFER_TCE (1ULL << 15)

#define RFLAGS_FIXED (1ULL << 1)
#define RFLAGS_TF (1ULL << 8)
#define RFLAGS_IF (1ULL << 9)
#define RFLAGS_VM (1ULL << 17)
#define RFLAGS_AC (1ULL << 18)
#define RFLAGS_RESERVED 0xffffffffffc08028ULL /* bit 1 is fixed, not here */

/* The CPUID words that svm_features_init looks at; a leaf that does not exist is zero. */
struct svm_cpuid {
	uint32_t leaf1_ecx;
	uint32_t leaf1_edx;
	uint32_t leaf7_ebx;
	uint32_t leaf7_ecx;
	uint32_t ext1_ecx; /* leaf 8000_0001 */
	uint32_t ext1_edx;
	uint32_t ext8_eax; /* leaf 8000_0008 */
};

struct svm_features {
	uint64_t cr4_allowed;
	uint64_t efer_allowed; /* without SVME, which no guest may touch */
	uint32_t mxcsr_mask;   /* of this CPU's own FXSAVE image, 0xffbf if that holds 0 */
	uint8_t physical_bits;
	bool page_1g;
	bool x2apic;
};

void svm_features_init(struct svm_features *features, const struct svm_cpuid *cpuid,
		       uint32_t mxcsr_mask);

/* Bits that an address in a control register or page-table entry must not have. */
static inline uint64_t svm_address_reserved(const struct svm_features *features)
{
	return ~((1ULL << features->physical_bits) - 1);
}

/* cr4 says whether linear addresses have 57 bits or 48. */
static inline bool svm_is_canonical(uint64_t address, uint64_t cr4)
{
	unsigned int shift = (cr4 & CR4_LA57) ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

#endif

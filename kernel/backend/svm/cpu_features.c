// SPDX-License-Identifier: MIT
#include "cpu_features.h"

struct feature_bit {
	uint32_t present; /* not 0: CPUID has it */
	uint64_t bits;
};

static uint64_t collect(const struct feature_bit *table, unsigned int count)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < count; i++)
		bits |= table[i].present ? table[i].bits : 0;
	return bits;
}

/* APM vol. 3, appendix E names the CPUID bits; vol. 2, 3.1.3 those of CR4. */
static uint64_t cr4_allowed(const struct svm_cpuid *cpuid)
{
	const struct feature_bit table[] = {
		{cpuid->leaf1_edx & (1u << 1), CR4_VME | CR4_PVI},
		{cpuid->leaf1_edx & (1u << 2), CR4_DE},
		{cpuid->leaf1_edx & (1u << 3), CR4_PSE},
		{cpuid->leaf1_edx & (1u << 4), CR4_TSD},
		{cpuid->leaf1_edx & (1u << 6), CR4_PAE},
		{cpuid->leaf1_edx & (1u << 7), CR4_MCE},
		{cpuid->leaf1_edx & (1u << 13), CR4_PGE},
		{cpuid->leaf1_edx & (1u << 24), CR4_OSFXSR},
		{cpuid->leaf1_edx & (1u << 25), CR4_OSXMMEXCPT},
		{cpuid->leaf1_ecx & (1u << 17), CR4_PCIDE},
		{cpuid->leaf1_ecx & (1u << 26), CR4_OSXSAVE},
		{cpuid->leaf7_ebx & (1u << 0), CR4_FSGSBASE},
		{cpuid->leaf7_ebx & (1u << 7), CR4_SMEP},
		{cpuid->leaf7_ebx & (1u << 20), CR4_SMAP},
		{cpuid->leaf7_ecx & (1u << 2), CR4_UMIP},
		{cpuid->leaf7_ecx & (1u << 3), CR4_PKE},
		{cpuid->leaf7_ecx & (1u << 16), CR4_LA57},
		{1, CR4_PCE}, /* no feature bit: every AMD64 processor has it */
	};

	return collect(table, sizeof(table) / sizeof(table[0]));
}

/* APM vol. 2, 3.1.7. */
static uint64_t efer_allowed(const struct svm_cpuid *cpuid)
{
	const struct feature_bit table[] = {
		{cpuid->ext1_edx & (1u << 11), EFER_SCE},
		{cpuid->ext1_edx & (1u << 20), EFER_NXE},
		{cpuid->ext1_edx & (1u << 25), EFER_FFXSR},
		{cpuid->ext1_edx & (1u << 29), EFER_LME | EFER_LMA},
		{cpuid->ext1_ecx & (1u << 17), EFER_TCE},
	};

	return collect(table, sizeof(table) / sizeof(table[0]));
}

/* A nonsensical width must not become an undefined shift later. */
static uint8_t physical_bits(const struct svm_cpuid *cpuid)
{
	uint8_t bits = (uint8_t)cpuid->ext8_eax;

	if (bits < 32)
		return 36;
	return bits > 52 ? 52 : bits;
}

void svm_features_init(struct svm_features *features, const struct svm_cpuid *cpuid,
		       uint32_t mxcsr_mask)
{
	features->cr4_allowed = cr4_allowed(cpuid);
	features->efer_allowed = efer_allowed(cpuid);
	features->mxcsr_mask = mxcsr_mask ? mxcsr_mask : 0xffbf; /* APM vol. 2, 11.5.10 */
	features->physical_bits = physical_bits(cpuid);
	features->page_1g = cpuid->ext1_edx & (1u << 26);
	features->x2apic = cpuid->leaf1_ecx & (1u << 21);
}

// SPDX-License-Identifier: MIT
/* Leaves of the hypervisor: Hyper-V TLFS, "Feature and Interface Discovery". */
#include "cpuid.h"

#define BIT(n) (1u << (n))

#define LEAF1_X2APIC BIT(21)
#define LEAF1_OSXSAVE BIT(27)
#define LEAF1_HYPERVISOR BIT(31)
#define EXT1_SVM BIT(2)

#define HV_MAX_LEAF 0x40000006u
#define HV_EAX_TIME_REF_COUNT BIT(1)
#define HV_EAX_HYPERCALL_MSRS BIT(5)
#define HV_EAX_VP_INDEX BIT(6)
#define HV_EAX_REFERENCE_TSC BIT(9)
#define HV_EAX_FREQUENCY_MSRS BIT(11)
#define HV_EBX_VSM BIT(16)
#define HV_EBX_VP_REGISTERS BIT(17)
#define HV_EBX_START_VP BIT(21)
#define HV_EDX_FREQUENCIES BIT(8)
#define HV_EDX_CRASH_MSRS BIT(10)

static struct cpuid_words native(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_words w = {leaf, 0, subleaf, 0};

	asm volatile("cpuid" : "+a"(w.eax), "=b"(w.ebx), "+c"(w.ecx), "=d"(w.edx));
	return w;
}

static struct cpuid_words hypervisor(uint32_t leaf)
{
	switch (leaf) {
	case 0x40000000: /* "Microsoft Hv" */
		return (struct cpuid_words){HV_MAX_LEAF, 0x7263694d, 0x666f736f, 0x76482074};
	case 0x40000001: /* "Hv#1" */
		return (struct cpuid_words){.eax = 0x31237648};
	case 0x40000002: /* build 20348, version 10.0 */
		return (struct cpuid_words){20348, 10 << 16, 0, 0};
	case 0x40000003:
		return (struct cpuid_words){HV_EAX_TIME_REF_COUNT | HV_EAX_HYPERCALL_MSRS |
						    HV_EAX_VP_INDEX | HV_EAX_REFERENCE_TSC |
						    HV_EAX_FREQUENCY_MSRS,
					    HV_EBX_VSM | HV_EBX_VP_REGISTERS | HV_EBX_START_VP, 0,
					    HV_EDX_FREQUENCIES | HV_EDX_CRASH_MSRS};
	case 0x40000005:
		return (struct cpuid_words){cpu_count, cpu_count, 0, 0};
	default: /* no enlightenment is recommended, no hardware feature is in use */
		return (struct cpuid_words){0};
	}
}

/* OSXSAVE mirrors the guest's CR4, not L0's. */
static struct cpuid_words leaf1(struct cpu *cpu, struct cpuid_words w)
{
	uint64_t cr4 = cpu->vtl == 2 ? cpu->vmcb2.save.cr4 : cpu->vmcb0.save.cr4;

	w.ecx |= LEAF1_X2APIC | LEAF1_HYPERVISOR;
	w.ecx &= ~LEAF1_OSXSAVE;
	if (cr4 & BIT(18))
		w.ecx |= LEAF1_OSXSAVE;
	return w;
}

struct cpuid_words cpuid_result(struct cpu *cpu, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_words w;

	if (leaf >> 8 == 0x400000)
		return hypervisor(leaf);
	w = native(leaf, subleaf);
	if (leaf == 1)
		return leaf1(cpu, w);
	if (leaf == 0x80000001)
		w.ecx &= ~EXT1_SVM;
	if (leaf == 0x8000000a)
		w = (struct cpuid_words){0};
	return w;
}

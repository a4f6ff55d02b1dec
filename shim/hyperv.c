// SPDX-License-Identifier: MIT
/* Hypervisor Top Level Functional Specification: feature discovery, hypercall interface, timers. */
#include "hyperv.h"

#include <sidecar/hv.h>

#include "console.h"
#include "cpu.h"

#define HYPERVISOR_PRESENT (1u << 31) /* leaf 1 ECX */
#define LEAF_MAX 0x40000000u
#define LEAF_INTERFACE 0x40000001u
#define LEAF_FEATURES 0x40000003u
#define INTERFACE_HV1 0x31237648u	 /* "Hv#1" */
#define FEATURE_HYPERCALL_MSRS (1u << 5) /* EAX */
#define FEATURE_ACCESS_VSM (1u << 16)	 /* EBX */

#define MSR_GUEST_OS_ID 0x40000000u
#define MSR_HYPERCALL 0x40000001u
#define MSR_TIME_REF_COUNT 0x40000020u
#define HYPERCALL_ENABLE 1u
#define OPEN_SOURCE_OS (1ull << 63) /* vendor 0: nobody's in particular */
#define OS_VERSION 1ull

bool hyperv_present(void)
{
	if (!(cpuid(1).ecx & HYPERVISOR_PRESENT) || cpuid(LEAF_MAX).eax < LEAF_FEATURES ||
	    cpuid(LEAF_INTERFACE).eax != INTERFACE_HV1)
		return false;
	return (cpuid(LEAF_FEATURES).eax & FEATURE_HYPERCALL_MSRS) &&
	       (cpuid(LEAF_FEATURES).ebx & FEATURE_ACCESS_VSM);
}

void hyperv_enable(void *page)
{
	wrmsr(MSR_GUEST_OS_ID, OPEN_SOURCE_OS | OS_VERSION);
	wrmsr(MSR_HYPERCALL, (uint64_t)page | HYPERCALL_ENABLE);
	if (!(rdmsr(MSR_HYPERCALL) & HYPERCALL_ENABLE))
		panic("the hypervisor does not enable its hypercall page at %#lx", (uint64_t)page);
}

void hyperv_disable(void)
{
	wrmsr(MSR_HYPERCALL, 0);
	wrmsr(MSR_GUEST_OS_ID, 0);
}

/* ---- who is who ------------------------------------------------------------------------------ */

#define PAGE 4096u
#define BATCH 512u
#define REP_COUNT_SHIFT 32
#define STATUS_MASK 0xffffu
#define PARTITION_SELF (~0ull)

struct indices_input {
	struct hv_vp_index_from_apic_id_input header;
	uint32_t apic_ids[BATCH];
};

static uint64_t hypercall(const void *page, uint64_t control, const void *input, void *output)
{
	register void *r8 asm("r8") = output;
	uint64_t result;

	asm volatile("call *%[page]"
		     : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
		     : [page] "r"(page)
		     : "r9", "r10", "r11", "memory", "cc");
	return result;
}

static bool batch_in_order(const struct machine *machine, const void *page,
			   struct indices_input *input, uint32_t *output, uint32_t first,
			   uint32_t *cpu, uint32_t *vp)
{
	uint32_t left = machine->cpu_count - first, count = left < BATCH ? left : BATCH, i;
	uint64_t result;

	input->header.partition_id = PARTITION_SELF;
	for (i = 0; i < count; i++)
		input->apic_ids[i] = machine->cpus[first + i].apic_id;
	result = hypercall(page,
			   HV_CALL_GET_VP_INDEX_FROM_APIC_ID | (uint64_t)count << REP_COUNT_SHIFT,
			   input, output);
	if (result & STATUS_MASK) /* nobody knows who is who then */
		panic("GetVpIndexFromApicId answers %#lx", result);
	for (i = 0; i < count && output[i] == first + i; i++)
		;
	if (i == count)
		return true;
	*cpu = first + i;
	*vp = output[i];
	return false;
}

bool hyperv_same_order(struct machine *machine, uint32_t *cpu, uint32_t *vp)
{
	void *page = machine_place(machine, PAGE, PAGE, MEMORY_BUSY);
	void *input = machine_place(machine, PAGE, PAGE, MEMORY_BUSY);
	void *output = machine_place(machine, PAGE, PAGE, MEMORY_BUSY);
	uint32_t first;
	bool same = true;

	hyperv_enable(page);
	for (first = 0; first < machine->cpu_count && same; first += BATCH)
		same = batch_in_order(machine, page, input, output, first, cpu, vp);
	hyperv_disable();
	return same;
}

uint64_t hyperv_time(void)
{
	return rdmsr(MSR_TIME_REF_COUNT);
}

// SPDX-License-Identifier: MIT
/*
 * Registers through the library: each can be set and read, any number in one call, and what the
 * rules refuse is refused and changes nothing (R10).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registers.h"
#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- values that are refused ----------------------------------------------------------------- */

struct refused {
	uint32_t name;
	uint64_t low, high;
	const char *why;
};

#define SEGMENT(base, attributes) (base), (uint64_t)(attributes) << 48 | 0xffff

static const struct refused refused[] = {
	{HV_REGISTER_CR0, 0x10 | 1 << 6, 0, "a reserved bit"},
	{HV_REGISTER_CR0, 0x10 | 1ull << 32, 0, "a high bit"},
	{HV_REGISTER_CR0, 0x80000010, 0, "paging without protection"},
	{HV_REGISTER_CR0, 0x20000010, 0, "NW without CD"},
	{HV_REGISTER_CR3, 1ull << 63, 0, "a high bit"},
	{HV_REGISTER_CR3, 1ull << 52, 0, "an address that no processor has"},
	{HV_REGISTER_CR4, 1ull << 15, 0, "a reserved bit"},
	{HV_REGISTER_CR4, 1ull << 13, 0, "VMXE"},
	{HV_REGISTER_CR4, 1ull << 18, 0, "OSXSAVE, which guests are not told of"},
	{HV_REGISTER_CR4, 1ull << 32, 0, "a high bit"},
	{HV_REGISTER_CR8, 16, 0, "more than 15"},
	{HV_REGISTER_EFER, 1ull << 1, 0, "a reserved bit"},
	{HV_REGISTER_EFER, 1ull << 12, 0, "SVME"},
	{HV_REGISTER_EFER, 1ull << 13, 0, "LMSLE"},
	{HV_REGISTER_EFER, 1ull << 10, 0, "LMA without LME"},
	{HV_REGISTER_EFER, 1ull << 32, 0, "a high bit"},
	{HV_REGISTER_XFEM, 0, 0, "no x87"},
	{HV_REGISTER_XFEM, 2, 0, "SSE without x87"},
	{HV_REGISTER_XFEM, 4, 0, "AVX alone"},
	{HV_REGISTER_XFEM, 7, 0, "AVX"},
	{HV_REGISTER_XFEM, 1ull << 62, 0, "a high bit"},
	{HV_REGISTER_RFLAGS, 1 << 3, 0, "bit 3"},
	{HV_REGISTER_RFLAGS, 1 << 15, 0, "bit 15"},
	{HV_REGISTER_RFLAGS, 1ull << 22, 0, "bit 22"},
	{HV_REGISTER_RFLAGS, 1ull << 63, 0, "a high bit"},
	{HV_REGISTER_DR6, 1ull << 32, 0, "a high bit"},
	{HV_REGISTER_DR7, 1ull << 63, 0, "a high bit"},
	{HV_REGISTER_DEBUGCTL, 1ull << 32, 0, "a high bit"},
	{HV_REGISTER_PAT, 0x0007040600070402, 0, "type 2"},
	{HV_REGISTER_PAT, 0x0307040600070406, 0, "type 3"},
	{HV_REGISTER_PAT, 0x0007040600080406, 0, "type 8"},
	{HV_REGISTER_PAT, 0x0007046600070406, 0, "type 0x66"},
	{HV_REGISTER_KERNEL_GS_BASE, 1ull << 47, 0, "not canonical"},
	{HV_REGISTER_LSTAR, 0x8000000000000000, 0, "not canonical"},
	{HV_REGISTER_CSTAR, 0x0001000000000000, 0, "not canonical"},
	{HV_REGISTER_SYSENTER_EIP, 0xfeff800000000000, 0, "not canonical"},
	{HV_REGISTER_SYSENTER_ESP, 0x00ff000000000000, 0, "not canonical"},
	{HV_REGISTER_TSC_AUX, 1ull << 32, 0, "more than 32 bits"},
	{HV_REGISTER_APIC_BASE, 0xfee00000 | 1, 0, "a reserved bit"},
	{HV_REGISTER_APIC_BASE, 0xfee00400, 0, "x2APIC without the APIC"},
	{HV_REGISTER_APIC_BASE, 1ull << 60, 0, "a high bit"},
	{HV_REGISTER_MTRR_DEF_TYPE, 2, 0, "type 2"},
	{HV_REGISTER_MTRR_DEF_TYPE, 7, 0, "type 7, which only PAT has"},
	{HV_REGISTER_MTRR_DEF_TYPE, 0x100, 0, "a reserved bit"},
	{HV_REGISTER_MTRR_CAP, 0x123456, 0, "read only"},
	{HV_REGISTER_MTRR_PHYS_BASE0, 2, 0, "type 2"},
	{HV_REGISTER_MTRR_PHYS_BASE0 + 7, 0x100, 0, "a reserved bit"},
	{HV_REGISTER_MTRR_PHYS_BASE0, 1ull << 60, 0, "a high bit"},
	{HV_REGISTER_MTRR_PHYS_MASK0, 1, 0, "a reserved bit"},
	{HV_REGISTER_MTRR_PHYS_MASK0 + 7, 1ull << 60, 0, "a high bit"},
	{HV_REGISTER_MTRR_FIX64K_00000, 0x0000000000000002, 0, "type 2"},
	{HV_REGISTER_MTRR_FIX16K_A0000, 0x0700000000000000, 0, "type 7"},
	{HV_REGISTER_MTRR_FIX4K_F8000, 0x0000000300000000, 0, "type 3"},
	{HV_REGISTER_CS, SEGMENT(0, 0x019b), "a reserved attribute"},
	{HV_REGISTER_SS, SEGMENT(0, 0x0893), "a reserved attribute"},
	{HV_REGISTER_ES, SEGMENT(0, 0x0f93), "reserved attributes"},
	{HV_REGISTER_FS, SEGMENT(1ull << 47, 0x93), "a base that is not canonical"},
	{HV_REGISTER_GS, SEGMENT(1ull << 63, 0x93), "a base that is not canonical"},
	{HV_REGISTER_TR, SEGMENT(0x0001000000000000, 0x8b), "a base that is not canonical"},
	{HV_REGISTER_LDTR, SEGMENT(0, 0x0182), "a reserved attribute"},
	{HV_REGISTER_IDTR, 0x03ff000000000001, 0, "padding"},
	{HV_REGISTER_GDTR, 0xffff000000000000, 1ull << 47, "a base that is not canonical"},
	{HV_REGISTER_XMM_CONTROL_STATUS, 0, 0x80001f80, "a reserved MXCSR bit"},
	{HV_REGISTER_INTERRUPT_STATE, 4, 0, "a reserved bit"},
	{HV_REGISTER_INTERRUPT_STATE, 1ull << 63, 0, "a high bit"},
	{HV_REGISTER_INTERNAL_ACTIVITY_STATE, 8, 0, "a reserved bit"},
	{HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 0x40, 0, "a reserved bit"},
	{HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 1ull << 48, 0, "a SINT, which nobody has here"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 1 << 1, 0, "type 1"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 7 << 1, 0, "type 7"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 2 << 1 | 3 << 16, 0, "an NMI with vector 3"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 3 << 1 | 2 << 16, 0, "an exception with vector 2"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 3 << 1 | 32 << 16, 0, "an exception with vector 32"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 256ull << 16, 0, "vector 256"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 1 << 4 | 0x20 << 16, 0,
	 "an interrupt with an error code"},
	{HV_REGISTER_PENDING_INTERRUPTION, 1 | 1 << 10 | 0x20 << 16, 0, "a reserved bit"},
	{HV_REGISTER_PENDING_EVENT0, 1 | 1 << 1, 0, "a memory intercept"},
	{HV_REGISTER_PENDING_EVENT0, 1 | 7 << 1, 0, "type 7"},
	{HV_REGISTER_PENDING_EVENT0, 1 | 2 << 16, 0, "an exception with vector 2"},
	{HV_REGISTER_PENDING_EVENT0, 1 | 5 << 1 | 1ull << 40, 0, "an interrupt with more"},
	{HV_REGISTER_PENDING_EVENT1, 1, 0, "which nothing needs here"},
	{HV_REGISTER_VP_INDEX, 2, 0, "another VP's"},
	{HV_REGISTER_INITIAL_APIC_ID, 99, 0, "another VP's"},
};

static void test_refused(void)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		const struct refused *r = &refused[i];
		struct hv_u128 before = {0}, after = {1, 1};
		uint16_t status;

		vmm_get128(&vmm, r->name, &before);
		status = vmm_set128(&vmm, r->name, (struct hv_u128){r->low, r->high});
		vmm_get128(&vmm, r->name, &after);
		if (!tap_check(status == HV_STATUS_INVALID_REGISTER_VALUE &&
				       memcmp(&before, &after, sizeof(before)) == 0,
			       "%s: %s is refused and nothing changes",
			       sidecar_register_name(r->name), r->why))
			tap_note("status %#x, was %#llx, is %#llx", status,
				 (unsigned long long)before.low, (unsigned long long)after.low);
	}
	VMM_LOAD(&vmm, VMM_REAL, 0xf4);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT,
		  "the VP runs after all of them");
}

/* ---- names that are unknown ------------------------------------------------------------------ */

static void test_unknown(void)
{
	static const uint32_t names[] = {
		0,
		1,
		0x00020012,
		0x00040006,
		0x00050006,
		0x00060008,
		0x00070002,
		HV_REGISTER_BNDCFGS,
		HV_REGISTER_XSS,
		HV_REGISTER_U_CET,
		HV_REGISTER_SINT0,
		HV_REGISTER_STIMER0_CONFIG,
		HV_REGISTER_VSM_CAPABILITIES,
		HV_REGISTER_REGISTER_PAGE,
		HV_REGISTER_VP_ASSIST_PAGE,
		HV_REGISTER_GUEST_OS_ID,
		0x7fffffff,
		0xffffffff,
	};
	struct hv_u128 value;

	for (size_t i = 0; i < COUNT(names); i++) {
		tap_equal(vmm_get128(&vmm, names[i], &value), HV_STATUS_UNKNOWN_REGISTER_NAME,
			  "a register that AMD-V has not is unknown to GET");
		tap_equal(vmm_set(&vmm, names[i], 0), HV_STATUS_UNKNOWN_REGISTER_NAME,
			  "and to SET");
	}
}

/* ---- every register -------------------------------------------------------------------------- */

static void test_set_and_get(void)
{
	for (size_t i = 0; i < registers_count; i++) {
		const struct settable *r = &registers[i];
		struct hv_u128 got = {0};
		uint16_t set = vmm_set128(&vmm, r->name, r->value);
		uint16_t get = vmm_get128(&vmm, r->name, &got);

		if (!tap_check(set == 0 && get == 0 && got.low == r->value.low &&
				       got.high == r->value.high,
			       "%s can be set and read", sidecar_register_name(r->name)))
			tap_note("set %#x, get %#x, %#llx:%#llx, wanted %#llx:%#llx", set, get,
				 (unsigned long long)got.high, (unsigned long long)got.low,
				 (unsigned long long)r->value.high,
				 (unsigned long long)r->value.low);
	}
}

/* Bits that read as one whatever is written, and those that read as zero. */
static void test_fixed_bits(void)
{
	vmm_set(&vmm, HV_REGISTER_CR0, 0);
	tap_equal(vmm_get(&vmm, HV_REGISTER_CR0), 0x10, "CR0.ET is always set");
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0);
	tap_equal(vmm_get(&vmm, HV_REGISTER_RFLAGS), 2, "bit 1 of RFLAGS is always set");
	vmm_set(&vmm, HV_REGISTER_DR6, 0);
	tap_equal(vmm_get(&vmm, HV_REGISTER_DR6), 0xffff0ff0, "DR6 has its ones");
	vmm_set(&vmm, HV_REGISTER_DR7, 0);
	tap_equal(vmm_get(&vmm, HV_REGISTER_DR7), 0x400, "DR7 has its one");
	tap_check(vmm_set(&vmm, HV_REGISTER_VP_INDEX, vmm.cpu) == 0 &&
			  vmm_get(&vmm, HV_REGISTER_VP_INDEX) == vmm.cpu,
		  "the VP index is the CPU, and may be set to that");
}

static void test_tsc(void)
{
	uint64_t first, second;

	tap_equal(vmm_set(&vmm, HV_REGISTER_TSC, 0x1000000000000), 0, "the TSC can be set");
	first = vmm_get(&vmm, HV_REGISTER_TSC);
	second = vmm_get(&vmm, HV_REGISTER_TSC);
	tap_check(first >= 0x1000000000000 && first < 0x1100000000000, "and goes on from there");
	tap_check(second > first, "and goes on");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x31, 0xf4); /* rdtsc; hlt */
	tap_check(vmm_run(&vmm) && vmm.gps[SIDECAR_GP_RDX] >> 16 == 1,
		  "the guest reads the same clock");
	tap_equal(vmm_set(&vmm, HV_REGISTER_TSC_VIRTUAL_OFFSET, 0), 0, "its offset can be set");
}

/* ---- any count ------------------------------------------------------------------------------- */

#define MANY 100u

static struct hv_register_assoc many[MANY];

static uint64_t value_of(unsigned int i)
{
	return (uint64_t)(i + 1) << 12;
}

/* 16 base registers and 84 words, each many times: the last value stays. */
static void fill_many(void)
{
	memset(many, 0, sizeof(many));
	for (unsigned int i = 0; i < MANY; i++) {
		many[i].name = i % 2 ? HV_REGISTER_MTRR_PHYS_BASE0 + i / 2 % 16
				     : HV_REGISTER_DR0 + i / 2 % 4;
		many[i].value.low = value_of(i);
	}
}

static void test_many(void)
{
	bool good = true;

	fill_many();
	tap_equal((unsigned int)-sidecar_vp_set_registers(vmm.vp, HV_VTL_0, many, MANY), 0,
		  "SET of 100 registers in one call");
	for (unsigned int i = 0; i < MANY; i++)
		many[i].value = (struct hv_u128){~0ull, ~0ull};
	tap_equal((unsigned int)-sidecar_vp_get_registers(vmm.vp, HV_VTL_0, many, MANY), 0,
		  "GET of 100 registers in one call");
	for (unsigned int i = 0; i < MANY; i++) {
		unsigned int last = i, period = i % 2 ? 32 : 8;

		while (last + period < MANY)
			last += period;
		good &= many[i].value.low == value_of(last) && many[i].value.high == 0;
	}
	tap_check(good, "and every one has its value");
	tap_equal((unsigned int)-sidecar_vp_get_registers(vmm.vp, HV_VTL_0, many, 0), 0,
		  "GET of none succeeds");
	tap_equal((unsigned int)-sidecar_vp_set_registers(vmm.vp, HV_VTL_0, many, 0), 0,
		  "SET of none succeeds");
}

static void fails_at(unsigned int index, uint32_t name, uint64_t value, uint16_t status)
{
	const struct sidecar_error *error = sidecar_vp_error(vmm.vp);
	int result;

	fill_many();
	many[index].name = name;
	many[index].value.low = value;
	result = sidecar_vp_set_registers(vmm.vp, HV_VTL_0, many, MANY);
	if (!tap_check(result == -EREMOTEIO && error->index == index &&
			       error->hv_status == status && strstr(error->text, "of 100"),
		       "SET of 100: number %u fails with status %#x", index, status))
		tap_note("%d, index %u, status %#x: %s", result, error->index, error->hv_status,
			 error->text);
}

static void test_failing_index(void)
{
	static const unsigned int places[] = {0, 1, 30, 31, 32, 61, 62, 99};

	for (size_t i = 0; i < COUNT(places); i++)
		fails_at(places[i], 0x00666666, 0, HV_STATUS_UNKNOWN_REGISTER_NAME);
	fails_at(57, HV_REGISTER_PAT, 2, HV_STATUS_INVALID_REGISTER_VALUE);
	tap_equal(vmm_get(&vmm, HV_REGISTER_DR0), value_of(56), "the one before it is set");
	tap_check(vmm_get(&vmm, HV_REGISTER_DR1) == value_of(50), "those after it are not");
}

static void test_vtl(void)
{
	struct hv_u128 value = {5, 5};

	tap_check(sidecar_vp_get_register(vmm.vp, HV_VTL_1, HV_REGISTER_RIP, &value) ==
				  -EREMOTEIO &&
			  sidecar_vp_error(vmm.vp)->hv_status == HV_STATUS_INVALID_PARAMETER,
		  "VTL 1 is not here");
	tap_equal((unsigned int)-sidecar_vp_get_register(vmm.vp, HV_VTL_CURRENT, HV_REGISTER_RIP,
							 &value),
		  0, "the current VTL is");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	VMM_LOAD(&vmm, VMM_REAL, 0xf4);
	test_refused();
	test_unknown();
	test_set_and_get();
	test_fixed_bits();
	test_tsc();
	test_many();
	test_failing_index();
	test_vtl();
	vmm_close(&vmm);
	return tap_done();
}

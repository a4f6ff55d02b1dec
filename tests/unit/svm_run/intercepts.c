// SPDX-License-Identifier: MIT
#include "fake.h"

#include "intercepts.h"

/* Both bits of an MSR in the permission map, or -1 where the map has no place for it. */
static int map_bits(uint32_t msr)
{
	static const uint32_t ranges[] = {0, 0xc0000000, 0xc0010000};

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t n = msr - ranges[i];

		if (n < 0x2000)
			return (svm_msrpm[2048 * i + n / 4] >> (n % 4 * 2)) & 3;
	}
	return -1;
}

static void test_io(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(svm_iopm); i++)
		assert_int_equal(svm_iopm[i], 0xff);
}

/* The map and the table say the same of every MSR. */
static void test_msr_map(void **state)
{
	static const uint32_t ranges[] = {0, 0xc0000000, 0xc0010000};
	unsigned int direct = 0;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		for (uint32_t n = 0; n < 0x2000; n++) {
			bool open = svm_msr_rule(ranges[i] + n).kind == MSR_DIRECT;

			assert_int_equal(map_bits(ranges[i] + n), open ? 0 : 3);
			direct += open;
		}
	}
	assert_int_equal(direct, 10);
}

/*
 * The map written a second time, by hand, from APM vol. 2, 15.11: MSR n of a range has bits 2n and
 * 2n + 1, the ranges begin at 0, 2 KiB and 4 KiB. What is not named here intercepts.
 */
static void test_msr_bytes(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
	} open[] = {
		{0x05d, 0xc0}, /* 174, 175, 176 */
		{0x820, 0x03}, /* C0000081, 82, 83 */
		{0x821, 0xfc}, /* C0000084 */
		{0x840, 0xc0}, /* C0000100, 101, 102 */
	};
	uint8_t wanted[SVM_MSRPM_SIZE];

	(void)state;
	memset(wanted, 0xff, sizeof(wanted));
	for (unsigned int i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		wanted[open[i].at] = open[i].value;
	assert_memory_equal(svm_msrpm, wanted, sizeof(wanted));
}

static void test_msr_rules(void **state)
{
	(void)state;
	assert_int_equal(svm_msr_rule(0xc0000080).name, HV_REGISTER_EFER);
	assert_int_equal(svm_msr_rule(0x26f).name, HV_REGISTER_MTRR_FIX4K_F8000);
	assert_int_equal(svm_msr_rule(0x202).name, HV_REGISTER_MTRR_PHYS_BASE0 + 1);
	assert_int_equal(svm_msr_rule(0x203).name, HV_REGISTER_MTRR_PHYS_MASK0 + 1);
	assert_int_equal(svm_msr_rule(0x176).kind, MSR_DIRECT);
	assert_int_equal(svm_msr_rule(0xc0000102).kind, MSR_DIRECT);
	/* DEBUGCTL, VM_CR, HSAVE_PA, SPEC_CTRL, machine checks, Hyper-V's */
	assert_int_equal(svm_msr_rule(0x1d9).kind, MSR_TO_VMM);
	assert_int_equal(svm_msr_rule(0xc0010114).kind, MSR_TO_VMM);
	assert_int_equal(svm_msr_rule(0xc0010117).kind, MSR_TO_VMM);
	assert_int_equal(svm_msr_rule(0x48).kind, MSR_TO_VMM);
	assert_int_equal(svm_msr_rule(0x400).kind, MSR_TO_VMM);
	assert_int_equal(svm_msr_rule(0x40000000).kind, MSR_TO_VMM);
}

/* Whatever reached a guest unintercepted would be the machine's own. */
static void test_forced(void **state)
{
	struct svm_control_area control = {0};
	uint32_t one = SVM_INTERCEPT1_INTR | SVM_INTERCEPT1_NMI | SVM_INTERCEPT1_INIT |
		       SVM_INTERCEPT1_CPUID | SVM_INTERCEPT1_HLT | SVM_INTERCEPT1_IOIO |
		       SVM_INTERCEPT1_MSR | SVM_INTERCEPT1_SHUTDOWN | SVM_INTERCEPT1_INVLPGA;
	uint32_t two = SVM_INTERCEPT2_VMRUN | SVM_INTERCEPT2_VMMCALL | SVM_INTERCEPT2_VMLOAD |
		       SVM_INTERCEPT2_VMSAVE | SVM_INTERCEPT2_STGI | SVM_INTERCEPT2_CLGI |
		       SVM_INTERCEPT2_SKINIT | SVM_INTERCEPT2_XSETBV | SVM_INTERCEPT2_MWAIT;

	(void)state;
	svm_intercepts_set(&control);
	assert_int_equal(control.intercept_misc1 & one, one);
	assert_int_equal(control.intercept_misc2 & two, two);
	assert_int_equal(control.intercept_exceptions, 1u << 1 | 1u << 17 | 1u << 18);
	assert_true(fake_vmcb()->control.int_ctl & SVM_INT_CTL_V_INTR_MASKING);
	assert_true(fake_vmcb()->control.nested_control & SVM_NESTED_ENABLE);
	assert_int_equal(fake_vmcb()->control.virt_ext, 0);
	assert_true(fake_vmcb()->control.guest_asid != 0);
}

/* QEMU, before it has loaded int_ctl for the first time, stores its own zero. */
static void is_refused(struct fake *f, unsigned int n)
{
	(void)f;
	if (!n)
		fake_vmcb()->control.int_ctl = 0;
	fake_exit(n ? SVM_EXIT_HLT : SVM_EXIT_INVALID, 0, 0);
}

/* R10: without it a guest with IF = 0 would never be left for an IPI again. */
static void test_R10_masking_after_a_refusal(void **state)
{
	(void)state;
	fake.guest = is_refused;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	fake_message(HV_MESSAGE_INVALID_VP_REGISTER_VALUE);
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	assert_int_equal(fake.entries, 2);
	assert_true(fake_vmcb()->control.int_ctl & SVM_INT_CTL_V_INTR_MASKING);
}

static void flushes_caches(struct fake *f, unsigned int n)
{
	(void)f;
	fake_vmcb()->save.cr0 |= CR0_PE;
	fake_vmcb()->save.cpl = 3;
	fake_exit(n ? SVM_EXIT_HLT : SVM_EXIT_WBINVD, 0, 0);
}

/* QEMU 10 looks at the intercept before it looks at the privilege level. */
static void test_wbinvd_of_user_mode(void **state)
{
	uint64_t rip;

	(void)state;
	fake.guest = flushes_caches;
	rip = fake_vmcb()->save.rip;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	assert_int_equal(fake.entries, 2);
	assert_int_equal(fake.entry[1].rip, rip);
	assert_int_equal(fake.entry[1].event_inj,
			 SVM_EVENT_VALID | SVM_EVENT_ERROR_CODE_VALID | 13 |
				 SVM_EVENT_TYPE_EXCEPTION << SVM_EVENT_TYPE_SHIFT);
}

#define TEST(name) cmocka_unit_test_setup(name, fake_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_io),
		TEST(test_msr_map),
		TEST(test_msr_bytes),
		TEST(test_msr_rules),
		TEST(test_forced),
		TEST(test_R10_masking_after_a_refusal),
		TEST(test_wbinvd_of_user_mode),
	};

	return cmocka_run_group_tests_name("svm_intercepts", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* A processor that has everything: what of it does a guest see? */
#include "fake.h"

#include "cpuid.h"

#define BIT(n) (1u << (n))

static struct cpuid_words see(uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_words everything = {~0u, ~0u, ~0u, ~0u};

	return svm_cpuid_filter(leaf, subleaf, everything, 0x12);
}

static void assert_empty(uint32_t leaf)
{
	const struct cpuid_words none = {0};
	struct cpuid_words words = see(leaf, 0);

	assert_memory_equal(&words, &none, sizeof(none));
}

static void test_leaf1(void **state)
{
	struct cpuid_words w = see(1, 0);

	(void)state;
	/* MONITOR, FMA, x2APIC, TSC deadline, XSAVE, OSXSAVE, AVX, F16C */
	assert_int_equal(w.ecx & (BIT(3) | BIT(12) | BIT(21) | BIT(24) | BIT(26) | BIT(27) |
				  BIT(28) | BIT(29)),
			 0);
	assert_true(w.ecx & BIT(31)); /* a hypervisor is present */
	assert_true(w.ecx & BIT(13)); /* CMPXCHG16B */
	assert_int_equal(w.edx & BIT(28), 0);
	assert_int_equal(w.ebx >> 24, 0x12);
	assert_int_equal((w.ebx >> 16) & 0xff, 1);
}

static void test_leaf7(void **state)
{
	struct cpuid_words w = see(7, 0);

	(void)state;
	assert_int_equal(w.eax, 0);
	assert_int_equal(w.ebx & (BIT(5) | BIT(16)), 0);		   /* AVX2, AVX-512 */
	assert_int_equal(w.ecx & (BIT(3) | BIT(4) | BIT(7) | BIT(16)), 0); /* PKU, CET, LA57 */
	assert_int_equal(w.edx, 0);
	assert_true(w.ebx & BIT(7)); /* SMEP */
	assert_int_equal(see(7, 1).eax, 0);
}

static void test_extended(void **state)
{
	struct cpuid_words w = see(0x80000001, 0);

	(void)state;
	/* SVM, XOP, FMA4, performance counters, MONITORX */
	assert_int_equal(w.ecx & (BIT(2) | BIT(11) | BIT(16) | BIT(23) | BIT(24) | BIT(29)), 0);
	assert_int_equal(w.edx & BIT(25), 0); /* FFXSR */
	assert_true(w.edx & BIT(29));	      /* long mode */
	assert_int_equal(see(0x80000008, 0).ecx, 0);
	assert_int_equal(see(0x80000008, 0).eax, 0xffff);
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(see(0, 0).eax, 0x0d);
	assert_int_equal(see(0x80000000, 0).eax, 0x80000008);
}

static void test_hidden_leaves(void **state)
{
	static const uint32_t hidden[] = {5,	      6,	  0x0a,	      0x0b,
					  0x0d,	      0x14,	  0x40000000, 0x40000001,
					  0x8000000a, 0x8000001d, 0x8000001e, 0x8000001f};

	(void)state;
	for (unsigned int i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		assert_empty(hidden[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf1),	      cmocka_unit_test(test_leaf7),
		cmocka_unit_test(test_extended),      cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hidden_leaves),
	};

	return cmocka_run_group_tests_name("svm_cpuid", tests, NULL, NULL);
}

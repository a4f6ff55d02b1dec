// SPDX-License-Identifier: MIT
#include "svm_test.h"

static int setup(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	*state = &f;
	return 0;
}

static void each_name_has_a_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, HV_REGISTER_MTRR_CAP), 0x510);
	assert_int_equal(set(f, HV_REGISTER_MTRR_DEF_TYPE, 0xc06, 0), 0);
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(set(f, HV_REGISTER_MTRR_PHYS_BASE0 + i, 0x1000 * i | 6, 0), 0);
		assert_int_equal(set(f, HV_REGISTER_MTRR_PHYS_MASK0 + i, 0x2000 * i | 0x800, 0), 0);
	}
	for (uint32_t i = 0; i < 11; i++)
		assert_int_equal(
			set(f, HV_REGISTER_MTRR_FIX64K_00000 + i, 0x0606060606060606 - i % 3, 0),
			0);
	assert_int_equal(get(f, HV_REGISTER_MTRR_DEF_TYPE), 0xc06);
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(get(f, HV_REGISTER_MTRR_PHYS_BASE0 + i), 0x1000 * i | 6);
		assert_int_equal(get(f, HV_REGISTER_MTRR_PHYS_MASK0 + i), 0x2000 * i | 0x800);
	}
	for (uint32_t i = 0; i < 11; i++)
		assert_int_equal(get(f, HV_REGISTER_MTRR_FIX64K_00000 + i),
				 0x0606060606060606 - i % 3);
}

static void bad_values(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_MTRR_CAP, 0x510, 0x510);
	assert_refuses(f, HV_REGISTER_MTRR_CAP, 0x508, 0);
	assert_refuses(f, HV_REGISTER_MTRR_DEF_TYPE, 0xc02, 0);
	assert_refuses(f, HV_REGISTER_MTRR_DEF_TYPE, 0x1006, 0);
	assert_refuses(f, HV_REGISTER_MTRR_DEF_TYPE, 0x106, 0);
	assert_refuses(f, HV_REGISTER_MTRR_PHYS_BASE0, 0x1007, 0);
	assert_refuses(f, HV_REGISTER_MTRR_PHYS_BASE0, 0x1106, 0);
	assert_refuses(f, HV_REGISTER_MTRR_PHYS_BASE15, 1ULL << 48, 0);
	assert_refuses(f, HV_REGISTER_MTRR_PHYS_MASK0, 0x1001, 0);
	assert_refuses(f, HV_REGISTER_MTRR_PHYS_MASK0, 1ULL << 48, 0);
	assert_refuses(f, HV_REGISTER_MTRR_FIX4K_F8000, 0x0606060606060607, 0);
	assert_refuses(f, HV_REGISTER_MTRR_FIX64K_00000, 0x0206060606060606, 0);
	assert_refuses(f, HV_REGISTER_MTRR_FIX16K_80000, 0x1e06060606060606, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_name_has_a_place, setup),
		cmocka_unit_test_setup(bad_values, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

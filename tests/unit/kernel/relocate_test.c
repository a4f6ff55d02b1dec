// SPDX-License-Identifier: MIT
#include "suite.h"

#include "relocate.h"

#define VA 0xffffff8000000000ull

static uint64_t image[4];

static uint64_t apply(const Elf64_Rela *relocations, uint64_t count)
{
	memset(image, 0x11, sizeof(image));
	return relocate((uint8_t *)image, sizeof(image), VA, relocations, count);
}

static void test_relative(void **state)
{
	const Elf64_Rela relocations[] = {
		{8, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0x1234},
		{24, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0},
	};

	(void)state;
	assert_int_equal(apply(relocations, 2), 2);
	assert_int_equal(image[0], 0x1111111111111111);
	assert_int_equal(image[1], VA + 0x1234);
	assert_int_equal(image[2], 0x1111111111111111);
	assert_int_equal(image[3], VA);
	/* The addend counts, not what is there: an image can be entered twice. */
	assert_int_equal(relocate((uint8_t *)image, sizeof(image), VA, relocations, 2), 2);
	assert_int_equal(image[1], VA + 0x1234);
}

static void test_other_type(void **state)
{
	const Elf64_Rela relocations[] = {
		{0, ELF64_R_INFO(0, R_X86_64_RELATIVE), 1},
		{8, ELF64_R_INFO(1, R_X86_64_GLOB_DAT), 1},
	};

	(void)state;
	assert_int_equal(apply(relocations, 2), 1);
	assert_int_equal(image[1], 0x1111111111111111);
}

static void test_outside(void **state)
{
	const Elf64_Rela beyond = {25, ELF64_R_INFO(0, R_X86_64_RELATIVE), 1};
	const Elf64_Rela far = {UINT64_MAX, ELF64_R_INFO(0, R_X86_64_RELATIVE), 1};

	(void)state;
	assert_int_equal(apply(&beyond, 1), 0);
	assert_int_equal(apply(&far, 1), 0);
	assert_int_equal(relocate((uint8_t *)image, 7, VA, &beyond, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_other_type),
		cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests_name("kernel_relocate", tests, NULL, NULL);
}

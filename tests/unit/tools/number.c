// SPDX-License-Identifier: MIT
/* Numbers, sizes and times of the command line. */
#include "fixture.h"

#include "number.h"

static void numbers(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(number_parse("0", 5, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(number_parse("010", 10, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(number_parse("0x10", 16, &value), 0);
	assert_int_equal(value, 16);
	assert_int_equal(number_parse("18446744073709551615", UINT64_MAX, &value), 0);
	assert_int_equal(number_parse("6", 5, &value), -1);
	assert_int_equal(number_parse("-1", UINT64_MAX, &value), -1);
	assert_int_equal(number_parse("+1", 5, &value), -1);
	assert_int_equal(number_parse(" 1", 5, &value), -1);
	assert_int_equal(number_parse("1 ", 5, &value), -1);
	assert_int_equal(number_parse("", 5, &value), -1);
	assert_int_equal(number_parse("18446744073709551616", UINT64_MAX, &value), -1);
}

static void sizes(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(number_parse_size("4096", 4096, &value), 0);
	assert_int_equal(value, 4096);
	assert_int_equal(number_parse_size("2M", 1 << 21, &value), 0);
	assert_int_equal(value, 1 << 21);
	assert_int_equal(number_parse_size("3G", 0xc0000000, &value), 0);
	assert_int_equal(value, 0xc0000000);
	assert_int_equal(number_parse_size("3145729K", 0xc0000000, &value), -1);
	assert_int_equal(number_parse_size("17179869185G", 0xc0000000, &value), -1); /* 2^64 + 1G */
	assert_int_equal(number_parse_size("1KB", 1 << 21, &value), -1);
	assert_int_equal(number_parse_size("1k", 1 << 21, &value), -1);
	assert_int_equal(number_parse_size("K", 1 << 21, &value), -1);
}

static void times(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(number_parse_seconds("1", 0.1, 10, &value), 0);
	assert_int_equal(value, 1000000000);
	assert_int_equal(number_parse_seconds("0.25", 0.1, 10, &value), 0);
	assert_int_equal(value, 250000000);
	assert_int_equal(number_parse_seconds("10", 0.1, 10, &value), 0);
	assert_int_equal(number_parse_seconds("10.1", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("0.01", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("nan", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("1e0", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("0x1", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("1s", 0.1, 10, &value), -1);
	assert_int_equal(number_parse_seconds("", 0.1, 10, &value), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

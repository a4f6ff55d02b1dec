// SPDX-License-Identifier: MIT
#include "suite.h"

#include "console/format.h"

static char text[64];

PRINTF_LIKE(2, 3) static size_t format(size_t size, const char *pattern, ...)
{
	va_list arguments;
	size_t used;

	memset(text, '~', sizeof(text));
	va_start(arguments, pattern);
	used = format_text(text, size, pattern, arguments);
	va_end(arguments);
	return used;
}

#define assert_format(expected, ...)                             \
	do {                                                     \
		size_t used = format(sizeof(text), __VA_ARGS__); \
		assert_text(text, used, expected);               \
		assert_int_equal(text[used], '~');               \
	} while (0)

static void test_letters(void **state)
{
	(void)state;
	assert_format("plain", "plain");
	assert_format("a word", "%s %s", "a", "word");
	assert_format("[x]", "[%c]", 'x');
	assert_format("100%", "%u%%", 100u);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_format("0", "%u", 0u);
	assert_format("4294967295", "%u", UINT32_MAX);
	assert_format("-2147483648", "%d", INT32_MIN);
	assert_format("deadbeef", "%x", 0xdeadbeefu);
	assert_format("18446744073709551615", "%lu", UINT64_MAX);
	assert_format("-9223372036854775808", "%ld", INT64_MIN);
	assert_format("ffffff8000000000", "%lx", 0xffffff8000000000ul);
}

static void test_width(void **state)
{
	(void)state;
	assert_format("00000000000000ff", "%016lx", 255ul);
	assert_format("  7", "%3u", 7u);
	assert_format("1234", "%3u", 1234u);
}

static void test_cut(void **state)
{
	(void)state;
	assert_int_equal(format(4, "%s", "longer"), 4);
	assert_memory_equal(text, "long~", 5);
	assert_int_equal(format(0, "%u", 1u), 0);
	assert_int_equal(text[0], '~');
}

static void test_error(void **state)
{
	struct sidecar_command_error error;
	char long_text[400];

	(void)state;
	error_format(&error, "count %u, the limit is %u", 32u, 31u);
	assert_error(error, "count 32, the limit is 31");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	error_format(&error, "%s", long_text);
	assert_int_equal(error.length, 255);
	assert_int_equal(error.text[254], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_width),	cmocka_unit_test(test_cut),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests_name("kernel_format", tests, NULL, NULL);
}

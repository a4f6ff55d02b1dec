// SPDX-License-Identifier: MIT
/* The shim's text_format against the C library's vsnprintf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void same(size_t size, const char *format, ...)
{
	char ours[64], theirs[64];
	va_list arguments;
	int length;

	memset(ours, '~', sizeof(ours));
	memset(theirs, '~', sizeof(theirs));
	va_start(arguments, format);
	length = text_format(ours, size, format, arguments);
	va_end(arguments);
	va_start(arguments, format);
	assert_int_equal(length, vsnprintf(theirs, size, format, arguments));
	va_end(arguments);
	assert_memory_equal(ours, theirs, sizeof(ours));
}

static void conversions(void **state)
{
	(void)state;
	same(64, "plain %% %c %s", 'x', "text");
	same(64, "%.3s %.*s %.9s", "abcdef", 2, "xyz", "short");
	same(64, "%d %d %5d %05d", -1, INT32_MIN, -42, -42);
	same(64, "%u %x %#x %#x %02x", UINT32_MAX, 0xabcdu, 0x12u, 0u, 7u);
	same(64, "%llu %llx %#llx", 1ull << 63, ~0ull, 0x123456789aull);
	same(64, "%lu %zu %#010lx", 5ul, (size_t)77, 0xfeul);
	same(64, "%ld", INT64_MIN);
}

static void what_is_cut_off_ends_with_nul(void **state)
{
	(void)state;
	same(5, "%s", "123456789");
	same(1, "%u", 123u);
	same(0, "%u", 123u);
	same(10, "%s", "123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions),
		cmocka_unit_test(what_is_cut_off_ends_with_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

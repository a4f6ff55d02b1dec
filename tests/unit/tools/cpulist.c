// SPDX-License-Identifier: MIT
/* CPU lists, read and written. */
#include "fixture.h"

#include "cpulist.h"

static void assert_becomes(const char *text, const char *wanted)
{
	char error[CPULIST_ERROR_SIZE], *got = NULL;
	struct cpulist list;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	assert_int_equal(cpulist_parse(text, &list, error), 0);
	cpulist_print(&list, out);
	fclose(out);
	assert_string_equal(got, wanted);
	free(got);
}

static void assert_refused(const char *text, const char *wanted)
{
	char error[CPULIST_ERROR_SIZE] = "";
	struct cpulist list;

	assert_int_equal(cpulist_parse(text, &list, error), -1);
	assert_string_equal(error, wanted);
	assert_int_equal(cpulist_count(&list), 0);
}

static void lists_are_read_and_written_in_their_shortest_form(void **state)
{
	(void)state;
	assert_becomes("1", "1");
	assert_becomes("0", "0");
	assert_becomes("1-3,7", "1-3,7");
	assert_becomes("7,3,1-2", "1-3,7");
	assert_becomes("1,2", "1-2");
	assert_becomes("5-5", "5");
	assert_becomes("3-9,4,4,8-10", "3-10");
	assert_becomes("63,64,65", "63-65");
	assert_becomes("007", "7");
	assert_becomes("65534-65535", "65534-65535");
	assert_becomes("0-65535", "0-65535");
}

static void what_is_no_list_is_refused_with_the_part_that_is_wrong(void **state)
{
	(void)state;
	assert_refused("", "CPU list: '' is neither a number nor a range N-M");
	assert_refused("1,,2", "CPU list: '' is neither a number nor a range N-M");
	assert_refused("1,", "CPU list: '' is neither a number nor a range N-M");
	assert_refused("1-", "CPU list: '1-' is neither a number nor a range N-M");
	assert_refused("-1", "CPU list: '-1' is neither a number nor a range N-M");
	assert_refused("1-2-3", "CPU list: '1-2-3' is neither a number nor a range N-M");
	assert_refused("1, 2", "CPU list: ' 2' is neither a number nor a range N-M");
	assert_refused("4,0x5,6", "CPU list: '0x5' is neither a number nor a range N-M");
	assert_refused("all", "CPU list: 'all' is neither a number nor a range N-M");
	assert_refused("1,9-3", "CPU list: '9-3' ends before it begins");
	assert_refused("65536", "CPU list: '65536' is beyond the largest CPU number, 65535");
	assert_refused("1-4294967297",
		       "CPU list: '1-4294967297' is beyond the largest CPU number, 65535");
	assert_refused("18446744073709551617",
		       "CPU list: '18446744073709551617' is beyond the largest CPU number, 65535");
}

static void a_list_is_walked_in_order(void **state)
{
	struct cpulist list = {0};

	(void)state;
	cpulist_add(&list, 64);
	cpulist_add(&list, 3);
	cpulist_add(&list, CPULIST_CPUS);
	assert_int_equal(cpulist_count(&list), 2);
	assert_int_equal(cpulist_next(&list, 0), 3);
	assert_int_equal(cpulist_next(&list, 4), 64);
	assert_int_equal(cpulist_next(&list, 65), CPULIST_CPUS);
	assert_false(cpulist_has(&list, CPULIST_CPUS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_and_written_in_their_shortest_form),
		cmocka_unit_test(what_is_no_list_is_refused_with_the_part_that_is_wrong),
		cmocka_unit_test(a_list_is_walked_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

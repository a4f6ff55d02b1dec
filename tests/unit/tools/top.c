// SPDX-License-Identifier: MIT
/* What top shows of two looks, and of a screen that is too small. */
#include "fixture.h"

#include "top.h"

static struct cpu cpu_with(uint32_t number, uint64_t entries, uint64_t io, uint64_t halt)
{
	struct cpu cpu = {.cpu = number, .state = "busy", .owner_pid = 12, .entries = entries,
			  .exits = {.total = io + halt, .kinds = 3,
				    .by = {{"io", io}, {"halt", halt}, {"msr", 0}}}};

	return cpu;
}

static char *shown(const struct snapshot *before, const struct snapshot *after, double seconds)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	top_print(out, before, after, seconds);
	fclose(out);
	return text;
}

static void rates_are_per_second_and_by_reason(void **state)
{
	struct cpu first = cpu_with(1, 1000, 50, 10), second = cpu_with(1, 3000, 70, 210);
	struct snapshot before = {.cpus = &first, .count = 1};
	struct snapshot after = {.cpus = &second, .count = 1};
	char *text = shown(&before, &after, 2.0);

	(void)state;
	assert_string_equal(
		text,
		"1 sidecar CPUs: 1 busy, 0 idle, 0 failed, 0 removed; over 2.0 s\n"
		"  CPU STATE       OWNER    ENTRIES/S      EXITS/S  EXITS/S BY REASON\n"
		"    1 busy           12         1000          110  halt 100, io 10\n");
	free(text);
}

static void a_cpu_that_began_anew_counts_from_zero(void **state)
{
	struct cpu first = cpu_with(1, 1000, 50, 10), second[] = {cpu_with(1, 40, 4, 0),
								  cpu_with(2, 20, 0, 2)};
	struct snapshot before = {.cpus = &first, .count = 1};
	struct snapshot after = {.cpus = second, .count = 2};
	char *text = shown(&before, &after, 1.0);

	(void)state;
	assert_non_null(strstr(text, "    1 busy           12           40            4  io 4\n"));
	assert_non_null(strstr(text, "    2 busy           12           20            2  halt 2\n"));
	free(text);
}

static void time_in_the_guest_is_a_part_of_the_time(void **state)
{
	struct cpu first = cpu_with(1, 0, 0, 0), second = cpu_with(1, 0, 0, 0);
	struct snapshot before = {.cpus = &first, .count = 1};
	struct snapshot after = {.cpus = &second, .count = 1};
	char *text;

	(void)state;
	first.has_guest_ns = second.has_guest_ns = true;
	first.guest_ns = 1000000000;
	second.guest_ns = 2500000000;
	text = shown(&before, &after, 2.0);
	assert_non_null(strstr(text, " GUEST%  EXITS/S BY REASON\n"));
	assert_non_null(strstr(text, "            0            0   75.0\n"));
	free(text);
}

static void what_a_screen_has_no_room_for_is_left_out(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	top_show(out, "one\ntwenty-one\nthree\n", 3, 6);
	fclose(out);
	assert_string_equal(text, "\033[Hone\033[K\ntwenty\033[K\n\033[J");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_per_second_and_by_reason),
		cmocka_unit_test(a_cpu_that_began_anew_counts_from_zero),
		cmocka_unit_test(time_in_the_guest_is_a_part_of_the_time),
		cmocka_unit_test(what_a_screen_has_no_room_for_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

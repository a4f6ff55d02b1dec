// SPDX-License-Identifier: MIT
/* Every rule that turns cpus= into nodes, on machines that are tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

#define OFFLINE_BUT_0 1u

/* A machine of count CPUs, of which 0..online-1 are online, one thread a core, one NUMA node. */
static struct plan_cpu *make_cpus(uint32_t count, uint32_t online)
{
	struct plan_cpu *cpus = calloc(count, sizeof(*cpus));
	uint32_t i;

	assert_non_null(cpus);
	for (i = 0; i < count; i++)
		cpus[i] = (struct plan_cpu){true, i < online, 0, i};
	return cpus;
}

struct fixture {
	struct plan plan;
	struct plan_machine machine;
	struct plan_cpu *cpus;
	char notes[128 * PURE_TEXT_SIZE];
};

static void add_note(void *context, const char *text)
{
	struct fixture *f = context;

	assert_true(strlen(f->notes) + strlen(text) + 2 <= sizeof(f->notes));
	strcat(f->notes, text);
	strcat(f->notes, "\n");
}

static struct fixture *make(uint32_t count, uint32_t online)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->cpus = make_cpus(count, online);
	f->machine = (struct plan_machine){f->cpus, count};
	f->plan.note = add_note;
	f->plan.note_context = f;
	return f;
}

static void drop(struct fixture *f)
{
	free(f->cpus);
	free(f);
}

static int run(struct fixture *f, const char *cpus, uint32_t node_size, bool strict)
{
	struct plan_options options = {cpus, node_size, strict};

	f->notes[0] = '\0';
	return plan_make(&f->plan, &f->machine, &options);
}

static void expect_node(const struct fixture *f, uint32_t index, uint32_t base, uint32_t count,
			bool bring_online)
{
	const struct plan_node *node = &f->plan.nodes[index];

	assert_true(index < f->plan.node_count);
	assert_int_equal(node->base_cpu, base);
	assert_int_equal(node->cpu_count, count);
	assert_int_equal(node->bring_base_online, bring_online);
}

/* The request fails with error, and the text says why in these words. */
static void expect_refusal(struct fixture *f, const char *cpus, uint32_t node_size, int error,
			   const char *words)
{
	assert_int_equal(run(f, cpus, node_size, false), -error);
	if (!strstr(f->plan.error, words))
		fail_msg("\"%s\" does not say \"%s\"", f->plan.error, words);
}

static void linux_cpu_before_the_run_is_the_base(void **state)
{
	struct fixture *f = make(4, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-3", 32, false), 0);
	assert_int_equal(f->plan.node_count, 1);
	assert_int_equal(f->plan.sidecar_cpus, 3);
	expect_node(f, 0, 0, 4, false);
	assert_string_equal(f->notes, "");
	drop(f);
}

static void node_size_64_takes_63_cpus(void **state)
{
	struct fixture *f = make(64, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-63", 64, false), 0);
	assert_int_equal(f->plan.node_count, 1);
	expect_node(f, 0, 0, 64, false);
	drop(f);
}

static void node_size_32_makes_cpu_32_a_base(void **state)
{
	struct fixture *f = make(64, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-63", 32, false), 0);
	assert_int_equal(f->plan.node_count, 2);
	assert_int_equal(f->plan.sidecar_cpus, 62);
	expect_node(f, 0, 0, 32, false);
	expect_node(f, 1, 32, 32, true);
	assert_non_null(strstr(f->notes, "CPU 32 becomes the base CPU"));
	drop(f);
}

static void R14_a_gap_begins_a_node(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-2,4-6", 32, false), 0);
	assert_int_equal(f->plan.node_count, 2);
	expect_node(f, 0, 0, 3, false);
	expect_node(f, 1, 4, 3, true); /* CPU 3 is offline: no base */
	assert_non_null(strstr(f->notes, "CPU 4 becomes the base CPU"));
	drop(f);
}

static void an_online_cpu_in_a_gap_is_the_base_after_it(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	f->cpus[3].online = true;
	assert_int_equal(run(f, "4-6,1-2", 32, false), 0);
	expect_node(f, 0, 0, 3, false);
	expect_node(f, 1, 3, 4, false);
	assert_string_equal(f->notes, "");
	drop(f);
}

static void R14_node_0_need_not_begin_at_cpu_0(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "5-7", 32, false), 0);
	assert_int_equal(f->plan.node_count, 1);
	expect_node(f, 0, 5, 3, true);
	drop(f);
}

static void a_numa_border_begins_a_node(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);
	uint32_t i;

	(void)state;
	for (i = 4; i < 8; i++)
		f->cpus[i].numa = 1;
	assert_int_equal(run(f, "1-7", 32, false), 0);
	assert_int_equal(f->plan.node_count, 2);
	expect_node(f, 0, 0, 4, false);
	expect_node(f, 1, 4, 4, true);
	assert_int_equal(f->plan.nodes[0].numa, 0);
	assert_int_equal(f->plan.nodes[1].numa, 1);
	assert_non_null(strstr(f->notes, "of another NUMA node"));
	drop(f);
}

/* An online CPU of another NUMA node is no base either. */
static void a_base_of_another_numa_node_is_not_taken(void **state)
{
	struct fixture *f = make(6, 3);

	(void)state;
	f->cpus[3].numa = f->cpus[4].numa = f->cpus[5].numa = 1;
	assert_int_equal(run(f, "3-5", 32, false), 0);
	expect_node(f, 0, 3, 3, true);
	drop(f);
}

static void an_online_first_cpu_stays_linuxs_as_base(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	f->cpus[4].online = true;
	assert_int_equal(run(f, "4-7", 32, false), 0);
	expect_node(f, 0, 4, 4, false);
	assert_non_null(strstr(f->notes, "stays Linux's"));
	drop(f);
}

static void a_last_cpu_alone_is_left_alone(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-4", 4, false), 0);
	assert_int_equal(f->plan.node_count, 1);
	assert_int_equal(f->plan.sidecar_cpus, 3);
	expect_node(f, 0, 0, 4, false);
	assert_non_null(strstr(f->notes, "CPU 4 would be a node of its own"));
	drop(f);
}

static void an_online_cpu_is_refused_by_name(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	f->cpus[3].online = true;
	expect_refusal(f, "1-5", 32, EBUSY, "CPU 3, which is online");
	drop(f);
}

static void absent_and_boot_cpus_are_refused(void **state)
{
	struct fixture *f = make(4, OFFLINE_BUT_0);

	(void)state;
	expect_refusal(f, "0-3", 32, EINVAL, "CPU 0");
	expect_refusal(f, "1-4", 32, EINVAL, "CPU 4, which is absent");
	expect_refusal(f, "1-999999999", 32, EINVAL, "CPU 4, which is absent");
	f->cpus[2].present = false;
	expect_refusal(f, "1-3", 32, EINVAL, "CPU 2, which is absent");
	drop(f);
}

static void garbage_is_refused(void **state)
{
	static const char *const texts[] = {
		"x",	 "1-",	 "-3",	"1,,2", "1,",  ",1",	      "1-2-3",
		"1 2",	 "1-3x", "0x1", "+1",	"1:2", "99999999999", "1-99999999999",
		"1-3/2", "all",
	};
	struct fixture *f = make(4, OFFLINE_BUT_0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_refusal(f, texts[i], 32, EINVAL, "is not N or N-M");
	expect_refusal(f, "3-1", 32, EINVAL, "runs backwards");
	expect_refusal(f, "", 32, EINVAL, "is empty");
	expect_refusal(f, NULL, 32, EINVAL, "is empty");
	drop(f);
}

static void a_long_text_is_cut_not_overrun(void **state)
{
	struct fixture *f = make(4, OFFLINE_BUT_0);
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_refusal(f, text, 32, EINVAL, "is not N or N-M");
	drop(f);
}

static void naming_a_cpu_twice_is_naming_it(void **state)
{
	struct fixture *f = make(4, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-3,2,3", 32, false), 0);
	assert_int_equal(f->plan.sidecar_cpus, 3);
	drop(f);
}

static void node_size_has_limits(void **state)
{
	struct fixture *f = make(4, OFFLINE_BUT_0);

	(void)state;
	expect_refusal(f, "1-3", 0, EINVAL, "node_size=0 is not in 2..4032");
	expect_refusal(f, "1-3", 1, EINVAL, "node_size=1 is not in 2..4032");
	expect_refusal(f, "1-3", 4033, EINVAL, "node_size=4033 is not in 2..4032");
	assert_int_equal(run(f, "1-3", 4032, false), 0);
	drop(f);
}

static void nothing_for_the_sidecar_is_an_error(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);

	(void)state;
	expect_refusal(f, "5", 32, EINVAL, "leaves no CPU for the sidecar");
	drop(f);
}

static void there_are_at_most_128_nodes(void **state)
{
	struct fixture *f = make(260, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-255", 2, false), 0);
	assert_int_equal(f->plan.node_count, 128);
	expect_node(f, 127, 254, 2, true);
	expect_refusal(f, "1-257", 2, EINVAL, "more than 128 nodes");
	drop(f);
}

static void a_node_has_at_most_4032_cpus(void **state)
{
	struct fixture *f = make(8192, OFFLINE_BUT_0);

	(void)state;
	assert_int_equal(run(f, "1-8191", 4032, false), 0);
	assert_int_equal(f->plan.node_count, 3);
	expect_node(f, 0, 0, 4032, false);
	expect_node(f, 1, 4032, 4032, true);
	expect_node(f, 2, 8064, 128, true);
	drop(f);
}

static void a_core_shared_with_linux_is_told_or_refused(void **state)
{
	struct fixture *f = make(8, OFFLINE_BUT_0);
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++)
		f->cpus[i].core = i / 2;
	assert_int_equal(run(f, "1-3", 32, false), 0);
	assert_non_null(strstr(f->notes, "1 sidecar CPUs share a core"));
	assert_non_null(strstr(f->notes, "CPU 1, with CPU 0"));
	assert_int_equal(run(f, "1-3", 32, true), -EINVAL);
	assert_non_null(strstr(f->plan.error, "CPU 1, with CPU 0"));
	f->cpus[1].online = true;
	assert_int_equal(run(f, "2-7", 32, true), 0); /* base CPU 1 has its core with CPU 0 */
	expect_node(f, 0, 1, 7, false);
	assert_string_equal(f->notes, "");
	drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_cpu_before_the_run_is_the_base),
		cmocka_unit_test(node_size_64_takes_63_cpus),
		cmocka_unit_test(node_size_32_makes_cpu_32_a_base),
		cmocka_unit_test(R14_a_gap_begins_a_node),
		cmocka_unit_test(an_online_cpu_in_a_gap_is_the_base_after_it),
		cmocka_unit_test(R14_node_0_need_not_begin_at_cpu_0),
		cmocka_unit_test(a_numa_border_begins_a_node),
		cmocka_unit_test(a_base_of_another_numa_node_is_not_taken),
		cmocka_unit_test(an_online_first_cpu_stays_linuxs_as_base),
		cmocka_unit_test(a_last_cpu_alone_is_left_alone),
		cmocka_unit_test(an_online_cpu_is_refused_by_name),
		cmocka_unit_test(absent_and_boot_cpus_are_refused),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_long_text_is_cut_not_overrun),
		cmocka_unit_test(naming_a_cpu_twice_is_naming_it),
		cmocka_unit_test(node_size_has_limits),
		cmocka_unit_test(nothing_for_the_sidecar_is_an_error),
		cmocka_unit_test(there_are_at_most_128_nodes),
		cmocka_unit_test(a_node_has_at_most_4032_cpus),
		cmocka_unit_test(a_core_shared_with_linux_is_told_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

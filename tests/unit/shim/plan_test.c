// SPDX-License-Identifier: MIT
/* Every rule that turns a bare machine into nodes, on machines that are tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

#define MIB 0x100000ull
#define MAX_RUNS 70

/* count CPUs of one vnode; a table ends with count 0. */
struct run {
	uint32_t count, vnode;
};

struct expected_node {
	uint32_t base, count;
};

struct row {
	const char *name;
	struct run cpus[MAX_RUNS];
	struct expected_node nodes[8]; /* ends with count 0 */
	const char *boot_cpus;
	uint32_t sidecar_cpus;
};

static const struct row rows[] = {
	{"four CPUs", {{4, 0}}, {{0, 4}}, "boot_cpus=0 ", 3},
	{"two CPUs", {{2, 0}}, {{0, 2}}, "boot_cpus=0 ", 1},
	{"32 CPUs are one node", {{32, 0}}, {{0, 32}}, "boot_cpus=0 ", 31},
	{"33 CPUs are two, evenly", {{33, 0}}, {{0, 17}, {17, 16}}, "boot_cpus=0,17 ", 31},
	{"65 CPUs are three", {{65, 0}}, {{0, 22}, {22, 22}, {44, 21}}, "boot_cpus=0,22,44 ", 62},
	{"two NUMA nodes", {{4, 0}, {4, 1}}, {{0, 4}, {4, 4}}, "boot_cpus=0,4 ", 6},
	{"uneven NUMA nodes",
	 {{3, 0}, {34, 1}},
	 {{0, 3}, {3, 17}, {20, 17}},
	 "boot_cpus=0,3,20 ",
	 34},
	{"N1: one CPU alone before", {{1, 0}, {3, 1}}, {{1, 3}}, "boot_cpus=0,1 ", 2},
	{"N1: one CPU alone between",
	 {{3, 0}, {1, 1}, {2, 2}},
	 {{0, 3}, {4, 2}},
	 "boot_cpus=0,3,4 ",
	 3},
	{"N1: one CPU alone behind", {{4, 0}, {1, 1}}, {{0, 4}}, "boot_cpus=0,4 ", 3},
	{"a NUMA node in two pieces",
	 {{2, 0}, {2, 1}, {2, 0}},
	 {{0, 2}, {2, 2}, {4, 2}},
	 "boot_cpus=0,2,4 ",
	 3},
	{"the highest vnode", {{2, 63}}, {{0, 2}}, "boot_cpus=0 ", 1},
};

struct fixture {
	struct shim_plan plan;
	struct shim_machine machine;
	struct memory memory;
	struct shim_cpu cpus[SHIM_MAX_CPUS + 1];
	struct shim_cpu_list io, idle;
	char text[2048];
};

static char notes[65536];

static void add_note(const char *text)
{
	assert_true(strlen(notes) + strlen(text) + 2 < sizeof(notes));
	strcat(notes, text);
	strcat(notes, "\n");
}

static void add_cpus(struct fixture *f, uint32_t count, uint32_t vnode)
{
	while (count--) {
		f->cpus[f->machine.cpu_count] = (struct shim_cpu){
			.apic_id = f->machine.cpu_count,
			.vnode = vnode,
		};
		f->machine.cpu_count++;
	}
}

/* Plenty of memory, all of it of NUMA node 0. */
static struct fixture *make(const struct run *runs)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	notes[0] = '\0';
	assert_true(memory_add(&f->memory, 16 * MIB, 512 * MIB, 0));
	f->machine.cpus = f->cpus;
	f->machine.memory = &f->memory;
	f->machine.image = true;
	f->machine.x2apic = true;
	f->plan.note = add_note;
	for (; runs && runs->count; runs++)
		add_cpus(f, runs->count, runs->vnode);
	return f;
}

static struct fixture *make_cpus(uint32_t count)
{
	const struct run runs[] = {{count, 0}, {0, 0}};

	return make(runs);
}

static void expect_sound(const struct fixture *f)
{
	const struct shim_plan *plan = &f->plan;
	uint32_t n, i;

	for (n = 0; n < plan->node_count; n++) {
		const struct shim_node *node = &plan->nodes[n];

		assert_int_equal(plan->sidecar_starts[node->base_cpu], 0);
		assert_int_equal(node->memory % 4096, 0);
		assert_int_equal(node->memory_size, SIDECAR_REQUIRED_MEMORY(node->cpu_count));
		for (i = 0; i < n; i++)
			assert_true(plan->nodes[i].memory + plan->nodes[i].memory_size <=
					    node->memory ||
				    node->memory + node->memory_size <= plan->nodes[i].memory);
	}
}

static void expect_boot_cpus(struct fixture *f, const char *text)
{
	assert_true(shim_plan_boot_cpus(&f->plan, f->machine.cpu_count, f->text, sizeof(f->text)));
	assert_string_equal(f->text, text);
}

static void check_row(const struct row *row)
{
	struct fixture *f = make(row->cpus);
	uint32_t n = 0;

	print_message("# %s\n", row->name);
	assert_true(shim_plan_make(&f->plan, &f->machine));
	for (; row->nodes[n].count; n++) {
		assert_true(n < f->plan.node_count);
		assert_int_equal(f->plan.nodes[n].base_cpu, row->nodes[n].base);
		assert_int_equal(f->plan.nodes[n].cpu_count, row->nodes[n].count);
	}
	assert_int_equal(f->plan.node_count, n);
	assert_int_equal(f->plan.sidecar_cpus, row->sidecar_cpus);
	assert_false(f->plan.overrides);
	expect_boot_cpus(f, row->boot_cpus);
	expect_sound(f);
	free(f);
}

static void topologies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void expect_none(struct fixture *f, const char *words)
{
	struct memory before = f->memory;

	assert_false(shim_plan_make(&f->plan, &f->machine));
	if (!strstr(f->plan.reason, words))
		fail_msg("\"%s\" does not say \"%s\"", f->plan.reason, words);
	assert_int_equal(f->plan.node_count, 0);
	assert_int_equal(f->memory.count, before.count);
	assert_memory_equal(f->memory.ranges, before.ranges,
			    before.count * sizeof(before.ranges[0]));
	free(f);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void cpus_2048_are_64_nodes(void **state)
{
	struct fixture *f = make_cpus(SHIM_MAX_CPUS);

	(void)state;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.node_count, 64);
	assert_int_equal(f->plan.sidecar_cpus, SHIM_MAX_CPUS - 64);
	assert_int_equal(f->plan.nodes[63].base_cpu, 2016);
	assert_true(shim_plan_boot_cpus(&f->plan, SHIM_MAX_CPUS, f->text, sizeof(f->text)));
	assert_non_null(strstr(f->text, ",1984,2016 "));
	expect_sound(f);
	free(f);
	expect_none(make_cpus(SHIM_MAX_CPUS + 1), "2049 CPUs, the limits are 1 and 2048");
	expect_none(make_cpus(0), "0 CPUs");
}

static void numa_nodes_64_have_memory_of_their_own(void **state)
{
	struct fixture *f = make(NULL);
	uint32_t v;

	(void)state;
	f->memory.count = 0;
	for (v = 0; v < SHIM_MAX_VNODES; v++) {
		add_cpus(f, 32, v);
		assert_true(memory_add(&f->memory, (v + 1) * 64 * MIB, (v + 2) * 64 * MIB, v));
	}
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.node_count, SHIM_MAX_VNODES);
	for (v = 0; v < SHIM_MAX_VNODES; v++) {
		assert_int_equal(f->plan.nodes[v].vnode, v);
		assert_int_equal(f->plan.nodes[v].memory, (v + 1) * 64 * MIB);
	}
	expect_sound(f);
	free(f);
}

static void a_vnode_of_64_is_too_many(void **state)
{
	struct fixture *f = make_cpus(4);

	(void)state;
	f->cpus[3].vnode = 64;
	expect_none(f, "CPU 3 is of NUMA node 64, the limit is 63");
	f = make_cpus(4);
	assert_true(memory_add(&f->memory, 1024 * MIB, 1025 * MIB, 64));
	expect_none(f, "memory is of NUMA node 64");
}

static void nodes_129_are_too_many(void **state)
{
	struct fixture *f = make(NULL);
	uint32_t n;

	(void)state;
	for (n = 0; n < 129; n++)
		add_cpus(f, 2, n % 2);
	expect_none(f, "more than 128 nodes");
}

static void without_a_pair_there_is_none(void **state)
{
	const struct run runs[] = {{1, 0}, {1, 1}, {1, 2}, {0, 0}};

	(void)state;
	expect_none(make_cpus(1), "no NUMA node has more than one CPU");
	expect_none(make(runs), "no NUMA node has more than one CPU");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void memory_falls_back_to_another_vnode(void **state)
{
	const struct run runs[] = {{4, 0}, {4, 1}, {0, 0}};
	struct fixture *f = make(runs);

	(void)state;
	assert_true(memory_add(&f->memory, 512 * MIB, 512 * MIB + 53 * 4096 - 4096, 1));
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.nodes[0].memory, 16 * MIB);
	assert_int_equal(f->plan.nodes[1].memory, 16 * MIB + 53 * 4096);
	free(f);
	f = make(runs);
	assert_true(memory_add(&f->memory, 512 * MIB, 512 * MIB + 53 * 4096, 1));
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.nodes[1].memory, 512 * MIB);
	free(f);
}

static void too_little_memory_gives_all_back(void **state)
{
	const struct run runs[] = {{4, 0}, {4, 1}, {0, 0}};
	struct fixture *f = make(runs);

	(void)state;
	f->memory.count = 0;
	assert_true(memory_add(&f->memory, 16 * MIB, 16 * MIB + 2 * 53 * 4096 - 4096, 0));
	expect_none(f, "no 212 KiB for the node of CPU 4");
}

/* ---- order of the rules ---------------------------------------------------------------------- */

static void the_first_rule_that_fails_is_told(void **state)
{
	struct fixture *f = make_cpus(4);

	(void)state;
	f->machine.isolation = SHIM_ISOLATION_SNP;
	f->machine.image = false;
	expect_none(f, "isolated (SNP)");
	f = make_cpus(4);
	f->machine.image = false;
	f->machine.off = true;
	expect_none(f, "no sidecar kernel image");
	f = make_cpus(4);
	f->machine.off = true;
	f->cpus[0].vnode = 64;
	expect_none(f, "OPENHCL_SIDECAR=off");
	f = make_cpus(1);
	f->machine.x2apic = false;
	f->machine.hypervisor = true;
	expect_none(f, "no x2APIC (CPUID.1:ECX bit 21)");
}

static void an_xapic_will_do_without_hypervisor(void **state)
{
	struct fixture *f = make_cpus(255);

	(void)state;
	f->machine.x2apic = false;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	free(f);
	f = make_cpus(256);
	f->machine.x2apic = false;
	expect_none(f, "CPU 255 has APIC ID 255, and there is no x2APIC");
}

/* ---- overrides ------------------------------------------------------------------------------- */

static void overrides_are_the_union(void **state)
{
	struct fixture *f = make_cpus(8);

	(void)state;
	f->io.has[2] = f->io.has[5] = f->idle.has[5] = f->idle.has[7] = 1;
	f->machine.outstanding_io = &f->io;
	f->machine.idle_interrupts = &f->idle;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_true(f->plan.overrides);
	assert_int_equal(f->plan.sidecar_cpus, 4);
	expect_boot_cpus(f, "boot_cpus=0,2,5,7 ");
	expect_sound(f);
	free(f);
}

static void empty_lists_are_no_overrides(void **state)
{
	struct fixture *f = make_cpus(8);

	(void)state;
	f->machine.outstanding_io = &f->io;
	f->machine.idle_interrupts = &f->idle;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_false(f->plan.overrides);
	free(f);
}

static void a_node_without_a_cpu_to_start_is_skipped(void **state)
{
	const struct run runs[] = {{3, 0}, {3, 1}, {0, 0}};
	struct fixture *f = make(runs);

	(void)state;
	f->io.has[1] = f->io.has[2] = 1;
	f->machine.outstanding_io = &f->io;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.node_count, 1);
	assert_int_equal(f->plan.nodes[0].base_cpu, 3);
	expect_boot_cpus(f, "boot_cpus=0,1,2,3 ");
	assert_non_null(strstr(notes, "CPUs 0-2: no node"));
	assert_non_null(strstr(notes, "node 0: base CPU 3, CPUs up to 5"));
	f->io.has[4] = f->io.has[5] = 1;
	memory_give_back(&f->memory, MEMORY_SIDECAR_NODE);
	expect_none(f, "no CPU for the sidecar to start");
}

static void overrides_end_at_400(void **state)
{
	struct fixture *f = make_cpus(400);

	(void)state;
	f->io.has[399] = 1;
	f->machine.outstanding_io = &f->io;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_int_equal(f->plan.sidecar_starts[399], 0);
	free(f);
	f = make_cpus(401);
	f->io.has[1] = 1;
	f->machine.outstanding_io = &f->io;
	expect_none(f, "servicing names CPUs up to 1 of 401, the limit is 400");
	f = make_cpus(8);
	f->io.has[400] = 1;
	f->machine.outstanding_io = &f->io;
	expect_none(f, "servicing names CPUs up to 400 of 8");
	f = make_cpus(8);
	f->io.beyond = true;
	f->machine.outstanding_io = &f->io;
	expect_none(f, "and more of 8");
}

/* ---- what goes out --------------------------------------------------------------------------- */

static void params_hold_nodes_and_overrides(void **state)
{
	struct sidecar_boot_params *params = calloc(1, sizeof(*params));
	struct fixture *f = make_cpus(40);

	(void)state;
	f->io.has[3] = 1;
	f->machine.outstanding_io = &f->io;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	shim_plan_params(&f->plan, params);
	assert_int_equal(params->node_count, 2);
	assert_int_equal(params->nodes[1].base_vp, 20);
	assert_int_equal(params->nodes[1].vp_count, 20);
	assert_int_equal(params->nodes[1].memory_base, f->plan.nodes[1].memory);
	assert_int_equal(params->initial_state.specified, 1);
	assert_int_equal(params->initial_state.sidecar_starts_cpu[0], 0);
	assert_int_equal(params->initial_state.sidecar_starts_cpu[1], 1);
	assert_int_equal(params->initial_state.sidecar_starts_cpu[3], 0);
	assert_int_equal(params->initial_state.sidecar_starts_cpu[20], 0);
	free(params);
	free(f);
}

static void boot_cpus_that_do_not_fit_are_told(void **state)
{
	struct fixture *f = make_cpus(33);

	(void)state;
	assert_true(shim_plan_make(&f->plan, &f->machine));
	assert_true(shim_plan_boot_cpus(&f->plan, 33, f->text, sizeof("boot_cpus=0,17 ")));
	assert_false(shim_plan_boot_cpus(&f->plan, 33, f->text, sizeof("boot_cpus=0,17 ") - 1));
	assert_false(shim_plan_boot_cpus(&f->plan, 33, f->text, 5));
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topologies),
		cmocka_unit_test(cpus_2048_are_64_nodes),
		cmocka_unit_test(numa_nodes_64_have_memory_of_their_own),
		cmocka_unit_test(a_vnode_of_64_is_too_many),
		cmocka_unit_test(nodes_129_are_too_many),
		cmocka_unit_test(without_a_pair_there_is_none),
		cmocka_unit_test(memory_falls_back_to_another_vnode),
		cmocka_unit_test(too_little_memory_gives_all_back),
		cmocka_unit_test(the_first_rule_that_fails_is_told),
		cmocka_unit_test(an_xapic_will_do_without_hypervisor),
		cmocka_unit_test(overrides_are_the_union),
		cmocka_unit_test(empty_lists_are_no_overrides),
		cmocka_unit_test(a_node_without_a_cpu_to_start_is_skipped),
		cmocka_unit_test(overrides_end_at_400),
		cmocka_unit_test(params_hold_nodes_and_overrides),
		cmocka_unit_test(boot_cpus_that_do_not_fit_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Nodes and CPUs, from folders that look as the driver's. */
#include "fixture.h"

#include "cpu.h"

#define CPU "sys/class/misc/mshv_vtl_sidecar0/cpu2/"

static void no_node_is_no_sidecar(void **state)
{
	struct fixture *f = fixture_make("status");
	struct nodes nodes;

	(void)state;
	assert_int_equal(nodes_read(&f->ctl, &nodes), CTL_ABSENT);
	fixture_write(f, "sys/class/misc/kvm/dev", "");
	fixture_write(f, "sys/class/misc/mshv_vtl_sidecarx/cpu1/state", "");
	fixture_write(f, "sys/class/misc/mshv_vtl_sidecar/cpu1/state", "");
	assert_int_equal(nodes_read(&f->ctl, &nodes), CTL_ABSENT);
	assert_non_null(strstr(fixture_err(f), "no sidecar on this machine: "));
	assert_string_equal(fixture_out(f), "");
	fixture_drop(f);
}

static void a_node_is_its_cpus_and_the_one_before_them(void **state)
{
	struct fixture *f = fixture_make("status");
	struct nodes nodes;

	(void)state;
	fixture_add_node(f, 10, 70, 70);
	fixture_add_node(f, 0, 1, 11);
	fixture_add_node(f, 2, 32, 34);
	fixture_write(f, "sys/class/misc/mshv_vtl_sidecar2/power/control", "");
	fixture_write(f, "sys/class/misc/mshv_vtl_sidecar2/cpu0/state", "");
	assert_int_equal(nodes_read(&f->ctl, &nodes), CTL_OK);
	assert_int_equal(nodes.count, 3);
	assert_int_equal(nodes.list[0].base_cpu, 0);
	assert_int_equal(nodes.list[0].cpu_count, 12);
	assert_int_equal(nodes.list[1].index, 2);
	assert_int_equal(nodes.list[1].base_cpu, 31);
	assert_int_equal(nodes.list[1].cpu_count, 4);
	assert_int_equal(nodes.list[2].index, 10);
	assert_ptr_equal(nodes_find(&nodes, 11), &nodes.list[0]);
	assert_null(nodes_find(&nodes, 12));
	assert_null(nodes_find(&nodes, 30));
	assert_ptr_equal(nodes_find(&nodes, 31), &nodes.list[1]);
	assert_null(nodes_find(&nodes, 35));
	nodes_free(&nodes);
	fixture_drop(f);
}

static void a_cpu_is_what_its_files_say(void **state)
{
	struct fixture *f = fixture_make("status");
	struct cpu cpu;

	(void)state;
	fixture_add_node(f, 0, 1, 3);
	fixture_write(f, CPU "state", "busy\n");
	fixture_write(f, CPU "owner", "4711\n");
	fixture_write(f, CPU "commands", "18446744073709551615\n");
	fixture_write(f, CPU "entries", "7\n");
	fixture_write(f, CPU "exits", "io 3\nhalt 1\ninterrupt 9\ntotal 4\n");
	fixture_write(f, CPU "last_error", "CPU 2 does not answer\n");
	assert_int_equal(cpu_read(&f->ctl, 0, 2, &cpu), CTL_OK);
	assert_string_equal(cpu.state, "busy");
	assert_int_equal(cpu.owner_pid, 4711);
	assert_int_equal(cpu.commands, UINT64_MAX);
	assert_int_equal(cpu.entries, 7);
	assert_int_equal(cpu.exits.total, 4);
	assert_int_equal(cpu.exits.kinds, 3);
	assert_string_equal(cpu.exits.by[2].name, "interrupt");
	assert_int_equal(cpu.exits.by[2].count, 9);
	assert_string_equal(cpu.last_error, "CPU 2 does not answer");
	assert_false(cpu.has_guest_ns);
	fixture_write(f, CPU "guest_ns", "1234567890123\n");
	assert_int_equal(cpu_read(&f->ctl, 0, 2, &cpu), CTL_OK);
	assert_true(cpu.has_guest_ns);
	assert_int_equal(cpu.guest_ns, 1234567890123);
	assert_false(cpu.has_foreign);
	fixture_write(f, CPU "foreign_interrupts", "252 7\n253 1\ntotal 8\n");
	assert_int_equal(cpu_read(&f->ctl, 0, 2, &cpu), CTL_OK);
	assert_true(cpu.has_foreign);
	assert_int_equal(cpu.foreign.total, 8);
	assert_int_equal(cpu.foreign.kinds, 2);
	assert_string_equal(cpu.foreign.by[0].name, "252");
	assert_int_equal(cpu.foreign.by[0].count, 7);
	fixture_drop(f);
}

static void assert_strange(const char *name, const char *text)
{
	struct fixture *f = fixture_make("status");
	char path[128];
	struct cpu cpu;

	fixture_add_node(f, 0, 1, 3);
	snprintf(path, sizeof(path), CPU "%s", name);
	fixture_write(f, path, text);
	assert_int_equal(cpu_read(&f->ctl, 0, 2, &cpu), CTL_FAILED);
	assert_non_null(strstr(fixture_err(f), path));
	fixture_drop(f);
}

static void a_file_with_something_else_is_named(void **state)
{
	(void)state;
	assert_strange("owner", "nobody\n");
	assert_strange("owner", "-1\n");
	assert_strange("owner", "2147483648\n");
	assert_strange("commands", "\n");
	assert_strange("commands", "18446744073709551616\n");
	assert_strange("entries", "0x1\n");
	assert_strange("exits", "io\n");
	assert_strange("exits", "io 1 2\n");
	assert_strange("exits", " 1\n");
	assert_strange("exits", "a_name_of_twenty_four_ch 1\n");
	assert_strange("guest_ns", "soon\n");
	assert_strange("foreign_interrupts", "252 -1\n");
}

static void more_kinds_of_exits_than_there_is_room_for_are_left_out(void **state)
{
	struct fixture *f = fixture_make("status");
	char text[1024] = "";
	struct cpu cpu;

	(void)state;
	fixture_add_node(f, 0, 1, 3);
	for (int i = 0; i < CPU_COUNT_KINDS + 5; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "kind%d %d\n", i, i);
	strcat(text, "total 99\n");
	fixture_write(f, CPU "exits", text);
	assert_int_equal(cpu_read(&f->ctl, 0, 2, &cpu), CTL_OK);
	assert_int_equal(cpu.exits.kinds, CPU_COUNT_KINDS);
	assert_int_equal(cpu.exits.total, 99);
	fixture_drop(f);
}

static void a_driver_that_goes_meanwhile_is_absent(void **state)
{
	struct fixture *f = fixture_make("status");
	struct cpu cpu;

	(void)state;
	fixture_add_node(f, 0, 1, 3);
	assert_int_equal(cpu_read(&f->ctl, 0, 4, &cpu), CTL_ABSENT);
	assert_non_null(strstr(fixture_err(f), "cpu4/state: No such file or directory"));
	fixture_drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_node_is_no_sidecar),
		cmocka_unit_test(a_node_is_its_cpus_and_the_one_before_them),
		cmocka_unit_test(a_cpu_is_what_its_files_say),
		cmocka_unit_test(a_file_with_something_else_is_named),
		cmocka_unit_test(more_kinds_of_exits_than_there_is_room_for_are_left_out),
		cmocka_unit_test(a_driver_that_goes_meanwhile_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
#include "suite.h"

#include "params.h"

#define IMAGE 0x40000000ull

static struct sidecar_boot_params params;
static struct sidecar_command_error error;

/* Two good nodes: VPs 0 to 3, and 8 to 9 after a gap. */
static int start(void **state)
{
	(void)state;
	memset(&params, 0, sizeof(params));
	memset(&error, 0, sizeof(error));
	params.node_count = 2;
	params.nodes[0] =
		(struct sidecar_node_params){0x10000000, SIDECAR_REQUIRED_MEMORY(4), 0, 4};
	params.nodes[1] = (struct sidecar_node_params){FAKE_HIGH, SIDECAR_REQUIRED_MEMORY(2), 8, 2};
	return 0;
}

static void refused(const char *text)
{
	assert_false(params_check(&params, IMAGE, &error));
	assert_error(error, text);
}

static void accepted(void)
{
	error.length = 0;
	assert_true(params_check(&params, IMAGE, &error));
	assert_int_equal(error.length, 0);
}

static void test_good(void **state)
{
	(void)state;
	accepted();
}

static void test_node_count(void **state)
{
	(void)state;
	params.node_count = 0;
	refused("0 nodes, the limits are 1 and 128");
	params.node_count = 129;
	refused("129 nodes, the limits are 1 and 128");
}

static void test_cpu_count(void **state)
{
	(void)state;
	params.nodes[1].vp_count = 1;
	refused("node 1: 1 CPUs, the limits are 2 and 4032");
	params.nodes[1].vp_count = 4033;
	refused("node 1: 4033 CPUs, the limits are 2 and 4032");
	params.nodes[1].vp_count = 4032;
	params.nodes[1].memory_size = SIDECAR_REQUIRED_MEMORY(4032);
	accepted();
}

static void test_base_vp(void **state)
{
	(void)state;
	params.nodes[1].base_vp = UINT32_MAX - 1;
	refused("node 1: base VP 4294967294 and 2 CPUs, the last VP is beyond 4294967295");
}

static void test_memory_alignment(void **state)
{
	(void)state;
	params.nodes[0].memory_base += 8;
	refused("node 0: memory at 0x10000008 is not page aligned");
}

static void test_memory_size(void **state)
{
	(void)state;
	params.nodes[0].memory_size--;
	refused("node 0: 0x34fff bytes of memory, 4 CPUs need 0x35000");
}

static void test_memory_end(void **state)
{
	(void)state;
	params.nodes[0].memory_base = 0xffffffffff000;
	refused("node 0: memory at 0xffffffffff000, 0x35000 bytes, ends beyond 0x10000000000000");
	params.nodes[0].memory_base = 0xfffffffffffff000;
	refused("node 0: memory at 0xfffffffffffff000, 0x35000 bytes, ends beyond "
		"0x10000000000000");
	params.nodes[0].memory_base = 0x10000000;
	params.nodes[0].memory_size = UINT64_MAX;
	refused("node 0: memory at 0x10000000, 0xffffffffffffffff bytes, ends beyond "
		"0x10000000000000");
}

static void test_memory_in_image(void **state)
{
	(void)state;
	params.nodes[0].memory_base = IMAGE + 0x1ff000;
	refused("node 0: memory at 0x401ff000 overlaps the kernel at 0x40000000");
	params.nodes[0].memory_base = IMAGE + 0x200000;
	accepted();
}

static void test_overlaps(void **state)
{
	(void)state;
	params.nodes[1].base_vp = 3;
	refused("nodes 0 and 1: both have VP 3");
	params.nodes[1].base_vp = 4;
	accepted();
	params.nodes[1].memory_base = 0x10034000;
	refused("nodes 0 and 1: memory at 0x10000000 and 0x10034000 overlaps");
}

static void test_overrides(void **state)
{
	struct sidecar_per_cpu_state *initial = &params.initial_state;

	(void)state;
	initial->sidecar_starts_cpu[0] = 1; /* not specified: ignored */
	accepted();
	initial->specified = 1;
	refused("node 0: its base VP 0 is Linux's, not to be started here");
	initial->sidecar_starts_cpu[0] = 0;
	refused("node 0: no CPU to start among VPs 0 to 3");
	initial->sidecar_starts_cpu[2] = 1;
	refused("node 1: no CPU to start among VPs 8 to 9");
	initial->sidecar_starts_cpu[9] = 1;
	accepted();
	params.nodes[1].base_vp = 399;
	refused("node 1: VP 400 is beyond the 400 of the per-CPU state");
	params.nodes[1].base_vp = 398;
	initial->sidecar_starts_cpu[399] = 1;
	accepted();
}

static void test_starts(void **state)
{
	const struct sidecar_node_params *node = &params.nodes[1];

	(void)state;
	assert_false(params_starts(&params, node, 0));
	assert_true(params_starts(&params, node, 1));
	params.initial_state.specified = 1;
	assert_false(params_starts(&params, node, 1));
	params.initial_state.sidecar_starts_cpu[9] = 1;
	assert_true(params_starts(&params, node, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, start),
		cmocka_unit_test_setup(test_node_count, start),
		cmocka_unit_test_setup(test_cpu_count, start),
		cmocka_unit_test_setup(test_base_vp, start),
		cmocka_unit_test_setup(test_memory_alignment, start),
		cmocka_unit_test_setup(test_memory_size, start),
		cmocka_unit_test_setup(test_memory_end, start),
		cmocka_unit_test_setup(test_memory_in_image, start),
		cmocka_unit_test_setup(test_overlaps, start),
		cmocka_unit_test_setup(test_overrides, start),
		cmocka_unit_test_setup(test_starts, start),
	};

	return cmocka_run_group_tests_name("kernel_params", tests, NULL, NULL);
}

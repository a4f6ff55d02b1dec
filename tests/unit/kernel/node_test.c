// SPDX-License-Identifier: MIT
/*
 * The memory of nodes and the tables of their CPUs. What a CPU may map is written down here once
 * more, in numbers, and compared with what a walk of its tables finds.
 */
#include "suite.h"

#include "mm/tables.h"
#include "node.h"
#include "smp/smp.h"

#define PAGE 4096ull
#define NODE_PAGES (1 + 13 * CPUS)
#define CPUS 4u
#define SECOND_NODE (FAKE_HIGH + NODE_PAGES * PAGE + 3 * PAGE)

#define WRITE 2ull
#define NO_EXECUTE (1ull << 63)
#define DATA (NO_EXECUTE | WRITE | 1)

static struct boot boot;
static struct sidecar_boot_output output;

static struct sidecar_extension_cpu *extension_cpu(uint32_t ordinal)
{
	return fake_at(FAKE_LOW + 64 * (1 + ordinal));
}

static int start(void **state)
{
	(void)state;
	fake_start();
	memset(&boot, 0, sizeof(boot));
	memset(&output, 0xcc, sizeof(output));
	boot.output = &output;
	boot.image = phys(0x40000000);
	boot.image_table =
		phys(FAKE_LOW + 0x10000); /* one entry, to see that the walk gets there */
	memset(fake_at(boot.image_table.value), 0, PAGE);
	((uint64_t *)fake_at(boot.image_table.value))[3] = 0x40003001;
	boot.params.extension = FAKE_LOW;
	boot.params.node_count = 2;
	boot.params.nodes[0] = (struct sidecar_node_params){FAKE_HIGH, NODE_PAGES * PAGE, 0, CPUS};
	boot.params.nodes[1] =
		(struct sidecar_node_params){SECOND_NODE, NODE_PAGES * PAGE, 10, CPUS};
	return 0;
}

static int finish(void **state)
{
	(void)state;
	fake_finish();
	return 0;
}

/* With the caller's way of starting CPUs, which prepares them all at once. */
static void prepare(void)
{
	struct sidecar_command_error error;

	nodes_prepare(&boot);
	assert_true(smp_start(&boot, &error));
}

/* ---- memory and its first contents ----------------------------------------------------------- */

static void test_output(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(output.nodes[0].control_page, FAKE_HIGH);
	assert_int_equal(output.nodes[0].shmem_pages_base, FAKE_HIGH + PAGE);
	assert_int_equal(output.nodes[0].shmem_pages_size, CPUS * 2 * PAGE);
	assert_int_equal(output.nodes[1].control_page, SECOND_NODE);
	assert_int_equal(output.nodes[2].control_page, 0xcccccccccccccccc);
}

static void test_control_page(void **state)
{
	const struct sidecar_control_page *control = fake_at(SECOND_NODE);
	struct sidecar_control_page expected = {
		.index = 1,
		.base_cpu = 10,
		.cpu_count = CPUS,
		.request_vector = 0x20,
		.cpu_status = {0, 2, 2, 2},
	};

	(void)state;
	prepare();
	assert_memory_equal(control, &expected, sizeof(expected));
}

static void test_overrides(void **state)
{
	const struct sidecar_control_page *control = fake_at(SECOND_NODE);

	(void)state;
	boot.params.initial_state.specified = 1;
	boot.params.initial_state.sidecar_starts_cpu[1] = 1;
	boot.params.initial_state.sidecar_starts_cpu[12] = 1;
	prepare();
	assert_memory_equal(control->cpu_status, ((uint8_t[]){0, 0, 2, 0, 0}), 5);
	assert_int_equal(extension_cpu(5)->cr3, 0);
	assert_int_not_equal(extension_cpu(6)->cr3, 0);
	assert_int_equal(extension_cpu(7)->entry, 0);
}

static bool all_bytes(uint64_t pa, uint8_t value)
{
	const uint8_t *page = fake_at(pa);

	for (unsigned int i = 0; i < PAGE; i++)
		if (page[i] != value)
			return false;
	return true;
}

static void test_clean(void **state)
{
	uint64_t private = FAKE_HIGH + (1 + 2 * CPUS) * PAGE;

	(void)state;
	prepare();
	/* What a CPU that starts clears itself is left to it: shared pages, 8 and 9. */
	for (uint32_t i = 0; i < 2 * CPUS; i++)
		assert_true(all_bytes(FAKE_HIGH + PAGE + i * PAGE, i < 2 ? 0 : 0xcc));
	for (uint32_t i = 1; i < CPUS; i++) {
		for (uint32_t page = 4; page < 11; page++) /* past the tables */
			assert_true(page == 7 ||
				    all_bytes(private + (i * 11 + page) * PAGE,
					      page == 8 || page == 9 ? 0xcc : 0));
	}
	for (uint32_t page = 0; page < 11; page++)
		assert_true(all_bytes(private + page * PAGE, 0)); /* the base CPU's: unused */
	for (uint32_t i = 0; i < 3; i++)
		assert_true(all_bytes(FAKE_HIGH + (NODE_PAGES + i) * PAGE, 0xcc));
	assert_true(all_bytes(SECOND_NODE + NODE_PAGES * PAGE, 0xcc));
}

static void test_cpu(void **state)
{
	uint64_t private = SECOND_NODE + (1 + 2 * CPUS + 11 * 3) * PAGE;
	const struct cpu *cpu = fake_at(private + 7 * PAGE);

	(void)state;
	prepare();
	assert_int_equal(cpu->vp_index, 13);
	assert_int_equal(cpu->node_index, 3);
	assert_ptr_equal(cpu->command, 0xffffff8000201000);
	assert_ptr_equal(cpu->register_page, 0xffffff8000202000);
	assert_ptr_equal(cpu->control, 0xffffff8000203000);
	assert_ptr_equal(cpu->state, 0xffffff8000204000);
	assert_int_equal(cpu->register_page_at.value, SECOND_NODE + (1 + 2 * 3 + 1) * PAGE);
	assert_ptr_equal(cpu->backend_memory, 0xffffff8000206000);
	assert_int_equal(cpu->backend_pages.value, private + 8 * PAGE);
}

/* ---- the tables ------------------------------------------------------------------------------ */

struct mapping {
	uint64_t va;
	uint64_t pa;
	uint64_t flags;
};

struct walk {
	struct mapping found[64];
	unsigned int count;
};

/* All that is present below a table, whatever its level. The upper levels must not restrict. */
static void walk_table(struct walk *walk, uint64_t table, unsigned int level, uint64_t va)
{
	const uint64_t *entries = fake_at(table);

	for (uint64_t i = 0; i < 512; i++) {
		uint64_t entry = entries[i], below = va | i << (12 + 9 * (level - 1));

		if (!(entry & 1)) {
			assert_int_equal(entry, 0);
			continue;
		}
		if (level > 1) {
			assert_int_equal(entry & ~0x000ffffffffff000ull, 3);
			walk_table(walk, entry & 0x000ffffffffff000ull, level - 1, below);
			continue;
		}
		assert_true(walk->count < 64);
		walk->found[walk->count++] = (struct mapping){below, entry & 0x000ffffffffff000ull,
							      entry & ~0x000ffffffffff000ull};
	}
}

static void check_tables(uint64_t node, uint32_t index, uint64_t cr3)
{
	uint64_t shared = node + (1 + 2 * index) * PAGE;
	uint64_t private = node + (1 + 2 * CPUS + 11 * index) * PAGE;
	const struct mapping expected[] = {
		{0xffffff8000003000, 0x40003000, 1},		 /* the image's one page */
		{0xffffff8000200000, private + 3 * PAGE, DATA},	 /* its table, for windows */
		{0xffffff8000201000, shared, DATA},		 /* command page */
		{0xffffff8000202000, shared + PAGE, DATA},	 /* register page */
		{0xffffff8000203000, node, DATA},		 /* control page */
		{0xffffff8000204000, private + 10 * PAGE, DATA}, /* state page */
		{0xffffff8000205000, private + 7 * PAGE, DATA},	 /* globals */
		{0xffffff8000206000, private + 8 * PAGE, DATA},	 /* backend */
		{0xffffff8000207000, private + 9 * PAGE, DATA},	 /* backend */
		{0xffffff8000210000, private + 4 * PAGE, DATA},	 /* trap stacks */
		{0xffffff80003fe000, private + 5 * PAGE, DATA},	 /* stack; a guard below */
		{0xffffff80003ff000, private + 6 * PAGE, DATA},	 /* stack */
	};
	struct walk walk = {.count = 0};

	assert_int_equal(cr3, private);
	walk_table(&walk, cr3, 4, 0xffffull << 48);
	assert_int_equal(walk.count, sizeof(expected) / sizeof(expected[0]));
	for (unsigned int i = 0; i < walk.count; i++) {
		assert_int_equal(walk.found[i].va, expected[i].va);
		assert_int_equal(walk.found[i].pa, expected[i].pa);
		assert_int_equal(walk.found[i].flags, expected[i].flags);
	}
}

static void test_tables(void **state)
{
	(void)state;
	prepare();
	for (uint32_t i = 1; i < CPUS; i++) {
		check_tables(FAKE_HIGH, i, extension_cpu(i)->cr3);
		check_tables(SECOND_NODE, i, extension_cpu(CPUS + i)->cr3);
	}
	assert_int_equal(extension_cpu(CPUS)->cr3, 0);
}

static void test_image_table(void **state)
{
	const struct image_layout layout = {0x3000, 0x5000, 0x9000};
	uint64_t table[512];

	(void)state;
	memset(table, 0xcc, sizeof(table));
	image_table_fill(table, 0x140000000, &layout);
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t pa = 0x140000000 + i * PAGE;

		if (i < 3)
			assert_int_equal(table[i], pa | 1);
		else if (i < 5)
			assert_int_equal(table[i], pa | NO_EXECUTE | 1);
		else if (i < 9)
			assert_int_equal(table[i], pa | DATA);
		else
			assert_int_equal(table[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output, start, finish),
		cmocka_unit_test_setup_teardown(test_control_page, start, finish),
		cmocka_unit_test_setup_teardown(test_overrides, start, finish),
		cmocka_unit_test_setup_teardown(test_clean, start, finish),
		cmocka_unit_test_setup_teardown(test_cpu, start, finish),
		cmocka_unit_test_setup_teardown(test_tables, start, finish),
		cmocka_unit_test(test_image_table),
	};

	return cmocka_run_group_tests_name("kernel_node", tests, NULL, NULL);
}

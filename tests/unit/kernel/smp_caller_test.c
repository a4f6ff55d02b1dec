// SPDX-License-Identifier: MIT
#include "suite.h"

#include "node.h"
#include "smp/smp.h"

static struct boot boot;
static struct sidecar_command_error error;
static unsigned int prepared; /* CPUs */

void node_prepare_cpu(const struct boot *b, const struct sidecar_node_params *node, uint32_t index)
{
	assert_ptr_equal(b, &boot);
	assert_ptr_equal(node, &boot.params.nodes[prepared >= 68]);
	assert_int_equal(index, prepared < 68 ? prepared : prepared - 68);
	prepared++;
}

static struct sidecar_extension *extension(void)
{
	return fake_at(FAKE_LOW);
}

static struct sidecar_extension_cpu *cpu(uint32_t ordinal)
{
	return fake_at(FAKE_LOW + 64 * (1 + ordinal));
}

/* 70 CPUs: the extension has two pages. */
static int start(void **state)
{
	(void)state;
	fake_start();
	memset(&boot, 0, sizeof(boot));
	memset(&error, 0, sizeof(error));
	prepared = 0;
	boot.params.node_count = 2;
	boot.params.nodes[0] = (struct sidecar_node_params){FAKE_HIGH, 0, 0, 68};
	boot.params.nodes[1] = (struct sidecar_node_params){0x55555000, 0, 100, 2};
	boot.params.extension_magic = SIDECAR_EXTENSION_MAGIC;
	boot.params.extension = FAKE_LOW;
	*extension() = (struct sidecar_extension){
		.magic = SIDECAR_EXTENSION_MAGIC,
		.version = SIDECAR_EXTENSION_VERSION,
		.flags = SIDECAR_EXTENSION_CALLER_STARTS_CPUS,
		.cpu_count = 70,
	};
	for (uint32_t i = 0; i < 70; i++) {
		cpu(i)->apic_id = 1000 + i;
		cpu(i)->vp_index = i < 68 ? i : 100 + i - 68;
	}
	return 0;
}

static int finish(void **state)
{
	(void)state;
	fake_finish();
	return 0;
}

static void refused(const char *text)
{
	assert_false(smp_check(&boot.params, &error));
	assert_error(error, text);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(smp_check(&boot.params, &error));
}

static void test_absent(void **state)
{
	(void)state;
	boot.params.extension_magic = 0;
	refused("no extension (magic 0x0, not 0x3158454341434453): this kernel cannot start CPUs "
		"without its caller");
}

static void test_place(void **state)
{
	(void)state;
	boot.params.extension += 64;
	refused("extension at 0x200040 is not page aligned");
	boot.params.extension = 0x100000000;
	refused("extension at 0x100000000, 0x11c0 bytes, ends beyond 0x100000000");
	boot.params.extension = 0xfffff000;
	refused("extension at 0xfffff000, 0x11c0 bytes, ends beyond 0x100000000");
}

static void test_header(void **state)
{
	(void)state;
	extension()->magic++;
	refused("extension has magic 0x3158454341434454, not 0x3158454341434453");
	extension()->magic--;
	extension()->version = 2;
	refused("extension has version 2, this kernel knows 1");
	extension()->version = 1;
	extension()->flags = 3;
	refused("extension has flags 0x3, this kernel needs 0x1");
	extension()->flags = 0;
	refused("extension has flags 0x0, this kernel needs 0x1");
	extension()->flags = 1;
	extension()->cpu_count = 69;
	refused("extension has 69 CPUs, the nodes have 70");
}

static void test_cpus(void **state)
{
	(void)state;
	cpu(69)->vp_index = 69;
	refused("extension has VP 69 where VP 101 belongs");
	cpu(69)->vp_index = 101;
	cpu(68)->apic_id = SIDECAR_NO_APIC_ID; /* a base CPU's is not needed */
	assert_true(smp_check(&boot.params, &error));
	cpu(69)->apic_id = SIDECAR_NO_APIC_ID;
	refused("extension has no APIC ID (0xffffffff) for VP 101");
}

static void test_prepare(void **state)
{
	uint64_t private = FAKE_HIGH + (1 + 2 * 68 + 11 * 67) * 4096;

	(void)state;
	assert_true(smp_start(&boot, &error));
	assert_int_equal(prepared, 70);
	assert_int_equal(cpu(67)->apic_id, 1067);
	assert_int_equal(cpu(67)->cr3, private);
	assert_int_equal(cpu(67)->entry, FAKE_ENTRY);
	assert_int_equal(cpu(67)->stack, 0xffffff8000400000);
	assert_int_equal(cpu(67)->state_page, private + 10 * 4096);
	assert_int_equal(cpu(69)->cr3, 0x55555000 + (1 + 2 * 2 + 11) * 4096);
	assert_int_equal(cpu(0)->cr3 | cpu(0)->entry | cpu(0)->stack | cpu(0)->state_page, 0);
	assert_int_equal(cpu(68)->cr3 | cpu(68)->entry | cpu(68)->stack | cpu(68)->state_page, 0);
}

static void test_start(void **state)
{
	(void)state;
	boot.high_root.value = 0x7654000;
	assert_true(smp_start(&boot, &error));
	assert_int_equal(extension()->boot_pml4e, 0x7654003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, start, finish),
		cmocka_unit_test_setup_teardown(test_absent, start, finish),
		cmocka_unit_test_setup_teardown(test_place, start, finish),
		cmocka_unit_test_setup_teardown(test_header, start, finish),
		cmocka_unit_test_setup_teardown(test_cpus, start, finish),
		cmocka_unit_test_setup_teardown(test_prepare, start, finish),
		cmocka_unit_test_setup_teardown(test_start, start, finish),
	};

	return cmocka_run_group_tests_name("kernel_smp_caller", tests, NULL, NULL);
}

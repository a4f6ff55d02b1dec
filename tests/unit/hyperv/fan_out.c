// SPDX-License-Identifier: MIT
/* Starting the CPUs: those that are up help, each is started once, one refusal ends it. */
#include "fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mm/node_memory.h"
#include "node.h"
#include "smp/smp.h"

#define NODES 3u
#define MAX_CPUS 40u
#define PAGE SIDECAR_PAGE_SIZE

static struct {
	pthread_t threads[MAX_CPUS];
	bool running[MAX_CPUS];
	uint32_t enabled[MAX_CPUS];
	uint32_t started[MAX_CPUS]; /* how often; atomic, as enabled */
	uint32_t by_others;	    /* started by one that is up; atomic */
	uint32_t refused_vp;
	uint32_t dead_vp;
	bool keeps_all_from_joining;
} machine;

static struct sidecar_boot_output output;
static void *memory[NODES];
static pthread_t boot_thread;

/* ---- VPs that are threads -------------------------------------------------------------------- */

static struct sidecar_control_page *control(uint32_t n)
{
	return (void *)fake.boot.params.nodes[n].memory_base;
}

static uint32_t node_of(uint32_t vp, uint32_t *index)
{
	for (uint32_t n = 0; n < fake.boot.params.node_count; n++) {
		*index = vp - fake.boot.params.nodes[n].base_vp;
		if (*index < fake.boot.params.nodes[n].vp_count)
			return n;
	}
	abort();
}

static void *vp_main(void *argument)
{
	uint32_t vp = (uint32_t)(uintptr_t)argument, index, n = node_of(vp, &index);
	const struct sidecar_node_params *node = &fake.boot.params.nodes[n];
	struct cpu cpu = *(struct cpu *)node_private_page(node, index, PRIVATE_GLOBALS).value;

	/* The CPU's address space is not this thread's. */
	cpu.backend_memory = (void *)cpu.backend_pages.value;
	if (vp == machine.dead_vp)
		return NULL;
	if (!machine.keeps_all_from_joining)
		smp_join(&cpu);
	__atomic_store_n(&control(n)->cpu_status[index], SIDECAR_STATUS_IDLE, __ATOMIC_RELEASE);
	return NULL;
}

static uint16_t start_vp(uint16_t code, const struct hv_start_vp_input *input)
{
	uint32_t vp = input->vp_index, index, n = node_of(vp, &index);
	const struct sidecar_node_params *node = &fake.boot.params.nodes[n];

	if (input->context.cr3 != node_private_page(node, index, PRIVATE_PML4).value)
		abort();
	if (code == HV_CALL_ENABLE_VP_VTL)
		return __atomic_fetch_add(&machine.enabled[vp], 1, __ATOMIC_RELAXED)
			       ? HV_STATUS_VTL_ALREADY_ENABLED
			       : HV_STATUS_SUCCESS;
	if (vp == machine.refused_vp)
		return HV_STATUS_INSUFFICIENT_MEMORY;
	__atomic_fetch_add(&machine.started[vp], 1, __ATOMIC_RELAXED);
	if (!pthread_equal(pthread_self(), boot_thread))
		__atomic_fetch_add(&machine.by_others, 1, __ATOMIC_RELAXED);
	machine.running[vp] = true;
	if (pthread_create(&machine.threads[vp], NULL, vp_main, (void *)(uintptr_t)vp))
		abort();
	return HV_STATUS_SUCCESS;
}

/* ---- three nodes, a gap, CPUs 1..15, 20..25, 26..39 ------------------------------------------ */

static void add_node(uint32_t n, uint32_t base, uint32_t count)
{
	size_t size = SIDECAR_REQUIRED_MEMORY(count);

	memory[n] = aligned_alloc(PAGE, size);
	assert_non_null(memory[n]);
	memset(memory[n], 0xcc, size);
	fake.boot.params.nodes[n] =
		(struct sidecar_node_params){(uint64_t)memory[n], size, base, count};
}

static int setup(void **state)
{
	fake_setup(state);
	memset(&machine, 0, sizeof(machine));
	machine.refused_vp = machine.dead_vp = NO_NAME;
	boot_thread = pthread_self();
	fake.start_vp = start_vp;
	fake.boot.output = &output;
	fake.boot.params.node_count = NODES;
	add_node(0, 0, 16);
	add_node(1, 20, 6);
	add_node(2, 26, 14);
	return 0;
}

static void join(void)
{
	for (uint32_t vp = 0; vp < MAX_CPUS; vp++)
		if (machine.running[vp])
			pthread_join(machine.threads[vp], NULL);
}

static int finish(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < NODES; n++)
		free(memory[n]);
	return 0;
}

static bool start(void)
{
	bool good;

	fake.error.length = 0;
	assert_true(smp_check(&fake.boot.params, &fake.error));
	nodes_prepare(&fake.boot);
	good = smp_start(&fake.boot, &fake.error);
	return good;
}

static uint8_t status_of(uint32_t vp)
{
	uint32_t index, n = node_of(vp, &index);

	return __atomic_load_n(&control(n)->cpu_status[index], __ATOMIC_ACQUIRE);
}

static bool is_base(uint32_t vp)
{
	return vp == 0 || vp == 20 || vp == 26;
}

static bool in_gap(uint32_t vp)
{
	return vp >= 16 && vp < 20;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void check_all_started(void)
{
	for (uint32_t vp = 0; vp < MAX_CPUS; vp++) {
		bool ours = !is_base(vp) && !in_gap(vp);

		assert_int_equal(machine.enabled[vp], ours);
		assert_int_equal(machine.started[vp], ours);
		if (!in_gap(vp))
			assert_int_equal(status_of(vp),
					 ours ? SIDECAR_STATUS_IDLE : SIDECAR_STATUS_REMOVED);
	}
}

static void test_all(void **state)
{
	(void)state;
	assert_true(start());
	check_all_started(); /* all are IDLE when smp_start returns */
	join();
}

/* Nobody but the boot CPU: nothing depends on the help. */
static void test_alone(void **state)
{
	(void)state;
	machine.keeps_all_from_joining = true;
	assert_true(start());
	check_all_started();
	assert_int_equal(machine.by_others, 0);
	join();
}

/* Often, because it is a race. */
static void test_help(void **state)
{
	uint32_t others = 0;

	for (unsigned int i = 0; i < 50; i++) {
		finish(state);
		setup(state);
		assert_true(start());
		join();
		check_all_started();
		others += machine.by_others;
	}
	assert_int_not_equal(others, 0);
}

static void test_overrides(void **state)
{
	(void)state;
	fake.boot.params.initial_state.specified = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[3] = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[25] = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[27] = 1;
	assert_true(start());
	for (uint32_t vp = 0; vp < MAX_CPUS; vp++) {
		bool ours = vp == 3 || vp == 25 || vp == 27;

		assert_int_equal(machine.started[vp], ours);
		if (!in_gap(vp))
			assert_int_equal(status_of(vp), ours ? 1 : 0);
	}
	join();
}

/*
 * What is not ours is shared with user mode all the same, and must hold nothing. What is ours the
 * CPU clears, which is only a thread here.
 */
static void test_clean(void **state)
{
	const uint8_t *shared = (uint8_t *)memory[1] + PAGE;

	(void)state;
	fake.boot.params.initial_state.specified = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[25] = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[1] = 1;
	fake.boot.params.initial_state.sidecar_starts_cpu[27] = 1;
	assert_true(start());
	join();
	for (uint32_t i = 0; i < 6 * 2 * PAGE; i++)
		assert_int_equal(shared[i], i / (2 * PAGE) == 5 ? 0xcc : 0);
}

/* ---- the extension --------------------------------------------------------------------------- */

static struct sidecar_extension *extension(void)
{
	return (void *)(uintptr_t)fake.boot.params.extension;
}

static struct sidecar_extension_cpu *extension_cpu(uint32_t ordinal)
{
	return (struct sidecar_extension_cpu *)(extension() + 1) + ordinal;
}

/* 36 CPUs, in memory below 4 GiB. */
static int setup_extension(void **state)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	setup(state);
	fake.boot.params.extension_magic = SIDECAR_EXTENSION_MAGIC;
	fake.boot.params.extension = (uint64_t)page;
	fake.boot.high_root.value = 0x7654000;
	*extension() = (struct sidecar_extension){
		.magic = SIDECAR_EXTENSION_MAGIC,
		.version = SIDECAR_EXTENSION_VERSION,
		.cpu_count = 36,
	};
	for (uint32_t i = 0; i < 36; i++) {
		extension_cpu(i)->apic_id = 1000 + i;
		extension_cpu(i)->vp_index = i < 16 ? i : i + 4;
	}
	return 0;
}

static int finish_extension(void **state)
{
	munmap(extension(), PAGE);
	return finish(state);
}

static void test_extension(void **state)
{
	const struct sidecar_extension_cpu *cpu = extension_cpu(35); /* VP 39, the last of node 2 */
	uint64_t private = (uint64_t)memory[2] + (1 + 2 * 14 + 11 * 13) * PAGE;

	(void)state;
	assert_true(start());
	join();
	check_all_started();
	assert_int_equal(cpu->apic_id, 1035);
	assert_int_equal(cpu->cr3, private);
	assert_int_equal(cpu->entry, (uint64_t)hyperv_vp_entry);
	assert_int_equal(cpu->stack, 0xffffff8000400000);
	assert_int_equal(cpu->state_page, private + 10 * PAGE);
	assert_int_equal(extension_cpu(16)->state_page | extension_cpu(16)->entry, 0);
	assert_int_equal(extension()->boot_pml4e, 0x7654003);
}

/* Without the magic the address means nothing, as under a shim that knows no extension. */
static void test_no_extension(void **state)
{
	(void)state;
	fake.boot.params.extension_magic++;
	extension()->cpu_count = 7;
	assert_true(start());
	join();
	check_all_started();
	assert_int_equal(extension_cpu(1)->state_page, 0);
}

static void test_bad_extension(void **state)
{
	(void)state;
	extension()->flags = SIDECAR_EXTENSION_CALLER_STARTS_CPUS;
	assert_false(smp_check(&fake.boot.params, &fake.error));
	assert_error(fake.error, "extension has flags 0x1, this kernel needs 0x0");
	extension()->flags = 0;
	extension_cpu(17)->vp_index = 17;
	assert_false(smp_check(&fake.boot.params, &fake.error));
	assert_error(fake.error, "extension has VP 17 where VP 21 belongs");
}

static void test_refused(void **state)
{
	(void)state;
	for (uint32_t vp = 1; vp < MAX_CPUS; vp++) {
		if (is_base(vp) || in_gap(vp))
			continue;
		finish(state);
		setup(state);
		machine.refused_vp = vp;
		assert_false(start());
		join();
		assert_memory_equal(fake.error.text, "VP ", 3);
		assert_non_null(strstr((char *)fake.error.text,
				       ": StartVirtualProcessor has hypervisor status 0xb"));
		assert_int_equal(status_of(vp), SIDECAR_STATUS_REMOVED);
		for (uint32_t i = 0; i < MAX_CPUS; i++)
			if (!in_gap(i))
				assert_int_equal(status_of(i), machine.started[i]);
	}
}

/* Nobody else starts any: what comes after the refused one is not even asked for. */
static void test_ends_at_once(void **state)
{
	(void)state;
	machine.keeps_all_from_joining = true;
	machine.refused_vp = 5;
	assert_false(start());
	join();
	assert_error(fake.error, "VP 5: StartVirtualProcessor has hypervisor status 0xb");
	for (uint32_t vp = 1; vp < MAX_CPUS; vp++) {
		assert_int_equal(machine.enabled[vp], vp <= 5);
		assert_int_equal(machine.started[vp], vp < 5);
	}
}

static void test_dead(void **state)
{
	(void)state;
	machine.dead_vp = 13;
	fake.tick = 100; /* a million looks without progress */
	assert_false(start());
	assert_error(fake.error, "VP 13 and 0 more are not up after 10 s");
	join();
	assert_int_equal(status_of(13), SIDECAR_STATUS_RUN);
	assert_int_equal(status_of(14), SIDECAR_STATUS_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, setup, finish),
		cmocka_unit_test_setup_teardown(test_alone, setup, finish),
		cmocka_unit_test_setup_teardown(test_help, setup, finish),
		cmocka_unit_test_setup_teardown(test_overrides, setup, finish),
		cmocka_unit_test_setup_teardown(test_clean, setup, finish),
		cmocka_unit_test_setup_teardown(test_extension, setup_extension, finish_extension),
		cmocka_unit_test_setup_teardown(test_no_extension, setup_extension,
						finish_extension),
		cmocka_unit_test_setup_teardown(test_bad_extension, setup_extension,
						finish_extension),
		cmocka_unit_test_setup_teardown(test_refused, setup, finish),
		cmocka_unit_test_setup_teardown(test_ends_at_once, setup, finish),
		cmocka_unit_test_setup_teardown(test_dead, setup, finish),
	};

	return cmocka_run_group_tests_name("hyperv_fan_out", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* Memory and threads of a node, on whatever machine this runs: CPU 1's node, and one far away. */
#include "machine.h"

#include <sched.h>
#include <sys/resource.h>

static void test_alloc(void **state)
{
	static const size_t sizes[] = {1, 4096, 5000, 2 << 20, (2 << 20) + 1, 5 << 20};
	static const uint32_t flags[] = {0, SIDECAR_MEMORY_POPULATE, SIDECAR_MEMORY_SMALL_PAGES,
					 SIDECAR_MEMORY_POPULATE | SIDECAR_MEMORY_SMALL_PAGES};
	struct machine *machine = *state;
	uint8_t *memory;

	for (unsigned int i = 0; i < COUNT(sizes) * COUNT(flags); i++) {
		size_t size = sizes[i % COUNT(sizes)];

		assert_int_equal(sidecar_memory_alloc(machine->client, 0, size,
						      flags[i / COUNT(sizes)],
						      (void **)&memory), 0);
		assert_int_equal((uintptr_t)memory % (size >= 2 << 20 ? 2 << 20 : 4096), 0);
		for (size_t n = 0; n < size; n += 4096)
			assert_int_equal(memory[n], 0);
		memset(memory, 0xcc, size);
		sidecar_memory_free(memory, size);
	}
	sidecar_memory_free(NULL, 4096);
}

static void test_alloc_refused(void **state)
{
	struct machine *machine = *state;
	struct rlimit old, small = {.rlim_cur = 1 << 20};
	void *memory = machine;

	assert_int_equal(sidecar_memory_alloc(machine->client, 99, 4096, 0, &memory), -ENOENT);
	assert_null(memory);
	check_error(sidecar_error(machine->client), -ENOENT, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_memory_alloc(machine->client, 0, 0, 0, &memory), -EINVAL);
	assert_int_equal(sidecar_memory_alloc(machine->client, 0, SIZE_MAX, 0, &memory), -EINVAL);
	assert_int_equal(sidecar_memory_alloc(machine->client, 0, 4096, 4, &memory), -EINVAL);
	check_text(sidecar_error(machine->client), "0x4");
	getrlimit(RLIMIT_DATA, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_DATA, &small);
	assert_int_equal(sidecar_memory_alloc(machine->client, 0, 1 << 30, 0, &memory), -ENOMEM);
	setrlimit(RLIMIT_DATA, &old);
	check_error(sidecar_error(machine->client), -ENOMEM, SIDECAR_ERROR_ERRNO);
	assert_null(memory);
}

/* Node 0 begins at CPU 0, which every machine has; node 2 at CPU 40, which this one may not. */
static void test_pin(void **state)
{
	struct machine *machine = *state;
	struct sidecar_node_info info;
	cpu_set_t before, now;
	int result;

	sched_getaffinity(0, sizeof(before), &before);
	assert_int_equal(sidecar_node_info(machine->client, 0, &info), 0);
	assert_int_equal(info.base_cpu, 0);
	if (CPU_ISSET(0, &before)) {
		assert_int_equal(sidecar_pin_thread(machine->client, 0), 0);
		sched_getaffinity(0, sizeof(now), &now);
		assert_true(CPU_ISSET(0, &now));
		assert_int_equal(CPU_COUNT(&now), 1);
		sched_setaffinity(0, sizeof(before), &before);
	}
	result = sidecar_pin_thread(machine->client, 2);
	assert_true(result == 0 || result == -EINVAL);
	if (result)
		check_text(sidecar_error(machine->client), "CPU 40");
	sched_setaffinity(0, sizeof(before), &before);
	assert_int_equal(sidecar_pin_thread(machine->client, 3), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_alloc, ours),
		CASE(test_alloc_refused, ours),
		CASE(test_pin, ours),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

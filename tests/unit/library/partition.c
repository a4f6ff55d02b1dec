// SPDX-License-Identifier: MIT
/* Partitions: ranges, what is refused before and by the driver. */
#include "machine.h"

#include <sys/mman.h>

#define ALL (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE)
#define SIZE 0x4000ull

static uint8_t memory[2 * SIZE] __attribute__((aligned(4096)));

static void check_partition_error(struct machine *machine, int code)
{
	check_error(sidecar_partition_error(machine->partition), code, SIDECAR_ERROR_ERRNO);
}

static void test_map_and_unmap(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *p = machine->partition;

	assert_int_equal(sidecar_partition_map(p, 0, memory, SIZE, ALL), 0);
	assert_int_equal(sidecar_partition_map(p, SIZE, memory + SIZE, SIZE, SIDECAR_MAP_READ), 0);
	assert_int_equal(fake_mapped_ranges(machine->fake), 2);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), 0);
	assert_int_equal(sidecar_partition_map(p, 0, memory, SIZE, ALL), 0);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, SIZE), 0);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), 0);
	assert_int_equal(fake_mapped_ranges(machine->fake), 0);
}

/* Refused by the library: the driver is not even asked. */
static void test_bad_ranges(void **state)
{
	static const struct {
		uint64_t gpa, offset, length;
		uint32_t flags;
	} cases[] = {
		{1, 0, SIZE, ALL},	   {0x800, 0, SIZE, ALL},
		{0, 1, SIZE, ALL},	   {0, 0, 0, ALL},
		{0, 0, 1, ALL},		   {0, 0, SIZE + 1, ALL},
		{0, 0, SIZE, 0},	   {0, 0, SIZE, 8},
		{0, 0, SIZE, 1u << 31},	   {1ull << 48, 0, SIZE, ALL},
		{(1ull << 48) - 0x1000, 0, 0x2000, ALL},
		{-SIZE, 0, 2 * SIZE, ALL}, {0x1000, 0, -0x1000ull, ALL},
	};
	struct machine *machine = *state;

	for (unsigned int i = 0; i < COUNT(cases); i++) {
		assert_int_equal(sidecar_partition_map(machine->partition, cases[i].gpa,
						       memory + cases[i].offset, cases[i].length,
						       cases[i].flags), -EINVAL);
		check_partition_error(machine, -EINVAL);
	}
	assert_int_equal(fake_calls(machine->fake, FAKE_PARTITION_MAP), 0);
	assert_int_equal(sidecar_partition_map(machine->partition, (1ull << 48) - SIZE, memory,
					       SIZE, ALL), 0);
}

static void test_bad_unmap(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *p = machine->partition;

	assert_int_equal(sidecar_partition_map(p, SIZE, memory, SIZE, ALL), 0);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), -ENOENT);
	check_partition_error(machine, -ENOENT);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, SIZE / 2), -ENOENT);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, 2 * SIZE), -ENOENT);
	assert_int_equal(sidecar_partition_unmap(p, SIZE + 1, SIZE), -EINVAL);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, 0), -EINVAL);
	assert_int_equal(sidecar_partition_unmap(p, 1ull << 48, SIZE), -EINVAL);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, SIZE), 0);
	assert_int_equal(sidecar_partition_unmap(p, SIZE, SIZE), -ENOENT);
}

static void test_overlap(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *p = machine->partition;

	assert_int_equal(sidecar_partition_map(p, SIZE, memory, SIZE, ALL), 0);
	assert_int_equal(sidecar_partition_map(p, SIZE, memory, SIZE, ALL), -EEXIST);
	check_partition_error(machine, -EEXIST);
	check_text(sidecar_partition_error(p), "0x4000");
	assert_int_equal(sidecar_partition_map(p, SIZE / 2, memory, SIZE, ALL), -EEXIST);
	assert_int_equal(sidecar_partition_map(p, 2 * SIZE, memory, SIZE, ALL), 0);
}

/* What only the driver can know arrives, and changes nothing. */
static void test_driver_refuses(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *p = machine->partition;

	fake_fail(machine->fake, FAKE_PARTITION_MAP, EFAULT, 1, 0);
	assert_int_equal(sidecar_partition_map(p, 0, memory, SIZE, ALL), -EFAULT);
	check_partition_error(machine, -EFAULT);
	fake_fail(machine->fake, FAKE_PARTITION_UNMAP, EINTR, 1, 0);
	assert_int_equal(sidecar_partition_map(p, 0, memory, SIZE, ALL), 0);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), -EINTR);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), 0);
}

/* The text names limit and need. */
static void test_memlock(void **state)
{
	struct machine *machine = *state;

	fake_fail(machine->fake, FAKE_PARTITION_MAP, ENOMEM, 1, 0);
	assert_int_equal(sidecar_partition_map(machine->partition, 0, memory, SIZE, ALL), -ENOMEM);
	check_partition_error(machine, -ENOMEM);
	check_text(sidecar_partition_error(machine->partition), "16384");
}

static void test_create_fails(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *partition = (void *)1;

	fake_fail(machine->fake, FAKE_PARTITION_CREATE, ENOMEM, 1, 0);
	assert_int_equal(sidecar_partition_create(machine->client, &partition), -ENOMEM);
	assert_null(partition);
	check_error(sidecar_error(machine->client), -ENOMEM, SIDECAR_ERROR_ERRNO);
}

static void test_attach_fails(void **state)
{
	struct machine *machine = *state;
	unsigned int files = fake_open_files(machine->fake);
	struct sidecar_vp *vp = (void *)1;

	fake_fail(machine->fake, FAKE_PARTITION_ATTACH, EBUSY, 1, 0);
	assert_int_equal(sidecar_vp_create(machine->client, CPU_A, machine->partition, &vp),
			 -EBUSY);
	assert_null(vp);
	assert_int_equal(fake_open_files(machine->fake), files);
	destroy_vp(make_vp(machine, CPU_A));
}

static void test_close_with_a_vp(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_partition_close(machine->partition), -EBUSY);
	check_partition_error(machine, -EBUSY);
	destroy_vp(vp);
}

static void test_no_memory_calls(void **state)
{
	struct machine *machine = *state;
	struct sidecar_partition *p = machine->partition;

	assert_int_equal(sidecar_partition_map(p, 0, memory, SIZE, ALL), -ENOTSUP);
	check_partition_error(machine, -ENOTSUP);
	assert_int_equal(sidecar_partition_unmap(p, 0, SIZE), -ENOTSUP);
}

static void test_other_clients_partition(void **state)
{
	struct machine *machine = *state;
	struct sidecar *other;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_open_with(NULL, &fake_driver, machine->fake, &other), 0);
	assert_int_equal(sidecar_vp_create(other, CPU_A, machine->partition, &vp), -EINVAL);
	assert_null(vp);
	assert_int_equal(sidecar_close(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_map_and_unmap, ours),
		CASE(test_bad_ranges, ours),
		CASE(test_bad_unmap, ours),
		CASE(test_overlap, ours),
		CASE(test_driver_refuses, ours),
		CASE(test_memlock, ours),
		CASE(test_create_fails, ours),
		CASE(test_attach_fails, ours),
		EVERY(test_close_with_a_vp),
		CASE(test_no_memory_calls, original),
		EVERY(test_other_clients_partition),
	};

	return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}

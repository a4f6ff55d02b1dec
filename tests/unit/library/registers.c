// SPDX-License-Identifier: MIT
/* Registers: any count, the place of the first that fails, what is done then and what is not. */
#include "machine.h"

#define FEW 31u
#define MANY 65535u

/* Names that exist, over and over; the value tells the place. */
static struct hv_register_assoc *make_registers(size_t count)
{
	struct hv_register_assoc *regs = calloc(count + 1, sizeof(*regs));

	for (size_t i = 0; i < count; i++) {
		regs[i].name = HV_REGISTER_RAX + (uint32_t)(i % 16);
		regs[i].value.low = i;
		regs[i].value.high = ~i;
	}
	return regs;
}

static void check_count(struct sidecar_vp *vp, size_t count)
{
	struct hv_register_assoc *regs = make_registers(count);

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, count), 0);
	for (size_t i = 0; i < count; i++)
		regs[i].value = (struct hv_u128){1, 1};
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, count), 0);
	for (size_t i = 0; i < count; i++) {
		/* The last one that was set to this name. */
		size_t last = i + (count - 1 - i) / 16 * 16;

		assert_int_equal(regs[i].value.low, last);
		assert_int_equal(regs[i].value.high, ~last);
	}
	free(regs);
}

static void test_counts(void **state)
{
	static const size_t counts[] = {1, 2, 30, 31, 32, 61, 62, 63, 1000};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(counts); i++)
		check_count(vp, counts[i]);
	destroy_vp(vp);
}

static void test_count_0(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc reg = {.name = 0xdead};

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, &reg, 0), 0);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, &reg, 0), 0);
	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, NULL, 0), 0);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, NULL, 0), 0);
	destroy_vp(vp);
}

static void test_count_65535(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	check_count(vp, MANY);
	destroy_vp(vp);
}

static void test_no_array(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, NULL, 1), -EINVAL);
	check_error(sidecar_vp_error(vp), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, NULL, 1), -EINVAL);
	assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

static void check_failure(struct sidecar_vp *vp, uint32_t status, uint32_t index)
{
	const struct sidecar_error *error = sidecar_vp_error(vp);

	check_error(error, -EREMOTEIO, SIDECAR_ERROR_HYPERVISOR);
	assert_int_equal(error->hv_status, status);
	assert_int_equal(error->index, index);
}

/* Wherever it is, in the first command or in a later one. */
static void test_unknown_register(void **state)
{
	static const uint32_t places[] = {0, 1, 15, 30, 31, 32, 61, 62, 99};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(places); i++) {
		struct hv_register_assoc *regs = make_registers(100);

		regs[places[i]].name = 0x12345678;
		assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, 100), -EREMOTEIO);
		check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, places[i]);
		check_text(sidecar_vp_error(vp), "12345678");
		assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, 100), -EREMOTEIO);
		check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, places[i]);
		free(regs);
	}
	destroy_vp(vp);
}

/* Those before the one that failed are done, those after it untouched. */
static void test_refused_value(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RBX, .value.low = 11},
		{.name = HV_REGISTER_EFER, .value.low = 1ull << 40},
		{.name = HV_REGISTER_RDX, .value.low = 33},
	};
	uint64_t value;

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, regs, COUNT(regs)), -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_REGISTER_VALUE, 1);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RBX, &value), 0);
	assert_int_equal(value, 11);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RDX, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_EFER, &value), 0);
	assert_int_equal(value, 0);
	destroy_vp(vp);
}

/* A get that fails leaves the values of the later ones as they were. */
static void test_get_stops_at_the_first(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RIP, .value.low = 1},
		{.name = 0x77, .value.low = 2},
		{.name = HV_REGISTER_RFLAGS, .value.low = 3},
	};

	assert_int_equal(sidecar_vp_get_registers(vp, HV_VTL_0, regs, COUNT(regs)), -EREMOTEIO);
	check_failure(vp, HV_STATUS_UNKNOWN_REGISTER_NAME, 1);
	assert_int_equal(regs[0].value.low, 0xfff0);
	assert_int_equal(regs[1].value.low, 2);
	assert_int_equal(regs[2].value.low, 3);
	destroy_vp(vp);
}

static void test_vtl_is_passed_on(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	uint64_t value;

	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_2, HV_REGISTER_RIP, &value),
			 -EREMOTEIO);
	check_failure(vp, HV_STATUS_INVALID_PARAMETER, 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_CURRENT, HV_REGISTER_RIP, &value), 0);
	destroy_vp(vp);
}

/* Values that equal whatever the library uses to recognize a missing answer come through. */
static void test_any_value_comes_through(void **state)
{
	static const uint64_t values[] = {0, UINT64_MAX, 0xffff, 0xff, 0x5345545f544f4e5f};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_u128 got;

	for (unsigned int i = 0; i < COUNT(values); i++) {
		struct hv_u128 value = {values[i], values[i]};

		assert_int_equal(sidecar_vp_set_register(vp, HV_VTL_0, HV_REGISTER_XMM0, value), 0);
		assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, HV_REGISTER_XMM0, &got), 0);
		assert_int_equal(got.low, value.low);
		assert_int_equal(got.high, value.high);
	}
	destroy_vp(vp);
}

static void test_single_forms(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_u128 wide = {1, 2}, got = {7, 7};
	uint64_t value = 7;

	assert_int_equal(sidecar_vp_set_register(vp, HV_VTL_0, HV_REGISTER_XMM15, wide), 0);
	assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, HV_REGISTER_XMM15, &got), 0);
	assert_memory_equal(&got, &wide, sizeof(got));
	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_RIP, 0x8000), 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value), 0);
	assert_int_equal(value, 0x8000);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, 1, &value), -EREMOTEIO);
	assert_int_equal(value, 0x8000); /* untouched */
	destroy_vp(vp);
}

/* The raw command page, as any VMM may write it: the kernel's own limit. */
static void raw_count(struct machine *machine, unsigned int count, bool refused)
{
	struct sidecar_command_page *page = fake_page(machine->fake, CPU_A);
	struct sidecar_registers_request *request = (void *)page->request_data;
	uint32_t cpu;
	int node = fake_driver.node_open(machine->fake, 1);

	memset(request, 0, sizeof(*request));
	request->count = (uint16_t)count;
	request->target_vtl = HV_VTL_0;
	request->status = 0x1234;
	page->command = SIDECAR_COMMAND_GET_REGISTERS;
	assert_int_equal(fake_driver.start(machine->fake, node, CPU_A), 0);
	while (fake_driver.read_completion(machine->fake, node, &cpu))
		usleep(50);
	assert_int_equal(cpu, CPU_A);
	assert_int_equal(page->command, SIDECAR_COMMAND_NONE);
	assert_int_equal(page->has_error, refused);
	if (refused)
		assert_non_null(memmem(page->error.text, page->error.length, "31", 2));
	else
		assert_int_equal(request->status, HV_STATUS_SUCCESS);
	fake_driver.node_close(machine->fake, node);
}

static void test_raw_counts(void **state)
{
	struct machine *machine = *state;

	raw_count(machine, 0, false);
	raw_count(machine, FEW + 1, true);
	raw_count(machine, MANY, true);
	destroy_vp(make_vp(machine, CPU_A));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_counts),
		BOTH(test_count_0),
		BOTH(test_count_65535),
		BOTH(test_no_array),
		BOTH(test_unknown_register),
		BOTH(test_refused_value),
		BOTH(test_get_stops_at_the_first),
		BOTH(test_vtl_is_passed_on),
		BOTH(test_any_value_comes_through),
		BOTH(test_single_forms),
		BOTH(test_raw_counts),
	};

	return cmocka_run_group_tests_name("registers", tests, NULL, NULL);
}

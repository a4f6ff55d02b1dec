// SPDX-License-Identifier: MIT
/* VPs: taking CPUs, giving them back, test and translate, and everything that is refused. */
#include "machine.h"

static void check_create(struct machine *machine, uint32_t cpu, int error, const char *number)
{
	struct sidecar_vp *vp = (void *)1;

	assert_int_equal(sidecar_vp_create(machine->client, cpu, machine->partition, &vp), error);
	assert_null(vp);
	assert_int_equal(sidecar_error(machine->client)->code, error);
	check_text(sidecar_error(machine->client), number);
}

static void test_create(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_FAR);

	assert_int_equal(sidecar_vp_cpu(vp), CPU_FAR);
	sidecar_vp_context(vp)->gps[SIDECAR_GP_R15] = 0x1234;
	sidecar_vp_register_page(vp)->rip = 0x5678;
	assert_int_equal(fake_page(machine->fake, CPU_FAR)->cpu_context.gps[SIDECAR_GP_R15], 0x1234);
	assert_int_equal(fake_host(machine->fake, CPU_FAR)->cpu.register_page->rip, 0x5678);
	assert_non_null(sidecar_vp_message(vp));
	destroy_vp(vp);
}

static void test_without_partition(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_vp_create(machine->client, CPU_A, NULL, &vp), 0);
	assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

/* Every CPU of every node, at once. */
static void test_all_cpus(void **state)
{
	static const uint32_t cpus[] = {1, 2, 3, 9, 10, 11, 41};
	struct machine *machine = *state;
	struct sidecar_vp *vps[COUNT(cpus)];

	for (unsigned int i = 0; i < COUNT(cpus); i++)
		vps[i] = make_vp(machine, cpus[i]);
	for (unsigned int i = 0; i < COUNT(cpus); i++) {
		assert_int_equal(sidecar_vp_run(vps[i], SIDECAR_NO_DEADLINE, NULL), 0);
		assert_int_equal(entries_of(machine, cpus[i]), 1);
	}
	for (unsigned int i = 0; i < COUNT(cpus); i++)
		destroy_vp(vps[i]);
}

static void test_R14_outside_every_node(void **state)
{
	struct machine *machine = *state;

	check_create(machine, CPU_IN_GAP, -ENOENT, "4");
	check_create(machine, 7, -ENOENT, "7");
	check_create(machine, 12, -ENOENT, "12");
	check_create(machine, CPU_BEYOND, -ENOENT, "42");
	check_create(machine, UINT32_MAX, -ENOENT, "4294967295");
	check_create(machine, 0x80000001, -ENOENT, "2147483649");
}

static void test_base_cpu(void **state)
{
	struct machine *machine = *state;

	check_create(machine, CPU_BASE, -ENOENT, "8");
	check_create(machine, 0, -ENOENT, "0");
	check_create(machine, 40, -ENOENT, "40");
	check_text(sidecar_error(machine->client), "base CPU");
	assert_int_equal(fake_calls(machine->fake, FAKE_START), 0); /* not even tried */
	assert_int_equal(fake_calls(machine->fake, FAKE_RUN), 0);
}

/* R7: a CPU that Linux has taken. */
static void test_R7_linux_cpu(void **state)
{
	struct machine *machine = *state;

	fake_remove(machine->fake, CPU_B);
	check_create(machine, CPU_B, -ENOENT, "2");
}

static void test_taken_by_this_client(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	check_create(machine, CPU_A, -EBUSY, "1");
	assert_int_equal(sidecar_vp_test(vp), 0); /* and it is as it was */
	destroy_vp(vp);
	destroy_vp(make_vp(machine, CPU_A));
}

/* A VP belongs to whoever claimed it, until its last VP on the node is gone. */
static void test_taken_by_another_client(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A), *second = NULL;
	struct sidecar *other;

	assert_int_equal(sidecar_open_with(NULL, &fake_driver, machine->fake, &other), 0);
	for (unsigned int i = 0; i < 2; i++) { /* the node's first file, and one that is open */
		struct sidecar_vp *none = (void *)1;

		assert_int_equal(sidecar_vp_create(other, CPU_A, NULL, &none), -EBUSY);
		assert_null(none);
		check_error(sidecar_error(other), -EBUSY, SIDECAR_ERROR_ERRNO);
		check_text(sidecar_error(other), "CPU 1");
		if (i == 0)
			assert_int_equal(sidecar_vp_create(other, CPU_B, NULL, &second), 0);
	}
	destroy_vp(vp);
	destroy_vp(second);
	assert_int_equal(sidecar_vp_create(other, CPU_A, NULL, &second), 0);
	destroy_vp(second);
	assert_int_equal(sidecar_close(other), 0);
}

/* The next owner finds reset registers, not the last one's. */
static void test_owner_change_resets(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	uint64_t value;

	assert_int_equal(sidecar_vp_set_register64(vp, HV_VTL_0, HV_REGISTER_R8, 0x5ec2e7), 0);
	destroy_vp(vp);
	vp = make_vp(machine, CPU_A);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_R8, &value), 0);
	assert_int_equal(value, 0);
	destroy_vp(vp);
}

/* Each call of a create, failing: no VP, no file left, and the next create works. */
static void test_create_fails(void **state)
{
	static const struct {
		enum fake_operation operation;
		int error;
	} cases[] = {
		{FAKE_NODE_OPEN, EMFILE}, {FAKE_NODE_INFO, EFAULT}, {FAKE_POLL_FD, EMFILE},
		{FAKE_NODE_MAP, ENOMEM},  {FAKE_START, ENOMEM},
	};
	struct machine *machine = *state;
	unsigned int files = fake_open_files(machine->fake);

	for (unsigned int i = 0; i < COUNT(cases); i++) {
		fake_fail(machine->fake, cases[i].operation, cases[i].error, 1, 0);
		if (cases[i].operation == FAKE_START)
			fake_fail(machine->fake, FAKE_RUN, cases[i].error, 1, 0);
		check_create(machine, CPU_A, -cases[i].error, "");
		assert_int_equal(fake_open_files(machine->fake), files);
		fake_fail(machine->fake, FAKE_START, 0, 0, 0);
		fake_fail(machine->fake, FAKE_RUN, 0, 0, 0);
		destroy_vp(make_vp(machine, CPU_A));
	}
}

static void test_test(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(sidecar_vp_test(vp), 0);
	destroy_vp(vp);
}

/* The driver's refusals of a command reach the caller, and the VP goes on. */
static void test_driver_refuses_a_command(void **state)
{
	static const int errors[] = {EBUSY, ENOENT, EIO, ENOMEM};
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	for (unsigned int i = 0; i < COUNT(errors); i++) {
		fake_fail(machine->fake, FAKE_START, errors[i], UINT32_MAX, 0);
		fake_fail(machine->fake, FAKE_RUN, errors[i], UINT32_MAX, 0);
		assert_int_equal(sidecar_vp_test(vp), -errors[i]);
		check_error(sidecar_vp_error(vp), -errors[i], SIDECAR_ERROR_ERRNO);
		fake_fail(machine->fake, FAKE_START, 0, 0, 0);
		fake_fail(machine->fake, FAKE_RUN, 0, 0, 0);
		assert_int_equal(sidecar_vp_test(vp), 0);
	}
	destroy_vp(vp);
}

#define VTL0 ((uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT)

static void test_translate(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_translate_output output;

	assert_int_equal(sidecar_vp_translate(vp, 0x123456, VTL0 | HV_TRANSLATE_VALIDATE_READ,
					      &output), 0);
	assert_int_equal(output.result & HV_TRANSLATE_RESULT_CODE_MASK, HV_TRANSLATE_SUCCESS);
	assert_int_equal(output.gpa_page, 0x123);
	assert_int_equal(sidecar_vp_translate(vp, 0xfffff80000000000, VTL0, &output), 0);
	assert_int_equal(output.result & HV_TRANSLATE_RESULT_CODE_MASK,
			 HV_TRANSLATE_PAGE_NOT_PRESENT);
	destroy_vp(vp);
}

static void test_translate_refused(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_translate_output output;

	assert_int_equal(sidecar_vp_translate(vp, 0, 0, &output), -EINVAL);
	check_error(sidecar_vp_error(vp), -EINVAL, SIDECAR_ERROR_ERRNO);
	assert_int_equal(sidecar_vp_translate(vp, 0, VTL0, NULL), -EINVAL);
	assert_int_equal(sidecar_vp_translate(vp, 0, VTL0 | 1ull << 20, &output), -EREMOTEIO);
	check_error(sidecar_vp_error(vp), -EREMOTEIO, SIDECAR_ERROR_HYPERVISOR);
	assert_int_equal(sidecar_vp_error(vp)->hv_status, HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(sidecar_vp_translate(vp, 0, VTL0, &output), 0);
	destroy_vp(vp);
}

/* The message is a copy: what the page says later does not matter. */
static void test_message_is_private(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);

	set_guest(machine, CPU_A, guest_io);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	memset(&fake_page(machine->fake, CPU_A)->intercept_message, 0xff, 256);
	assert_int_equal(sidecar_vp_message(vp)->header.type, HV_MESSAGE_IO_PORT_INTERCEPT);
	assert_int_equal(sidecar_vp_message(vp)->header.length, sizeof(struct hv_io_message));
	destroy_vp(vp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_create),
		EVERY(test_without_partition),
		EVERY(test_all_cpus),
		EVERY(test_R14_outside_every_node),
		EVERY(test_base_cpu),
		EVERY(test_R7_linux_cpu),
		EVERY(test_taken_by_this_client),
		CASE(test_taken_by_another_client, ours),
		CASE(test_owner_change_resets, ours),
		EVERY(test_create_fails),
		EVERY(test_test),
		EVERY(test_driver_refuses_a_command),
		EVERY(test_translate),
		EVERY(test_translate_refused),
		EVERY(test_message_is_private),
	};

	return cmocka_run_group_tests_name("vp", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* The client: finding nodes, looking CPUs up, what it says when something is wrong. */
#include "machine.h"

static const struct fake_layout one_node[] = {{0, 2}};

static int open_on(struct fake *fake, struct sidecar **client, struct sidecar_error *error)
{
	struct sidecar_options options = {.size = sizeof(options), .error = error};

	memset(error, 0, sizeof(*error));
	return sidecar_open_with(&options, &fake_driver, fake, client);
}

static void test_absent_is_no_failure(void **state)
{
	struct fake *fake = fake_create(NULL, 0, FAKE_OURS);
	struct sidecar *client = (void *)1;
	struct sidecar_error error;

	(void)state;
	assert_int_equal(open_on(fake, &client, &error), SIDECAR_ABSENT);
	assert_null(client);
	assert_int_equal(fake_open_files(fake), 0);
	fake_destroy(fake);
}

static void test_absent_on_the_real_driver(void **state)
{
	struct sidecar_options options = {
		.size = sizeof(options),
		.device_prefix = "/nowhere/sidecar",
	};
	struct sidecar *client = (void *)1;

	(void)state;
	assert_int_equal(sidecar_open(&options, &client), SIDECAR_ABSENT);
	assert_null(client);
}

/* Something that is there and is no sidecar device: an error with its name. */
static void test_not_a_device(void **state)
{
	char path[] = "/tmp/sidecar-test-XXXXXX", device[sizeof(path) + 1];
	struct sidecar_error error = {0};
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar *client = (void *)1;
	int result;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(device, sizeof(device), "%s0", path);
	options.device_prefix = path;
	fclose(fopen(device, "w"));
	result = sidecar_open(&options, &client);
	unlink(device);
	rmdir(path);
	assert_true(result < 0);
	assert_null(client);
	check_error(&error, result, SIDECAR_ERROR_ERRNO);
}

static void test_wrong_options_size(void **state)
{
	struct sidecar_options options = {.size = 3};
	struct sidecar *client = (void *)1;

	(void)state;
	assert_int_equal(sidecar_open(&options, &client), -EINVAL);
	assert_null(client);
}

static void test_no_options(void **state)
{
	struct fake *fake = fake_create(one_node, 1, FAKE_OURS);
	struct sidecar *client;

	(void)state;
	assert_int_equal(sidecar_open_with(NULL, &fake_driver, fake, &client), 0);
	assert_int_equal(sidecar_close(client), 0);
	fake_destroy(fake);
}

/* Every call that open makes, failing: the error arrives, and nothing stays open. */
static void test_open_fails(void **state)
{
	static const struct {
		enum fake_operation operation;
		int error;
	} cases[] = {
		{FAKE_NODE_OPEN, EACCES},
		{FAKE_NODE_OPEN, EMFILE},
		{FAKE_NODE_INFO, EFAULT},
		{FAKE_NODE_CAPS, EFAULT},
	};
	struct fake *fake = fake_create(one_node, 1, FAKE_OURS);
	struct sidecar *client;
	struct sidecar_error error;

	(void)state;
	for (unsigned int i = 0; i < COUNT(cases); i++) {
		fake_fail(fake, cases[i].operation, cases[i].error, 1, 0);
		assert_int_equal(open_on(fake, &client, &error), -cases[i].error);
		assert_null(client);
		check_error(&error, -cases[i].error, SIDECAR_ERROR_ERRNO);
		assert_int_equal(fake_open_files(fake), 0);
	}
	fake_destroy(fake);
}

static void test_shared_memory_too_small(void **state)
{
	static const uint32_t sizes[] = {4096, 8191, 1, 12000};
	struct fake *fake = fake_create(one_node, 1, FAKE_OURS);
	struct sidecar *client;
	struct sidecar_error error;

	(void)state;
	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		fake_lie_about_shmem(fake, sizes[i]);
		assert_int_equal(open_on(fake, &client, &error), -EPROTO);
		check_error(&error, -EPROTO, SIDECAR_ERROR_PROTOCOL);
		check_text(&error, "8192");
	}
	fake_destroy(fake);
}

/* The driver knows no extension: that is the original. */
static void test_capabilities(void **state)
{
	struct machine *machine = *state;
	struct sidecar_node_info info;

	assert_int_equal(sidecar_node_info(machine->client, 0, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.capabilities, machine->capabilities);
	assert_int_equal(info.backend, info.capabilities ? SIDECAR_BACKEND_SVM : 0);
}

static void test_R14_nodes_in_order_of_cpus(void **state)
{
	static const struct sidecar_node_info wanted[] = {
		{.index = 1, .base_cpu = 0, .cpu_count = 4},
		{.index = 0, .base_cpu = 8, .cpu_count = 4},
		{.index = 2, .base_cpu = 40, .cpu_count = 2},
	};
	struct machine *machine = *state;
	struct sidecar_node_info info;

	assert_int_equal(sidecar_node_count(machine->client), COUNT(wanted));
	for (uint32_t i = 0; i < COUNT(wanted); i++) {
		assert_int_equal(sidecar_node_info(machine->client, i, &info), 0);
		assert_int_equal(info.index, wanted[i].index);
		assert_int_equal(info.base_cpu, wanted[i].base_cpu);
		assert_int_equal(info.cpu_count, wanted[i].cpu_count);
	}
	assert_int_equal(sidecar_node_info(machine->client, 3, &info), -ENOENT);
	assert_int_equal(sidecar_node_info(machine->client, UINT32_MAX, &info), -ENOENT);
	check_error(sidecar_error(machine->client), -ENOENT, SIDECAR_ERROR_ERRNO);
}

/* Total: every number has an answer. */
static void test_R14_lookup_is_total(void **state)
{
	static const uint32_t outside[] = {4, 7, 12, 39, 42, 43, 4096, INT32_MAX, 0x80000000,
					   UINT32_MAX - 1, UINT32_MAX};
	struct machine *machine = *state;
	struct sidecar_node_info info;

	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(sidecar_cpu_lookup(machine->client, cpu, &info), 0);
		assert_int_equal(info.base_cpu, 0);
		assert_int_equal(sidecar_cpu_lookup(machine->client, 8 + cpu, &info), 0);
		assert_int_equal(info.base_cpu, 8);
	}
	assert_int_equal(sidecar_cpu_lookup(machine->client, 41, NULL), 0);
	for (unsigned int i = 0; i < COUNT(outside); i++) {
		assert_int_equal(sidecar_cpu_lookup(machine->client, outside[i], &info), -ENOENT);
		check_error(sidecar_error(machine->client), -ENOENT, SIDECAR_ERROR_ERRNO);
	}
}

static void test_cpu_info(void **state)
{
	struct machine *machine = *state;
	struct sidecar_cpu_info info;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_cpu_info(machine->client, CPU_A, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.cpu, CPU_A);
	assert_int_equal(info.state, SIDECAR_CPU_STATE_IDLE);
	assert_int_equal(info.owned, 0);
	vp = make_vp(machine, CPU_A);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_cpu_info(machine->client, CPU_A, &info), 0);
	assert_int_not_equal(info.owned, 0);
	assert_int_equal(info.entries, 1);
	assert_int_equal(info.exits, 1);
	destroy_vp(vp);
	assert_int_equal(sidecar_cpu_info(machine->client, 8, &info), 0);
	assert_int_equal(info.state, SIDECAR_CPU_STATE_REMOVED);
	assert_int_equal(sidecar_cpu_info(machine->client, CPU_IN_GAP, &info), -ENOENT);
}

static void test_cpu_info_unknown_to_the_driver(void **state)
{
	struct machine *machine = *state;
	struct sidecar_cpu_info info;

	assert_int_equal(sidecar_cpu_info(machine->client, CPU_A, &info), -ENOTSUP);
	check_error(sidecar_error(machine->client), -ENOTSUP, SIDECAR_ERROR_ERRNO);
}

static void test_close_while_in_use(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue *queue;
	struct sidecar_vp *vp;

	assert_int_equal(sidecar_close(machine->client), -EBUSY); /* its partition */
	check_error(sidecar_error(machine->client), -EBUSY, SIDECAR_ERROR_ERRNO);
	vp = make_vp(machine, CPU_A);
	assert_int_equal(sidecar_close(machine->client), -EBUSY);
	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	assert_int_equal(sidecar_close(machine->client), -EBUSY);
	assert_int_equal(sidecar_queue_close(queue), 0);
	destroy_vp(vp);
}

static void test_R15_null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(sidecar_close(NULL), 0);
	assert_int_equal(sidecar_partition_close(NULL), 0);
	assert_int_equal(sidecar_vp_destroy(NULL), 0);
	assert_int_equal(sidecar_queue_close(NULL), 0);
}

static void test_R15_names_are_never_null(void **state)
{
	static const char *(*const names[])(uint32_t) = {
		sidecar_error_kind_name, sidecar_event_kind_name, sidecar_operation_name,
		sidecar_cpu_state_name,	 sidecar_cpu_status_name, sidecar_backend_name,
		sidecar_command_name,	 sidecar_hv_status_name,  sidecar_message_name,
		sidecar_register_name,
	};
	static const uint32_t bounds[] = {INT32_MAX, 0x7ffffffe, UINT32_MAX, 0xdeadbeef};

	(void)state;
	for (unsigned int i = 0; i < COUNT(names); i++) {
		for (uint32_t number = 0; number < 70000; number++)
			assert_non_null(names[i](number));
		for (unsigned int b = 0; b < COUNT(bounds); b++)
			assert_string_equal(names[i](bounds[b]), "unknown");
	}
	assert_string_not_equal(sidecar_register_name(HV_REGISTER_RIP), "unknown");
	assert_string_not_equal(sidecar_message_name(HV_MESSAGE_HALT), "unknown");
	assert_string_not_equal(sidecar_hv_status_name(0x87), "unknown");
}

static void test_version(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d.%d.%d", SIDECAR_VERSION_MAJOR, SIDECAR_VERSION_MINOR,
		 SIDECAR_VERSION_PATCH);
	assert_string_equal(sidecar_version_string(), text);
	assert_int_equal(sidecar_version(), SIDECAR_VERSION_NUMBER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent_is_no_failure),
		cmocka_unit_test(test_absent_on_the_real_driver),
		cmocka_unit_test(test_not_a_device),
		cmocka_unit_test(test_wrong_options_size),
		cmocka_unit_test(test_no_options),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_shared_memory_too_small),
		EVERY(test_capabilities),
		EVERY(test_R14_nodes_in_order_of_cpus),
		EVERY(test_R14_lookup_is_total),
		CASE(test_cpu_info, ours),
		CASE(test_cpu_info_unknown_to_the_driver, original),
		EVERY(test_close_while_in_use),
		cmocka_unit_test(test_R15_null_is_allowed),
		cmocka_unit_test(test_R15_names_are_never_null),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}

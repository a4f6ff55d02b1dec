// SPDX-License-Identifier: MIT
/* What can be seen from outside: counters, the log, names. */
#include "machine.h"

static void test_vp_counters(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp_counters counters;
	uint64_t commands, value;

	sidecar_vp_counters(vp, &counters);
	commands = counters.commands;
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	sidecar_vp_cancel(vp);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_test(vp), 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, 0x77, &value), -EREMOTEIO);
	sidecar_vp_counters(vp, &counters);
	assert_int_equal(counters.size, sizeof(counters));
	assert_int_equal(counters.cpu, CPU_A);
	assert_int_equal(counters.runs, 2);
	assert_int_equal(counters.intercepts, 2);
	assert_int_equal(counters.cancelled, 1);
	assert_int_equal(counters.commands - commands, 2);
	assert_int_equal(counters.errors, 1);
	destroy_vp(vp);
}

static void test_queue_counters(void **state)
{
	struct machine *machine = *state;
	struct sidecar_queue_counters counters;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_queue *queue;
	struct sidecar_event event;
	struct hv_register_assoc bad = {.name = 0x77};

	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
		assert_int_equal(sidecar_queue_submit(queue), 1);
		assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(20000)), 1);
	}
	assert_int_equal(sidecar_queue_prepare_get_registers(queue, vp, HV_VTL_0, &bad, 1, 0), 0);
	assert_int_equal(sidecar_queue_submit(queue), 1);
	assert_int_equal(sidecar_queue_wait(queue, &event, 1, 1, in_ms(20000)), 1);
	sidecar_queue_counters(queue, &counters);
	assert_int_equal(counters.size, sizeof(counters));
	assert_int_equal(counters.commands, 6);
	assert_int_equal(counters.events, 6);
	assert_int_equal(counters.intercepts, 5);
	assert_int_equal(counters.errors, 1);
	assert_int_equal(counters.waits, 6);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

struct journal {
	unsigned int lines[4];
	char last_warning[SIDECAR_ERROR_TEXT_SIZE];
};

static void write_journal(void *context, uint32_t level, const char *text)
{
	struct journal *journal = context;

	assert_in_range(level, SIDECAR_LOG_ERROR, SIDECAR_LOG_DEBUG);
	assert_true(*text && !strchr(text, '\n'));
	journal->lines[level]++;
	if (level == SIDECAR_LOG_WARNING)
		snprintf(journal->last_warning, sizeof(journal->last_warning), "%s", text);
}

static void test_log(void **state)
{
	struct machine *machine = *state;
	struct journal journal = {.lines = {0}};
	struct sidecar_options options = {
		.size = sizeof(options),
		.timeout_ns = DEAD_MS * MS,
		.log = write_journal,
		.log_context = &journal,
	};
	struct sidecar *client;
	struct sidecar_vp *vp;
	uint64_t value;

	assert_int_equal(sidecar_open_with(&options, &fake_driver, machine->fake, &client), 0);
	assert_int_equal(journal.lines[SIDECAR_LOG_INFO], 1);
	assert_int_equal(sidecar_vp_create(client, CPU_A, NULL, &vp), 0);
	assert_int_equal(journal.lines[SIDECAR_LOG_DEBUG], 1);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, 0x77, &value), -EREMOTEIO);
	assert_int_equal(journal.lines[SIDECAR_LOG_WARNING], 1);
	assert_non_null(strstr(journal.last_warning, "unknown register name"));
	set_guest(machine, CPU_A, guest_dead);
	assert_int_equal(sidecar_vp_run(vp, in_ms(50), NULL), -ETIMEDOUT);
	assert_int_equal(journal.lines[SIDECAR_LOG_ERROR], 1);
	destroy_vp(vp);
	assert_int_equal(journal.lines[SIDECAR_LOG_DEBUG], 2);
	assert_int_equal(sidecar_vp_create(client, CPU_B, NULL, &vp), 0);
	assert_int_equal(sidecar_vp_convert(vp, SIDECAR_NO_DEADLINE), 0);
	assert_int_equal(journal.lines[SIDECAR_LOG_INFO], 2);
	destroy_vp(vp);
	assert_int_equal(sidecar_close(client), 0);
}

/* A program that was built before the log's fields were there; and one that is not ours. */
static void test_sizes_of_options(void **state)
{
	struct machine *machine = *state;
	struct sidecar_options options = {.log = (void *)(uintptr_t)1};
	struct sidecar *client;

	options.size = offsetof(struct sidecar_options, log);
	assert_int_equal(sidecar_open_with(&options, &fake_driver, machine->fake, &client), 0);
	assert_int_equal(sidecar_close(client), 0);
	options.size = sizeof(options) - 1;
	assert_int_equal(sidecar_open_with(&options, &fake_driver, machine->fake, &client),
			 -EINVAL);
	options.size = sizeof(options) + 8;
	assert_int_equal(sidecar_open_with(&options, &fake_driver, machine->fake, &client),
			 -EINVAL);
}

/* Every number has a name of its own, and what is no number of ours has none. */
static void check_names(const char *(*name_of)(uint32_t), uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i <= last; i++) {
		assert_string_not_equal(name_of(i), "unknown");
		for (uint32_t j = first; j < i; j++)
			assert_string_not_equal(name_of(i), name_of(j));
	}
	assert_string_equal(name_of(last + 1), "unknown");
	assert_string_equal(name_of(UINT32_MAX), "unknown");
}

static void test_names(void **state)
{
	(void)state;
	check_names(sidecar_error_kind_name, SIDECAR_ERROR_NONE, SIDECAR_ERROR_CANCELLED);
	check_names(sidecar_event_kind_name, SIDECAR_EVENT_NONE, SIDECAR_EVENT_TURN);
	check_names(sidecar_operation_name, SIDECAR_OPERATION_NONE, SIDECAR_OPERATION_CONVERT);
	check_names(sidecar_cpu_state_name, SIDECAR_CPU_STATE_REMOVED, SIDECAR_CPU_STATE_FAILED);
	check_names(sidecar_cpu_status_name, SIDECAR_STATUS_REMOVED, SIDECAR_STATUS_REMOVE);
	check_names(sidecar_command_name, SIDECAR_COMMAND_NONE, SIDECAR_COMMAND_TRANSLATE_GVA);
	check_names(sidecar_exit_name, 0, SIDECAR_EXIT_COUNT - 1);
	check_names(sidecar_log_level_name, SIDECAR_LOG_ERROR, SIDECAR_LOG_DEBUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_vp_counters),
		EVERY(test_queue_counters),
		EVERY(test_log),
		CASE(test_sizes_of_options, ours),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* The decoding of commands over a backend that only writes down what it is asked. */
#include "suite.h"

#include "backend.h"
#include "command.h"
#include "console/format.h"

static struct sidecar_command_page page;
static struct sidecar_state_page state_page;
static struct cpu cpu;

static struct {
	unsigned int calls;
	uint8_t vtl;
	unsigned int count;
	struct hv_register_assoc regs[SIDECAR_MAX_REGISTERS];
	struct sidecar_translate_request translate;
} asked;

static struct {
	enum run_outcome outcome;
	uint16_t status;
	unsigned int done;
} answer;

enum run_outcome backend_run_vp(struct cpu *c, struct sidecar_command_error *error)
{
	assert_ptr_equal(c, &cpu);
	asked.calls++;
	if (answer.outcome == RUN_ERROR)
		error_format(error, "no more");
	return answer.outcome;
}

static void note(uint8_t vtl, const struct hv_register_assoc *regs, unsigned int count)
{
	asked.calls++;
	asked.vtl = vtl;
	asked.count = count;
	memcpy(asked.regs, regs, count * sizeof(*regs));
	/* The page is user mode's to rewrite now; the copy that the backend has is not. */
	memset(page.request_data, 0xee, sizeof(page.request_data));
	assert_memory_equal(asked.regs, regs, count * sizeof(*regs));
}

uint16_t backend_get_registers(struct cpu *c, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)c;
	note(vtl, regs, count);
	for (unsigned int i = 0; i < count; i++) /* more than it says: not to be copied */
		regs[i].value.low = 1000 + i;
	*done = answer.done;
	return answer.status;
}

uint16_t backend_set_registers(struct cpu *c, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)c;
	note(vtl, regs, count);
	*done = answer.done;
	return answer.status;
}

uint16_t backend_translate(struct cpu *c, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	(void)c;
	asked.calls++;
	asked.translate = *request;
	assert_int_equal(output->result | output->gpa_page, 0);
	output->gpa_page = 77;
	return answer.status;
}

static struct sidecar_registers_request *request(void)
{
	return (void *)page.request_data;
}

static struct hv_register_assoc *regs(void)
{
	return (void *)(request() + 1);
}

static int start(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	memset(&state_page, 0, sizeof(state_page));
	memset(&asked, 0, sizeof(asked));
	memset(&answer, 0, sizeof(answer));
	cpu = (struct cpu){.command = &page, .state = &state_page};
	page.has_error = 1;
	for (unsigned int i = 0; i < SIDECAR_MAX_REGISTERS; i++)
		regs()[i] = (struct hv_register_assoc){.name = 100 + i, .value = {i, i}};
	return 0;
}

static void execute(uint32_t command)
{
	page.command = command;
	command_execute(&cpu);
	assert_int_equal(page.command, SIDECAR_COMMAND_NONE);
}

static void test_none(void **state)
{
	(void)state;
	execute(SIDECAR_COMMAND_NONE);
	assert_int_equal(page.has_error, 0);
	assert_int_equal(asked.calls, 0);
	assert_int_equal(state_page.commands, 1);
}

static void test_run(void **state)
{
	(void)state;
	answer.outcome = RUN_INTERCEPT;
	execute(SIDECAR_COMMAND_RUN_VP);
	assert_int_equal(*(uint8_t *)page.request_data, SIDECAR_RUN_INTERCEPT);
	answer.outcome = RUN_STOPPED;
	execute(SIDECAR_COMMAND_RUN_VP);
	assert_int_equal(*(uint8_t *)page.request_data, SIDECAR_RUN_STOPPED);
	assert_int_equal(page.has_error, 0);
	assert_int_equal(asked.calls, 2);
}

static void test_run_error(void **state)
{
	(void)state;
	answer.outcome = RUN_ERROR;
	*(uint8_t *)page.request_data = 0x55;
	execute(SIDECAR_COMMAND_RUN_VP);
	assert_int_equal(page.has_error, 1);
	assert_error(page.error, "no more");
	assert_int_equal(*(uint8_t *)page.request_data, 0x55);
}

static void test_get(void **state)
{
	(void)state;
	request()->count = 31;
	request()->target_vtl = HV_VTL_0;
	answer.done = 31;
	execute(SIDECAR_COMMAND_GET_REGISTERS);
	assert_int_equal(asked.count, 31);
	assert_int_equal(asked.vtl, HV_VTL_0);
	assert_int_equal(asked.regs[30].name, 130);
	assert_int_equal(regs()[0].value.low, 1000);
	assert_int_equal(regs()[30].value.low, 1030);
	assert_int_equal(request()->status, HV_STATUS_SUCCESS);
}

/* The first failure ends it; later values stay as they were. */
static void test_get_failure(void **state)
{
	(void)state;
	request()->count = 3;
	answer.done = 1;
	answer.status = HV_STATUS_UNKNOWN_REGISTER_NAME;
	execute(SIDECAR_COMMAND_GET_REGISTERS);
	assert_int_equal(page.has_error, 0);
	assert_int_equal(request()->status, HV_STATUS_UNKNOWN_REGISTER_NAME);
	assert_int_equal(regs()[0].value.low, 1000);
	assert_int_equal(regs()[1].value.low, 0xeeeeeeeeeeeeeeee);
}

static void test_set(void **state)
{
	(void)state;
	request()->count = 2;
	answer.done = 1;
	answer.status = HV_STATUS_INVALID_REGISTER_VALUE;
	execute(SIDECAR_COMMAND_SET_REGISTERS);
	assert_int_equal(asked.count, 2);
	assert_int_equal(asked.regs[1].value.high, 1);
	assert_int_equal(request()->status, HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(page.has_error, 0);
}

static void test_R10_counts(void **state)
{
	const uint32_t commands[] = {SIDECAR_COMMAND_GET_REGISTERS, SIDECAR_COMMAND_SET_REGISTERS};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		memset(request(), 0, sizeof(*request()));
		execute(commands[i]);
		assert_int_equal(page.has_error, 0);
		assert_int_equal(asked.calls, 1);
		assert_int_equal(asked.count, 0);

		request()->count = 32;
		execute(commands[i]);
		assert_int_equal(page.has_error, 1);
		assert_error(page.error, "register count 32, the limit is 31");
		request()->count = 65535;
		execute(commands[i]);
		assert_error(page.error, "register count 65535, the limit is 31");
		assert_int_equal(asked.calls, 1);
		asked.calls = 0;
	}
}

static void test_translate(void **state)
{
	struct sidecar_translate_request *in = (void *)page.request_data;
	struct sidecar_translate_response *out = (void *)page.request_data;

	(void)state;
	in->gva_page = 0x123;
	in->control_flags = 0x10ull << 56 | 3;
	execute(SIDECAR_COMMAND_TRANSLATE_GVA);
	assert_int_equal(asked.translate.gva_page, 0x123);
	assert_int_equal(asked.translate.control_flags, 0x10ull << 56 | 3);
	assert_int_equal(out->status, HV_STATUS_SUCCESS);
	assert_int_equal(out->output.gpa_page, 77);

	answer.status = HV_STATUS_INVALID_PARAMETER;
	execute(SIDECAR_COMMAND_TRANSLATE_GVA);
	assert_int_equal(out->status, HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(out->output.gpa_page, 0);
	assert_int_equal(page.has_error, 0);
}

static void test_unknown(void **state)
{
	(void)state;
	execute(5);
	assert_int_equal(page.has_error, 1);
	assert_error(page.error, "unknown command 5, the last known is 4");
	execute(UINT32_MAX);
	assert_error(page.error, "unknown command 4294967295, the last known is 4");
	execute(SIDECAR_COMMAND_NONE);
	assert_int_equal(page.has_error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_none, start),
		cmocka_unit_test_setup(test_run, start),
		cmocka_unit_test_setup(test_run_error, start),
		cmocka_unit_test_setup(test_get, start),
		cmocka_unit_test_setup(test_get_failure, start),
		cmocka_unit_test_setup(test_set, start),
		cmocka_unit_test_setup(test_R10_counts, start),
		cmocka_unit_test_setup(test_translate, start),
		cmocka_unit_test_setup(test_unknown, start),
	};

	return cmocka_run_group_tests_name("kernel_command", tests, NULL, NULL);
}

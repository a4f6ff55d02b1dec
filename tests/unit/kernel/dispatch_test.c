// SPDX-License-Identifier: MIT
/*
 * The loop, one step at a time: everything it calls is a fake that writes its name into a trace. In
 * place of a sleep the next status of a script arrives; the script ends with a way out of the loop.
 */
#include "suite.h"

#include "arch.h"
#include "backend.h"
#include "dispatch.h"
#include "panic.h"

static struct sidecar_control_page control;
static struct sidecar_command_page page;
static struct sidecar_state_page state_page;
static struct cpu cpu;

static const uint8_t *script;
static jmp_buf out;
static char trace[512];
static char panic_text[128];
static uint32_t ipi_target;
static bool attention_before_ipi;

static void step(const char *name)
{
	strncat(trace, name, sizeof(trace) - strlen(trace) - 1);
	strncat(trace, " ", sizeof(trace) - strlen(trace) - 1);
}

void arch_wait(struct cpu *c)
{
	(void)c;
	step("wait");
	if (!*script)
		longjmp(out, 1);
	control.cpu_status[3] = *script++;
}

void arch_drain(struct cpu *c)
{
	(void)c;
	step("drain");
}

void arch_send_ipi(struct cpu *c, uint32_t apic_id, uint8_t vector)
{
	char text[16];

	(void)c;
	ipi_target = apic_id;
	attention_before_ipi =
		control.needs_attention == 1 && control.cpu_status[3] <= SIDECAR_STATUS_IDLE;
	snprintf(text, sizeof(text), "ipi%02x", vector);
	step(text);
}

void arch_cpu_stop(struct cpu *c)
{
	(void)c;
	assert_int_not_equal(control.cpu_status[3], SIDECAR_STATUS_REMOVED);
	step("arch_stop");
}

void backend_cpu_stop(struct cpu *c)
{
	(void)c;
	step("backend_stop");
}

void backend_park(struct cpu *c)
{
	(void)c;
	step("park");
	longjmp(out, 1);
}

void backend_command_begin(struct cpu *c)
{
	(void)c;
	step("begin");
}

enum run_outcome backend_run_vp(struct cpu *c, struct sidecar_command_error *error)
{
	(void)c;
	(void)error;
	/* Not a word to anybody before the command is done. */
	assert_int_not_equal(control.cpu_status[3], SIDECAR_STATUS_IDLE);
	step("run");
	return RUN_STOPPED;
}

uint16_t backend_get_registers(struct cpu *c, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)c;
	(void)vtl;
	(void)regs;
	*done = count;
	step("get");
	return HV_STATUS_SUCCESS;
}

uint16_t backend_set_registers(struct cpu *c, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)c;
	(void)vtl;
	(void)regs;
	*done = count;
	step("set");
	return HV_STATUS_SUCCESS;
}

uint16_t backend_translate(struct cpu *c, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	(void)c;
	(void)request;
	(void)output;
	return HV_STATUS_SUCCESS;
}

void panic(struct cpu *c, const char *format, ...)
{
	va_list arguments;
	size_t used;

	(void)c;
	va_start(arguments, format);
	used = format_text(panic_text, sizeof(panic_text) - 1, format, arguments);
	va_end(arguments);
	panic_text[used] = 0;
	step("panic");
	longjmp(out, 1);
}

static int start(void **state)
{
	(void)state;
	memset(&control, 0, sizeof(control));
	memset(&page, 0, sizeof(page));
	memset(&state_page, 0, sizeof(state_page));
	cpu = (struct cpu){
		.node_index = 3, .control = &control, .command = &page, .state = &state_page};
	control.cpu_status[3] = SIDECAR_STATUS_IDLE;
	trace[0] = 0;
	return 0;
}

static void follow(const uint8_t *statuses)
{
	script = statuses;
	if (!setjmp(out))
		dispatch(&cpu);
}

static void test_run(void **state)
{
	(void)state;
	page.command = SIDECAR_COMMAND_RUN_VP;
	follow((uint8_t[]){SIDECAR_STATUS_RUN, 0});
	assert_string_equal(trace, "wait drain begin run wait ");
	assert_int_equal(control.cpu_status[3], SIDECAR_STATUS_IDLE);
	assert_int_equal(control.needs_attention, 1);
}

/* A wake-up without a request is nothing. */
static void test_stranger(void **state)
{
	(void)state;
	follow((uint8_t[]){SIDECAR_STATUS_IDLE, SIDECAR_STATUS_IDLE, 0});
	assert_string_equal(trace, "wait wait wait ");
	assert_int_equal(control.needs_attention, 0);
}

/* RUN seen without having slept: its interrupt is still to come, and drained (R11). */
static void test_R11_run_at_once(void **state)
{
	(void)state;
	control.cpu_status[3] = SIDECAR_STATUS_RUN;
	page.command = SIDECAR_COMMAND_SET_REGISTERS;
	follow((uint8_t[]){0});
	assert_string_equal(trace, "drain begin set wait ");
}

static void test_stop_first(void **state)
{
	(void)state;
	page.command = SIDECAR_COMMAND_GET_REGISTERS;
	follow((uint8_t[]){SIDECAR_STATUS_STOP, 0});
	assert_string_equal(trace, "wait drain begin get wait ");
	assert_int_equal(control.cpu_status[3], SIDECAR_STATUS_IDLE);
}

static void test_R2_response(void **state)
{
	(void)state;
	control.response_cpu = 0x12345678;
	control.response_vector = 0xf7;
	follow((uint8_t[]){SIDECAR_STATUS_RUN, 0});
	assert_string_equal(trace, "wait drain begin ipif7 wait ");
	assert_int_equal(ipi_target, 0x12345678);
	assert_true(attention_before_ipi);
}

static void test_remove(void **state)
{
	(void)state;
	control.response_vector = 0x55;
	follow((uint8_t[]){SIDECAR_STATUS_REMOVE, 0});
	assert_string_equal(trace, "wait backend_stop arch_stop ipi55 park ");
	assert_int_equal(control.cpu_status[3], SIDECAR_STATUS_REMOVED);
	assert_int_equal(state_page.cpu_state, SIDECAR_CPU_PARKED);
	assert_int_equal(control.needs_attention, 1);
}

static void test_nonsense(void **state)
{
	(void)state;
	follow((uint8_t[]){5, 0});
	assert_string_equal(trace, "wait panic ");
	assert_string_equal(panic_text, "status byte 5 is none of RUN, STOP and REMOVE");
	assert_int_equal(control.cpu_status[3], 5);
	assert_int_equal(control.needs_attention, 0);
}

static void test_removed_by_itself(void **state)
{
	(void)state;
	control.cpu_status[3] = SIDECAR_STATUS_REMOVED;
	follow((uint8_t[]){0});
	assert_string_equal(trace, "panic ");
	assert_string_equal(panic_text, "status byte 0 is none of RUN, STOP and REMOVE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_run, start),
		cmocka_unit_test_setup(test_stranger, start),
		cmocka_unit_test_setup(test_R11_run_at_once, start),
		cmocka_unit_test_setup(test_stop_first, start),
		cmocka_unit_test_setup(test_R2_response, start),
		cmocka_unit_test_setup(test_remove, start),
		cmocka_unit_test_setup(test_nonsense, start),
		cmocka_unit_test_setup(test_removed_by_itself, start),
	};

	return cmocka_run_group_tests_name("kernel_dispatch", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
/* RUN_VP: what goes over, entry reasons, overlays; and TRANSLATE_GVA. */
#include "fake.h"

static void leave(uint32_t reason)
{
	fake_assist()->vtl_control.entry_reason = reason;
}

static void intercept(struct hyperv_guest *guest, unsigned int n)
{
	struct hv_message *message = &fake_assist()->intercept_message;

	(void)guest;
	(void)n;
	memset(message, 0x3c, sizeof(*message));
	message->header.type = HV_MESSAGE_IO_PORT_INTERCEPT;
	leave(HV_ENTRY_REASON_INTERCEPT);
}

static enum run_outcome run(void)
{
	backend_command_begin(&fake.cpu);
	return backend_run_vp(&fake.cpu, &fake.error);
}

static void stop(void)
{
	fake.control.cpu_status[3] = SIDECAR_STATUS_STOP;
}

/* ---- registers ------------------------------------------------------------------------------- */

static void swaps(struct hyperv_guest *guest, unsigned int n)
{
	struct hv_vtl_control *control = &fake_assist()->vtl_control;

	for (unsigned int i = 0; i < 16; i++)
		if (i != SIDECAR_GP_RAX && i != SIDECAR_GP_RCX && i != SIDECAR_GP_CR2) {
			assert_int_equal(guest->gps[i], 0x100 + i);
			guest->gps[i] += 0x100;
		}
	assert_int_equal(control->rax, 0x100);
	assert_int_equal(control->rcx, 0x101);
	assert_int_equal(fake.cr2, 0x104);
	assert_int_equal(fake.fx.xmm[15][15], 9);
	control->rax = 0x200;
	control->rcx = 0x201;
	fake.cr2 = 0x204;
	fake.fx.xmm[15][15] = 10;
	intercept(guest, n);
}

static void test_registers(void **state)
{
	struct sidecar_cpu_context *context = &fake.command.cpu_context;

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		context->gps[i] = 0x100 + i;
	context->fx_state.xmm[15][15] = 9;
	fake.guest = swaps;
	assert_int_equal(run(), RUN_INTERCEPT);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(context->gps[i], 0x200 + i);
	assert_int_equal(context->fx_state.xmm[15][15], 10);
}

static void test_mxcsr(void **state)
{
	(void)state;
	fake.guest = intercept;
	fake.command.cpu_context.fx_state.mxcsr = 0x11f80;
	assert_int_equal(run(), RUN_ERROR);
	assert_error(fake.error, "MXCSR 0x11f80 has reserved bits, this processor allows 0xffff");
	fake.command.cpu_context.fx_state.mxcsr = 0x1f80;
	fake.refuses_fx = true;
	assert_int_equal(run(), RUN_ERROR);
	assert_int_equal(fake.returns, 0);
}

/* ---- why it comes back ----------------------------------------------------------------------- */

static void test_message(void **state)
{
	(void)state;
	fake.guest = intercept;
	assert_int_equal(run(), RUN_INTERCEPT);
	assert_memory_equal(&fake.command.intercept_message, &fake_assist()->intercept_message,
			    256);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_IO], 1);
	assert_int_equal(fake.state.entries, 1);
	assert_int_equal(fake.drains, 0);
}

static void interrupted(struct hyperv_guest *guest, unsigned int n)
{
	intercept(guest, n); /* the old message stays when the reason is another */
	leave(HV_ENTRY_REASON_INTERRUPT);
	if (n == 2)
		stop();
}

/* R11: each interrupt is taken, a STOP is seen at the next look, an old message is not. */
static void test_interrupts(void **state)
{
	(void)state;
	fake.guest = interrupted;
	assert_int_equal(run(), RUN_STOPPED);
	assert_int_equal(fake.returns, 3);
	assert_int_equal(fake.drains, 3);
	assert_int_equal(fake.command.intercept_message.header.type, 0);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_INTERRUPT], 3);
}

static uint64_t inside;

static void takes_time(struct hyperv_guest *guest, unsigned int n)
{
	uint64_t start = __builtin_ia32_rdtsc();

	while (__builtin_ia32_rdtsc() - start < 100000)
		;
	inside += __builtin_ia32_rdtsc() - start;
	interrupted(guest, n);
}

/* What three returns took is all there, and no more than the whole command took. */
static void test_guest_ticks(void **state)
{
	uint64_t start = __builtin_ia32_rdtsc();

	(void)state;
	inside = 0;
	fake.guest = takes_time;
	assert_int_equal(run(), RUN_STOPPED);
	assert_int_equal(fake.returns, 3);
	assert_in_range(fake.state.guest_ticks, inside, __builtin_ia32_rdtsc() - start);
}

static void test_stopped_before(void **state)
{
	(void)state;
	fake.guest = intercept;
	fake.command.cpu_context.gps[SIDECAR_GP_RAX] = 77;
	fake.command.cpu_context.gps[SIDECAR_GP_RCX] = 78;
	stop();
	assert_int_equal(run(), RUN_STOPPED);
	assert_int_equal(fake.returns, 0);
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RAX], 77);
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RCX], 78);
}

static void calls(struct hyperv_guest *guest, unsigned int n)
{
	intercept(guest, n);
	guest->gps[SIDECAR_GP_RBX] = 99;
	leave(n ? 0 : HV_ENTRY_REASON_VTL_CALL);
}

static void test_other_reasons(void **state)
{
	(void)state;
	fake.guest = calls;
	assert_int_equal(run(), RUN_ERROR);
	assert_error(fake.error, "VTL entry reason 1 is neither 2 nor 3");
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RBX], 99); /* not lost */
	assert_int_equal(run(), RUN_ERROR);
	assert_error(fake.error, "VTL entry reason 0 is neither 2 nor 3");
}

static void some_message(struct hyperv_guest *guest, unsigned int n)
{
	static const uint32_t types[] = {HV_MESSAGE_MSR_INTERCEPT, HV_MESSAGE_UNMAPPED_GPA,
					 HV_MESSAGE_APIC_EOI};

	intercept(guest, n);
	fake_assist()->intercept_message.header.type = types[n];
}

static void test_counters(void **state)
{
	(void)state;
	fake.guest = some_message;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(run(), RUN_INTERCEPT);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_MSR], 1);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_MEMORY], 1);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_INTERNAL], 1);
}

/* ---- overlays -------------------------------------------------------------------------------- */

static void test_overlays(void **state)
{
	(void)state;
	assert_int_equal(fake.msr_count, 0);
	assert_int_equal(fake.set_count, 0);
	fake.guest = intercept;
	run();
	run();
	assert_int_equal(fake.msr_count, 1);
	assert_int_equal(fake.msrs[0].msr, 0x40000073);
	assert_int_equal(fake.msrs[0].value, (uint64_t)&fake.pages | 1);
	assert_int_equal(fake.set_count, 1);
	assert_int_equal(fake.set[0].name, 0x9001c);
	assert_int_equal(fake.set[0].value.low, (uint64_t)&fake.register_page | 1);
	assert_int_equal(fake.calls[0].vtl, HV_VTL_CURRENT);
	backend_cpu_stop(&fake.cpu);
	assert_int_equal(fake.msrs[1].value, 0);
	assert_int_equal(fake.set[1].name, 0x9001c);
	assert_int_equal(fake.set[1].value.low, 0);
}

static void test_no_register_page(void **state)
{
	(void)state;
	fake.refused_name = HV_REGISTER_REGISTER_PAGE;
	fake.refused_status = HV_STATUS_INVALID_PARAMETER;
	fake.guest = intercept;
	assert_int_equal(run(), RUN_INTERCEPT);
	assert_int_equal(run(), RUN_INTERCEPT);
	assert_int_equal(fake.call_count, 1); /* not asked again */
	backend_cpu_stop(&fake.cpu);
	assert_int_equal(fake.call_count, 1);
	assert_int_equal(fake.msr_count, 2);
}

static void test_no_assist_page(void **state)
{
	(void)state;
	fake.refused_msr = 0x40000073;
	fake.guest = intercept;
	assert_int_equal(run(), RUN_ERROR);
	assert_int_equal(fake.returns, 0);
}

/* An idle CPU that never ran anything: the MSR all the same, the register not. */
static void test_remove_unused(void **state)
{
	(void)state;
	backend_cpu_stop(&fake.cpu);
	assert_int_equal(fake.msr_count, 1);
	assert_int_equal(fake.msrs[0].msr, 0x40000073);
	assert_int_equal(fake.msrs[0].value, 0);
	assert_int_equal(fake.call_count, 0);
}

/* ---- TRANSLATE_GVA --------------------------------------------------------------------------- */

static void test_translate(void **state)
{
	const struct sidecar_translate_request request = {.gva_page = 0xfffff80001234,
							  .control_flags = 0x1000000000000007};
	struct hv_translate_output output = {0}, expected;

	(void)state;
	memset(&expected, 0x77, sizeof(expected));
	assert_int_equal(backend_translate(&fake.cpu, &request, &output), 0);
	assert_memory_equal(&output, &expected, sizeof(output));
	assert_int_equal(fake.translate.partition_id, HV_PARTITION_ID_SELF);
	assert_int_equal(fake.translate.vp_index, HV_VP_INDEX_SELF);
	assert_int_equal(fake.translate.reserved, 0);
	assert_int_equal(fake.translate.gva_page, request.gva_page);
	assert_int_equal(fake.translate.control_flags, request.control_flags);
	fake.translate_status = HV_STATUS_INVALID_PARAMETER;
	output.gpa_page = 0;
	assert_int_equal(backend_translate(&fake.cpu, &request, &output), 5);
	assert_int_equal(output.gpa_page, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, fake_setup),
		cmocka_unit_test_setup(test_mxcsr, fake_setup),
		cmocka_unit_test_setup(test_message, fake_setup),
		cmocka_unit_test_setup(test_interrupts, fake_setup),
		cmocka_unit_test_setup(test_guest_ticks, fake_setup),
		cmocka_unit_test_setup(test_stopped_before, fake_setup),
		cmocka_unit_test_setup(test_other_reasons, fake_setup),
		cmocka_unit_test_setup(test_counters, fake_setup),
		cmocka_unit_test_setup(test_overlays, fake_setup),
		cmocka_unit_test_setup(test_no_register_page, fake_setup),
		cmocka_unit_test_setup(test_no_assist_page, fake_setup),
		cmocka_unit_test_setup(test_remove_unused, fake_setup),
		cmocka_unit_test_setup(test_translate, fake_setup),
	};

	return cmocka_run_group_tests_name("hyperv_run", tests, NULL, NULL);
}

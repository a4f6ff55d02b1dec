// SPDX-License-Identifier: MIT
/* A VP as one object: saved, restored on another CPU, refused when it is not one. */
#include "machine.h"

static const struct hv_register_assoc values[] = {
	{.name = HV_REGISTER_RAX, .value.low = 0x1111},
	{.name = HV_REGISTER_XMM0 + 7, .value = {0x2222, 0x3333}},
	{.name = HV_REGISTER_CR2, .value.low = 0x4444},
	{.name = HV_REGISTER_RIP, .value.low = 0x5555},
	{.name = HV_REGISTER_RFLAGS, .value.low = 0x202},
	{.name = HV_REGISTER_CR0, .value.low = 0x80000011},
	{.name = HV_REGISTER_EFER, .value.low = 0x500},
	{.name = HV_REGISTER_GS, .value = {0x6666, 0x7777}},
	{.name = HV_REGISTER_LSTAR, .value.low = 0x8888},
	{.name = HV_REGISTER_DR0 + 3, .value.low = 0x9999},
	{.name = HV_REGISTER_PENDING_EVENT0, .value = {0xe0001, 0xaaaa}},
	{.name = HV_REGISTER_INTERNAL_ACTIVITY_STATE, .value.low = 2},
	{.name = HV_REGISTER_MTRR_DEF_TYPE, .value.low = 0xc06},
	{.name = HV_REGISTER_GDTR, .value = {0xbbbb, 0xcccc}},
};

static void check_values(struct sidecar_vp *vp)
{
	struct hv_u128 value;

	for (unsigned int i = 0; i < COUNT(values); i++) {
		assert_int_equal(sidecar_vp_get_register(vp, HV_VTL_0, values[i].name, &value), 0);
		assert_int_equal(value.low, values[i].value.low);
		assert_int_equal(value.high, values[i].value.high);
	}
}

static void test_save_and_restore(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp *other = make_vp(machine, CPU_FAR);
	struct sidecar_vp_state saved, again;

	assert_int_equal(sidecar_vp_set_registers(vp, HV_VTL_0, values, COUNT(values)), 0);
	assert_int_equal(sidecar_vp_save(vp, &saved), 0);
	check_values(vp);
	assert_int_equal(saved.size, sizeof(saved));
	assert_int_equal(saved.version, SIDECAR_VP_STATE_VERSION);
	assert_in_range(saved.count, 40, SIDECAR_VP_STATE_REGISTERS);
	assert_int_equal(sidecar_vp_restore(other, &saved), 0);
	check_values(other);
	assert_int_equal(sidecar_vp_save(other, &again), 0);
	assert_memory_equal(&again, &saved, sizeof(saved));
	destroy_vp(vp);
	destroy_vp(other);
}

/* What waits in the register page for the next run belongs to the VP. */
static void test_dirty_page_is_saved(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_page *page = sidecar_vp_register_page(vp);
	struct sidecar_vp_state saved;
	uint64_t value;

	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	page->rip = 0x1357;
	page->xmm[3].low = 0x2468;
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP | HV_REGISTER_PAGE_DIRTY_XMM;
	assert_int_equal(sidecar_vp_save(vp, &saved), 0);
	/* The state wins over what is changed afterwards. */
	page->rip = 0xbad;
	page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
	assert_int_equal(sidecar_vp_restore(vp, &saved), 0);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_RIP, &value), 0);
	assert_int_equal(value, 0x1357);
	assert_int_equal(sidecar_vp_get_register64(vp, HV_VTL_0, HV_REGISTER_XMM0 + 3, &value), 0);
	assert_int_equal(value, 0x2468);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(host_register(&fake_host(machine->fake, CPU_A)->cpu,
				       HV_REGISTER_RIP)->low, 0x1357);
	destroy_vp(vp);
}

/* Something in the page that would be refused is replaced all the same. */
static void test_restore_over_a_bad_page(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct hv_register_page *page = sidecar_vp_register_page(vp);
	struct sidecar_vp_state saved;

	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_save(vp, &saved), 0);
	page->rflags = 0;
	page->dirty = HV_REGISTER_PAGE_DIRTY_FLAGS;
	assert_int_equal(sidecar_vp_restore(vp, &saved), 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	assert_int_equal(sidecar_vp_message(vp)->header.type, HV_MESSAGE_IO_PORT_INTERCEPT);
	destroy_vp(vp);
}

static void test_not_a_state(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp_state saved, bad;
	uint32_t last;

	assert_int_equal(sidecar_vp_save(vp, &saved), 0);
	bad = saved;
	bad.size--;
	assert_int_equal(sidecar_vp_restore(vp, &bad), -EINVAL);
	check_error(sidecar_vp_error(vp), -EINVAL, SIDECAR_ERROR_ERRNO);
	bad = saved;
	bad.version++;
	assert_int_equal(sidecar_vp_restore(vp, &bad), -EINVAL);
	bad = saved;
	bad.count = SIDECAR_VP_STATE_REGISTERS + 1;
	assert_int_equal(sidecar_vp_restore(vp, &bad), -EINVAL);
	check_text(sidecar_vp_error(vp), "112");
	bad = saved;
	bad.context.fx_state.mxcsr = 0xffffffff;
	assert_int_equal(sidecar_vp_restore(vp, &bad), -EREMOTEIO);
	assert_int_equal(sidecar_vp_error(vp)->index, SIDECAR_NO_INDEX);
	bad = saved;
	last = bad.count - 1;
	bad.registers[last].name = 0x12345678;
	assert_int_equal(sidecar_vp_restore(vp, &bad), -EREMOTEIO);
	assert_int_equal(sidecar_vp_error(vp)->index, last);
	assert_int_equal(sidecar_vp_restore(vp, &saved), 0);
	assert_int_equal(sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL), 0);
	destroy_vp(vp);
}

static void test_busy_or_failing(void **state)
{
	struct machine *machine = *state;
	struct sidecar_vp *vp = make_vp(machine, CPU_A);
	struct sidecar_vp_state saved, never = {.size = 1};
	struct sidecar_queue *queue;

	assert_int_equal(sidecar_vp_save(vp, &saved), 0);
	fake_fail(machine->fake, FAKE_RUN, EIO, 1, 0);
	fake_fail(machine->fake, FAKE_START, EIO, 1, 0);
	assert_int_equal(sidecar_vp_save(vp, &never), -EIO);
	assert_int_equal(never.size, 0);
	fake_fail(machine->fake, FAKE_RUN, 0, 0, 0);
	fake_fail(machine->fake, FAKE_START, 0, 0, 0);
	assert_int_equal(sidecar_queue_create(machine->client, NULL, &queue), 0);
	assert_int_equal(sidecar_queue_attach(queue, vp), 0);
	assert_int_equal(sidecar_queue_prepare_run(queue, vp, 0), 0);
	assert_int_equal(sidecar_vp_save(vp, &never), -EBUSY);
	assert_int_equal(sidecar_vp_restore(vp, &saved), -EBUSY);
	destroy_vp(vp);
	assert_int_equal(sidecar_queue_close(queue), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(test_save_and_restore),
		EVERY(test_dirty_page_is_saved),
		EVERY(test_restore_over_a_bad_page),
		EVERY(test_not_a_state),
		EVERY(test_busy_or_failing),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}

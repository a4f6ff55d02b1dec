// SPDX-License-Identifier: MIT
/* GET and SET: which register is whose, and the first failure at each place of a batch. */
#include "fake.h"

#define COUNT SIDECAR_MAX_REGISTERS

static struct hv_register_assoc regs[COUNT];

/* count registers of the guest's own, RIP's neighbours: the hypervisor's. */
static void fill(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		regs[i] = (struct hv_register_assoc){.name = HV_REGISTER_TSC + 0x100 + i,
						     .value = {i + 1000, i + 2000}};
}

static uint16_t get(unsigned int count, unsigned int *done)
{
	return backend_get_registers(&fake.cpu, HV_VTL_0, regs, count, done);
}

static uint16_t set(unsigned int count, unsigned int *done)
{
	return backend_set_registers(&fake.cpu, HV_VTL_0, regs, count, done);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void check_got(unsigned int done, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct hv_u128 expected = fake_value(regs[i].name);

		if (i >= done)
			expected = (struct hv_u128){i + 1000, i + 2000};
		assert_int_equal(regs[i].value.low, expected.low);
		assert_int_equal(regs[i].value.high, expected.high);
	}
}

static void test_one_call(void **state)
{
	unsigned int done;

	(void)state;
	fill(COUNT);
	assert_int_equal(get(COUNT, &done), 0);
	assert_int_equal(done, COUNT);
	check_got(COUNT, COUNT);
	assert_int_equal(set(COUNT, &done), 0);
	assert_int_equal(done, COUNT);
	assert_memory_equal(fake.set, regs, sizeof(regs));
	assert_int_equal(fake.call_count, 2);
	assert_int_equal(fake.calls[0].count, COUNT);
	assert_int_equal(fake.calls[0].vtl, HV_VTL_0);
	assert_int_equal(get(0, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(fake.call_count, 2);
}

/* The same as with one call each, wherever the failure is. */
static void test_first_failure(void **state)
{
	unsigned int done;

	fake.refused_status = HV_STATUS_INVALID_REGISTER_VALUE;
	for (unsigned int bad = 0; bad < COUNT; bad++) {
		fake_setup(state);
		fill(COUNT);
		fake.refused_name = regs[bad].name;
		fake.refused_status = HV_STATUS_UNKNOWN_REGISTER_NAME;
		assert_int_equal(get(COUNT, &done), HV_STATUS_UNKNOWN_REGISTER_NAME);
		assert_int_equal(done, bad);
		check_got(bad, COUNT);
		assert_int_equal(set(COUNT, &done), HV_STATUS_UNKNOWN_REGISTER_NAME);
		assert_int_equal(done, bad);
		assert_int_equal(fake.set_count, bad);
		assert_int_equal(fake.call_count, 2);
	}
}

static void test_divided(void **state)
{
	unsigned int done;

	(void)state;
	fill(COUNT);
	fake.max_reps = 10;
	assert_int_equal(get(COUNT, &done), 0);
	check_got(COUNT, COUNT);
	assert_int_equal(set(COUNT, &done), 0);
	assert_memory_equal(fake.set, regs, sizeof(regs));
	assert_int_equal(fake.call_count, 8);
	fake.max_reps = 0; /* it would never end */
	assert_int_equal(get(COUNT, &done), HV_STATUS_OPERATION_FAILED);
	assert_int_equal(done, 0);
}

/* Local ones in between divide the batch, and all happens in order. */
static void test_mixed(void **state)
{
	unsigned int done;

	(void)state;
	fill(9);
	regs[3].name = HV_REGISTER_DR1;
	regs[4].name = HV_REGISTER_MTRR_DEF_TYPE;
	regs[8].name = HV_REGISTER_R15;
	assert_int_equal(set(9, &done), 0);
	assert_int_equal(fake.call_count, 2);
	assert_int_equal(fake.calls[0].count, 3);
	assert_int_equal(fake.calls[1].count, 3);
	assert_int_equal(fake.dr[1], 1003);
	assert_int_equal(fake.msrs[0].msr, 0x2ff);
	assert_int_equal(fake.command.cpu_context.gps[15], 1008);
	fake.refused_name = regs[6].name;
	fake.refused_status = HV_STATUS_INVALID_REGISTER_VALUE;
	regs[8].value.low = 1;
	assert_int_equal(set(9, &done), HV_STATUS_INVALID_REGISTER_VALUE);
	assert_int_equal(done, 6);
	assert_int_equal(fake.command.cpu_context.gps[15], 1008);
}

/* ---- what the VTLs share --------------------------------------------------------------------- */

static uint16_t set_one(uint8_t vtl, uint32_t name, uint64_t low, uint64_t high)
{
	const struct hv_register_assoc reg = {.name = name, .value = {low, high}};
	unsigned int done;
	uint16_t status = backend_set_registers(&fake.cpu, vtl, &reg, 1, &done);

	assert_int_equal(done, status == 0);
	return status;
}

static struct hv_u128 get_one(uint32_t name)
{
	struct hv_register_assoc reg = {.name = name};
	unsigned int done;

	assert_int_equal(backend_get_registers(&fake.cpu, HV_VTL_0, &reg, 1, &done), 0);
	return reg.value;
}

static const struct {
	uint32_t name, msr;
} mtrrs[] = {
	{0x8000e, 0x2ff}, {0x80010, 0x200}, {0x80017, 0x20e}, {0x80040, 0x201},
	{0x80047, 0x20f}, {0x80070, 0x250}, {0x80071, 0x258}, {0x80072, 0x259},
	{0x80073, 0x268}, {0x80074, 0x269}, {0x80079, 0x26e}, {0x8007a, 0x26f},
};

static void test_mtrrs(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(mtrrs) / sizeof(mtrrs[0]); i++) {
		fake.msr_count = 0;
		assert_int_equal(get_one(mtrrs[i].name).low, mtrrs[i].msr * 0x10001ull);
		assert_int_equal(set_one(HV_VTL_0, mtrrs[i].name, 6, 0), 0);
		assert_int_equal(fake.msr_count, 1);
		assert_int_equal(fake.msrs[0].msr, mtrrs[i].msr);
		assert_int_equal(fake.msrs[0].value, 6);
		fake.refused_msr = mtrrs[i].msr;
		assert_int_equal(set_one(HV_VTL_0, mtrrs[i].name, 7, 0), 0x50);
		fake.refused_msr = NO_NAME;
	}
	assert_int_equal(fake.call_count, 0);
}

static void test_not_local(void **state)
{
	const uint32_t names[] = {0x8000d, 0x8000f, 0x80018, 0x8001f, 0x80048, 0x8007b,
				  0x50004, 0x50005, 0x20004, 0x20010, 0x40000, 0x40005};

	(void)state;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(get_one(names[i]).low, names[i] + 1);
		assert_int_equal(fake.call_count, i + 1);
	}
}

static void test_debug_registers(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_DR0 + i, ~(uint64_t)i, 0), 0);
		assert_int_equal(fake.dr[i], ~(uint64_t)i);
		assert_int_equal(get_one(HV_REGISTER_DR0 + i).low, ~(uint64_t)i);
	}
	hyperv_host.dr6_shared = true;
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_DR6, 0xffff0ff1, 0), 0);
	assert_int_equal(get_one(HV_REGISTER_DR6).low, 0xffff0ff1);
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_DR6, 0x100000000, 0), 0x50);
	assert_int_equal(fake.dr[6], 0xffff0ff1);
	assert_int_equal(fake.call_count, 0);
}

/* In VTL2 these are the kernel's own: they must never become a hypercall. */
static void test_context(void **state)
{
	struct sidecar_cpu_context *context = &fake.command.cpu_context;

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		if (i == 4)
			continue;
		assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_RAX + i, 50 + i, 0), 0);
		assert_int_equal(context->gps[i], 50 + i);
		assert_int_equal(get_one(HV_REGISTER_RAX + i).low, 50 + i);
	}
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_CR2, 0xc2, 0), 0);
	assert_int_equal(context->gps[SIDECAR_GP_CR2], 0xc2);
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_XMM15, 1, 2), 0);
	assert_int_equal(get_one(HV_REGISTER_XMM15).high, 2);
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_FPMMX7, 1, ~0ull), 0);
	assert_int_equal(get_one(HV_REGISTER_FPMMX7).high, 0xffff);
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_XMM_CONTROL_STATUS, 0, 0x1f80), 0);
	assert_int_equal(context->fx_state.mxcsr, 0x1f80);
	assert_int_equal(set_one(HV_VTL_0, HV_REGISTER_XMM_CONTROL_STATUS, 0, 0x10000), 0x50);
	assert_int_equal(fake.call_count, 0);
}

/* R10: RIP, CR3, the hypercall page, an overlay or a SINT of the kernel's own VTL. */
static void test_own_vtl(void **state)
{
	const uint32_t names[] = {HV_REGISTER_RIP,
				  HV_REGISTER_RSP,
				  HV_REGISTER_CR3,
				  HV_REGISTER_EFER,
				  HV_REGISTER_HYPERCALL,
				  HV_REGISTER_VP_ASSIST_PAGE,
				  HV_REGISTER_SIMP,
				  HV_REGISTER_REGISTER_PAGE,
				  HV_REGISTER_PENDING_EVENT0,
				  HV_REGISTER_INTERNAL_ACTIVITY_STATE};

	(void)state;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(set_one(HV_VTL_2, names[i], 0, 0), HV_STATUS_ACCESS_DENIED);
		assert_int_equal(set_one(HV_VTL_CURRENT, names[i], 0, 0), HV_STATUS_ACCESS_DENIED);
		assert_int_equal(set_one(0x02, names[i], 0, 0), HV_STATUS_ACCESS_DENIED);
		assert_int_equal(fake.set_count, i);
		assert_int_equal(set_one(HV_VTL_1, names[i], 0, 0), 0);
	}
	fake.set_count = 0;
	assert_int_equal(set_one(HV_VTL_2, HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0, 1, 0), 0);
	assert_int_equal(fake.set_count, 1);
}

static void test_own_vtl_in_a_batch(void **state)
{
	unsigned int done;

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		regs[i] = (struct hv_register_assoc){.name = HV_REGISTER_VSM_VINA};
	regs[2].name = HV_REGISTER_CR3;
	assert_int_equal(backend_set_registers(&fake.cpu, HV_VTL_2, regs, 3, &done),
			 HV_STATUS_ACCESS_DENIED);
	assert_int_equal(done, 2);
	assert_int_equal(fake.set_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_call, fake_setup),
		cmocka_unit_test_setup(test_first_failure, fake_setup),
		cmocka_unit_test_setup(test_divided, fake_setup),
		cmocka_unit_test_setup(test_mixed, fake_setup),
		cmocka_unit_test_setup(test_mtrrs, fake_setup),
		cmocka_unit_test_setup(test_not_local, fake_setup),
		cmocka_unit_test_setup(test_debug_registers, fake_setup),
		cmocka_unit_test_setup(test_context, fake_setup),
		cmocka_unit_test_setup(test_own_vtl, fake_setup),
		cmocka_unit_test_setup(test_own_vtl_in_a_batch, fake_setup),
	};

	return cmocka_run_group_tests_name("hyperv_registers", tests, NULL, NULL);
}

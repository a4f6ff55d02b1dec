// SPDX-License-Identifier: MIT
/* backend_boot, REMOVE, and the report of a crash. */
#include "fake.h"

#include "arch/x86/arch_cpu.h"
#include "mm/layout.h"

static void refused(const char *text)
{
	assert_false(backend_boot(&fake.boot, &fake.error));
	assert_error(fake.error, text);
}

static void test_copy(void **state)
{
	(void)state;
	memset(fake.shim_page, 0xa5, sizeof(fake.shim_page));
	assert_true(backend_boot(&fake.boot, &fake.error));
	memset(fake.shim_page, 0, sizeof(fake.shim_page)); /* the shim takes its page away */
	for (unsigned int i = 0; i < SIDECAR_PAGE_SIZE; i++)
		assert_int_equal(hyperv_hypercall_page[i], 0xa5);
	assert_int_equal(hyperv_host.return_code, (uint64_t)hyperv_hypercall_page + 0x40);
}

static void test_no_page(void **state)
{
	(void)state;
	fake.boot.params.hypercall_page = 0;
	refused("hypercall page at 0x0 is not a page");
	fake.boot.params.hypercall_page = 0x1008;
	refused("hypercall page at 0x1008 is not a page");
}

static void test_no_vsm(void **state)
{
	(void)state;
	fake.refused_status = HV_STATUS_ACCESS_DENIED;
	fake.refused_name = HV_REGISTER_VSM_CODE_PAGE_OFFSETS;
	refused("VsmCodePageOffsets (0xd0002) cannot be read: hypervisor status 0x6");
	fake.refused_name = HV_REGISTER_VSM_CAPABILITIES;
	refused("VsmCapabilities (0xd0006) cannot be read: hypervisor status 0x6");
}

static void test_dr6(void **state)
{
	(void)state;
	assert_false(hyperv_host.dr6_shared);
	fake.capabilities = HV_VSM_CAPABILITY_DR6_SHARED;
	assert_true(backend_boot(&fake.boot, &fake.error));
	assert_true(hyperv_host.dr6_shared);
}

/* ---- starting a VP --------------------------------------------------------------------------- */

static uint16_t enable_status, start_status;
static struct hv_start_vp_input started[2];

static uint16_t start_vp(uint16_t code, const struct hv_start_vp_input *input)
{
	bool start = code == HV_CALL_START_VIRTUAL_PROCESSOR;

	started[start] = *input;
	return start ? start_status : enable_status;
}

static bool start_seven(void)
{
	memset(started, 0, sizeof(started));
	fake.start_vp = start_vp;
	return backend_start_cpu(&fake.cpu, 7, phys(0x123000), &fake.error);
}

static void test_context(void **state)
{
	const struct hv_initial_vp_context *context = &started[1].context;

	(void)state;
	enable_status = start_status = HV_STATUS_SUCCESS;
	assert_true(start_seven());
	assert_memory_equal(&started[0], &started[1], sizeof(started[0]));
	assert_int_equal(started[1].partition_id, HV_PARTITION_ID_SELF);
	assert_int_equal(started[1].vp_index, 7);
	assert_int_equal(started[1].target_vtl, 2); /* a plain number here */
	assert_int_equal(context->rip, (uint64_t)hyperv_vp_start);
	assert_int_equal(context->rsp, STACK_END_VA);
	assert_int_equal(context->rflags, 2);
	assert_int_equal(context->cs.selector, SELECTOR_CODE);
	assert_int_equal(context->cs.attributes, 0xa09b);
	assert_int_equal(context->ss.selector, SELECTOR_DATA);
	assert_int_equal(context->ss.attributes, 0xc093);
	assert_int_equal(context->ss.limit, 0xffffffff);
	assert_int_equal(context->tr.attributes, 0x8b);
	assert_int_equal(context->ldtr.attributes, 0);
	assert_int_equal(context->gdtr.base, 0x1000);
	assert_int_equal(context->idtr.limit, 4095);
	assert_int_equal(context->efer, 0xd00);
	assert_int_equal(context->cr0 & 0x80000021, 0x80000021);
	assert_int_equal(context->cr3, 0x123000);
	assert_int_equal(context->cr4, 0x260);
	assert_int_equal(context->pat, 0x0007040600070406);
}

static void test_statuses(void **state)
{
	(void)state;
	enable_status = HV_STATUS_VTL_ALREADY_ENABLED;
	start_status = HV_STATUS_SUCCESS;
	assert_true(start_seven());
	start_status = HV_STATUS_VTL_ALREADY_ENABLED; /* that is no success here */
	assert_false(start_seven());
	assert_error(fake.error, "VP 7: StartVirtualProcessor has hypervisor status 0x86");
	enable_status = HV_STATUS_INVALID_VP_INDEX;
	assert_false(start_seven());
	assert_error(fake.error, "VP 7: EnableVpVtl has hypervisor status 0xe");
	assert_int_equal(started[1].partition_id, 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void crash(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	backend_crash(&fake.cpu, format, arguments);
	va_end(arguments);
}

static void test_crash(void **state)
{
	uint64_t text = (uint64_t)fake.pages.buffers.output;
	const struct msr_write expected[] = {
		{0x40000100, 0x4d494853544f4f42},
		{0x40000101, 0x534944454341524b},
		{0x40000102, ~0ull},
		{0x40000103, text},
		{0x40000104, 19},
		{0x40000105, 0xf400000000000000},
	};

	(void)state;
	crash("exception %u at %x", 13u, 0xabcu);
	assert_int_equal(fake.msr_count, 6);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(fake.msrs[i].msr, expected[i].msr);
		assert_int_equal(fake.msrs[i].value, expected[i].value);
	}
	assert_memory_equal(fake.pages.buffers.output, "exception 13 at abc", 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_copy, fake_setup),
		cmocka_unit_test_setup(test_no_page, fake_setup),
		cmocka_unit_test_setup(test_no_vsm, fake_setup),
		cmocka_unit_test_setup(test_dr6, fake_setup),
		cmocka_unit_test_setup(test_context, fake_setup),
		cmocka_unit_test_setup(test_statuses, fake_setup),
		cmocka_unit_test_setup(test_crash, fake_setup),
	};

	return cmocka_run_group_tests_name("hyperv_boot", tests, NULL, NULL);
}

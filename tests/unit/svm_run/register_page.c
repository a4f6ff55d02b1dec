// SPDX-License-Identifier: MIT
#include "fake.h"

#include "register_page.h"

static struct svm_vp *vp;
static struct hv_register_page *page;
static struct hv_fx_state fx;

static int setup(void **state)
{
	fake_setup(state);
	vp = &fake.cpu.backend.vp;
	page = &fake.register_page;
	page->is_valid = 1;
	memset(&fx, 0, sizeof(fx));
	return 0;
}

static bool take(void)
{
	return svm_register_page_take(page, vp, &fake.command.cpu_context, &fx);
}

static void fill_request(void)
{
	page->gp_registers[HV_GP_RSP] = 0x7000;
	page->gp_registers[HV_GP_RBX] = 0x666;
	page->rip = 0x1000;
	page->rflags = 0x46;
	page->xmm[5].low = 0x55;
	page->cr0 = 0x11;
	for (unsigned int i = 0; i < 6; i++)
		page->segment[i] = (struct hv_segment){0x10u * i, 0xffff, (uint16_t)i, 0x93};
}

static void test_clean(void **state)
{
	(void)state;
	fill_request();
	assert_true(take());
	assert_int_equal(vp->vmcb->save.rip, 0xfff0);
}

static void test_not_valid(void **state)
{
	(void)state;
	fill_request();
	page->is_valid = 0;
	page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	assert_true(take());
	assert_int_equal(vp->vmcb->save.rip, 0xfff0);
}

static void test_all(void **state)
{
	(void)state;
	fill_request();
	page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	vp->unchecked = false;
	assert_true(take());
	assert_int_equal(vp->vmcb->save.rsp, 0x7000);
	assert_int_equal(vp->vmcb->save.rip, 0x1000);
	assert_int_equal(vp->vmcb->save.rflags, 0x46);
	assert_int_equal(vp->vmcb->save.es.base, 0x00);
	assert_int_equal(vp->vmcb->save.cs.base, 0x10);
	assert_int_equal(vp->vmcb->save.gs.base, 0x50);
	assert_int_equal(vp->vmcb->save.gs.selector, 5);
	assert_int_equal(fx.xmm[5][0], 0x55);
	assert_int_equal(vp->vmcb->save.cr0, CR0_CD | CR0_NW | CR0_ET); /* read only here */
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RBX], 0);
	assert_true(vp->unchecked);
}

static void test_one(void **state)
{
	(void)state;
	fill_request();
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	assert_true(take());
	assert_int_equal(vp->vmcb->save.rip, 0x1000);
	assert_int_equal(vp->vmcb->save.rsp, 0);
	assert_int_equal(vp->vmcb->save.rflags, 2);
	assert_int_equal(vp->vmcb->save.cs.base, 0xffff0000);
}

/* All or nothing. */
static void test_refused(void **state)
{
	(void)state;
	fill_request();
	page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	page->rflags = 0x8002;
	assert_false(take());
	assert_int_equal(vp->vmcb->save.rsp, 0);
	assert_int_equal(vp->vmcb->save.rip, 0xfff0);
	assert_int_equal(vp->vmcb->save.cs.base, 0xffff0000);
	assert_int_equal(fx.xmm[5][0], 0);
}

static void test_refused_segment(void **state)
{
	(void)state;
	fill_request();
	page->dirty = HV_REGISTER_PAGE_DIRTY_SEGMENTS;
	page->segment[3].attributes = 0x0f93;
	assert_false(take());
	assert_int_equal(vp->vmcb->save.cs.base, 0xffff0000);
}

static void test_unknown_dirty_bit(void **state)
{
	(void)state;
	page->dirty = 0x20;
	assert_false(take());
}

static void test_fill(void **state)
{
	struct hv_register_page wanted;
	uint64_t gps[16];

	(void)state;
	memset(&wanted, 0, sizeof(wanted));
	memset(page, 0, sizeof(*page));
	page->dirty = 3;
	for (unsigned int i = 0; i < 16; i++)
		wanted.gp_registers[i] = gps[i] = 0x100 + i;
	memset(fx.xmm, 0x77, sizeof(fx.xmm));
	vp->vmcb->save.rsp = 0x7000;
	vp->vmcb->save.efer |= EFER_LME;
	vp->vmcb->control.int_ctl |= 7;
	vp->vmcb->control.int_state = SVM_INT_STATE_SHADOW;
	vp->nmi_masked = true;
	vp->pending_interruption = 0x00300001;
	svm_register_page_fill(page, vp, gps, &fx);

	wanted.version = 1;
	wanted.is_valid = 1;
	wanted.gp_registers[4] = 0x7000;
	wanted.rip = 0xfff0;
	wanted.rflags = 2;
	memset(wanted.xmm, 0x77, sizeof(wanted.xmm));
	for (unsigned int i = 0; i < 6; i++)
		wanted.segment[i] = (struct hv_segment){0, 0xffff, 0, 0x93};
	wanted.segment[1] = (struct hv_segment){0xffff0000, 0xffff, 0xf000, 0x9b};
	wanted.cr0 = CR0_CD | CR0_NW | CR0_ET;
	wanted.cr8 = 7;
	wanted.efer = EFER_LME;
	wanted.dr7 = 0x400;
	wanted.pending_interruption = 0x00300001;
	wanted.interrupt_state = 3;
	assert_memory_equal(page, &wanted, sizeof(wanted));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clean),
		TEST(test_not_valid),
		TEST(test_all),
		TEST(test_one),
		TEST(test_refused),
		TEST(test_refused_segment),
		TEST(test_unknown_dirty_bit),
		TEST(test_fill),
	};

	return cmocka_run_group_tests_name("svm_register_page", tests, NULL, NULL);
}

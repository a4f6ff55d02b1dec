// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include "check.h"

static void reset_is_architectural(void **state)
{
	struct fixture f;
	struct svm_save_area *save = &f.vmcb.save;

	(void)state;
	fixture_init(&f);
	assert_int_equal(save->cs.selector, 0xf000);
	assert_int_equal(save->cs.base, 0xffff0000);
	assert_int_equal(save->cs.limit, 0xffff);
	assert_int_equal(save->rip, 0xfff0);
	assert_int_equal(save->rflags, 2);
	assert_int_equal(save->cr0, 0x60000010);
	assert_int_equal(save->cr3, 0);
	assert_int_equal(save->cr4, 0);
	assert_int_equal(save->efer, EFER_SVME);
	assert_int_equal(save->dr6, 0xffff0ff0);
	assert_int_equal(save->dr7, 0x400);
	assert_int_equal(save->g_pat, 0x0007040600070406);
	assert_int_equal(save->gdtr.limit, 0xffff);
	assert_int_equal(save->idtr.limit, 0xffff);
	assert_int_equal(save->cpl, 0);
	assert_int_equal(f.vp.xfem, 1);
	assert_int_equal(f.vp.apic_base, 0xfee00800);
	assert_int_equal(f.context.fx_state.fcw, 0x37f);
	assert_int_equal(f.context.fx_state.mxcsr, 0x1f80);
	assert_int_equal(f.context.gps[SIDECAR_GP_RAX], 0);
}

/* Whatever owner A left, owner B reads what it would after power-up: nothing of the 0xa5 stays. */
static void reset_forgets_everything(void **state)
{
	struct fixture f, clean;
	struct svm_vp *vp = &f.vp;

	(void)state;
	fixture_init(&f);
	memset(&f.vmcb.save, 0x5a, sizeof(f.vmcb.save));
	memset(&f.context, 0x5a, sizeof(f.context));
	memset(vp->dr, 0x5a, sizeof(vp->dr));
	memset(&vp->mtrrs, 0x5a, sizeof(vp->mtrrs));
	vp->xfem = 3;
	vp->tsc_aux = 1;
	vp->apic_base = 1;
	vp->activity = 1;
	vp->pending_interruption = 1;
	vp->pending_event.low = 1;
	vp->pending_event.high = 1;
	vp->deliverability = 1;
	vp->nmi_masked = true;
	f.vmcb.control.event_inj = SVM_EVENT_VALID;
	f.vmcb.control.int_state = 3;
	f.vmcb.control.tsc_offset = 1;
	f.vmcb.control.int_ctl |= SVM_INT_CTL_V_IRQ | 0xf;
	f.vmcb.control.clean = 0xfff;
	svm_vp_reset(vp, &f.context);
	fixture_init(&clean);
	assert_memory_equal(&f.vmcb.save, &clean.vmcb.save, sizeof(f.vmcb.save));
	assert_memory_equal(&f.vmcb.control, &clean.vmcb.control, sizeof(f.vmcb.control));
	assert_memory_equal(&f.context, &clean.context, sizeof(f.context));
	assert_memory_equal(&vp->mtrrs, &clean.vp.mtrrs, sizeof(vp->mtrrs));
	assert_memory_equal(vp->dr, clean.vp.dr, sizeof(vp->dr));
	assert_int_equal(vp->xfem, 1);
	assert_int_equal(vp->tsc_aux, 0);
	assert_int_equal(vp->activity, 0);
	assert_int_equal(vp->pending_interruption, 0);
	assert_int_equal(vp->pending_event.low, 0);
	assert_int_equal(vp->pending_event.high, 0);
	assert_int_equal(vp->deliverability, 0);
	assert_false(vp->nmi_masked);
	assert_int_equal(vp->apic_base, 0xfee00800);
}

static void reset_keeps_the_control_area(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.vmcb.control.intercept_misc1 = 0x12345678;
	f.vmcb.control.iopm_base_pa = 0x1000;
	f.vmcb.control.nested_cr3 = 0x2000;
	f.vmcb.control.guest_asid = 1;
	f.vmcb.control.int_ctl = SVM_INT_CTL_V_INTR_MASKING | SVM_INT_CTL_V_IRQ | 0xf;
	svm_vp_reset(&f.vp, &f.context);
	assert_int_equal(f.vmcb.control.intercept_misc1, 0x12345678);
	assert_int_equal(f.vmcb.control.iopm_base_pa, 0x1000);
	assert_int_equal(f.vmcb.control.nested_cr3, 0x2000);
	assert_int_equal(f.vmcb.control.guest_asid, 1);
	assert_int_equal(f.vmcb.control.int_ctl, SVM_INT_CTL_V_INTR_MASKING);
	assert_int_equal(f.vp.vp_index, 5);
	assert_int_equal(f.vp.apic_id, 12);
}

static void reset_state_is_consistent(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	svm_vp_settle(&f.vp);
	assert_int_equal(svm_check_state(&f.vp), SVM_STATE_CONSISTENT);
}

static void settle_derives(void **state)
{
	struct fixture f;
	struct svm_save_area *save = &f.vmcb.save;

	(void)state;
	fixture_init(&f);
	assert_int_equal(set(&f, HV_REGISTER_SS, 0, 0x00f3ULL << 48), HV_STATUS_SUCCESS);
	save->cr0 = CR0_ET | CR0_PE; /* in whatever order the VMM sets them */
	svm_vp_settle(&f.vp);
	assert_int_equal(save->cpl, 3);
	assert_int_equal(set(&f, HV_REGISTER_SS, 0, 0x0093ULL << 48), HV_STATUS_SUCCESS);
	svm_vp_settle(&f.vp);
	assert_int_equal(save->cpl, 0);
	save->rflags |= RFLAGS_VM;
	svm_vp_settle(&f.vp);
	assert_int_equal(save->cpl, 3);
	save->cr0 = CR0_ET;
	svm_vp_settle(&f.vp);
	assert_int_equal(save->cpl, 0);
	save->rflags = 2;
	save->cr0 = CR0_ET | CR0_PE;

	save->efer = EFER_LME;
	svm_vp_settle(&f.vp);
	assert_int_equal(save->efer, EFER_LME | EFER_SVME);
	save->cr0 |= CR0_PG;
	svm_vp_settle(&f.vp);
	assert_int_equal(save->efer, EFER_LME | EFER_LMA | EFER_SVME);
	save->cr0 &= ~CR0_PG; /* the VMM turns paging off and says nothing about EFER */
	svm_vp_settle(&f.vp);
	assert_int_equal(save->efer, EFER_LME | EFER_SVME);
}

/* SYSRET on AMD leaves SS.DPL alone: another register is set, and the guest is still at CPL 3. */
static void cpl_outlives_a_stale_ss(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.vmcb.save.cr0 = CR0_PE | CR0_ET;
	f.vmcb.save.ss.attributes = 0xc93;
	f.vmcb.save.cpl = 3;
	assert_int_equal(set(&f, HV_REGISTER_RIP, 0x1000, 0), HV_STATUS_SUCCESS);
	svm_vp_settle(&f.vp);
	assert_int_equal(f.vmcb.save.cpl, 3);
	assert_int_equal(get128(&f, HV_REGISTER_SS).high >> 48, 0xc0f3);
}

static void features_follow_cpuid(void **state)
{
	struct svm_cpuid cpuid = {0};
	struct svm_features features;

	(void)state;
	svm_features_init(&features, &cpuid, 0);
	assert_int_equal(features.cr4_allowed, CR4_PCE);
	assert_int_equal(features.efer_allowed, 0);
	assert_int_equal(features.mxcsr_mask, 0xffbf);
	assert_int_equal(features.physical_bits, 36);
	cpuid.leaf7_ebx = 1u << 20;
	cpuid.ext1_edx = 1u << 29 | 1u << 26;
	cpuid.ext8_eax = 0x3040; /* 64 physical bits is more than an entry has */
	svm_features_init(&features, &cpuid, 0x2ffff);
	assert_int_equal(features.cr4_allowed, CR4_PCE | CR4_SMAP);
	assert_int_equal(features.efer_allowed, EFER_LME | EFER_LMA);
	assert_int_equal(features.mxcsr_mask, 0x2ffff);
	assert_int_equal(features.physical_bits, 52);
	assert_true(features.page_1g);
	assert_false(features.x2apic);
	assert_false(full_features().efer_allowed & EFER_SVME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_is_architectural),
		cmocka_unit_test(reset_forgets_everything),
		cmocka_unit_test(reset_keeps_the_control_area),
		cmocka_unit_test(reset_state_is_consistent),
		cmocka_unit_test(settle_derives),
		cmocka_unit_test(cpl_outlives_a_stale_ss),
		cmocka_unit_test(features_follow_cpuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

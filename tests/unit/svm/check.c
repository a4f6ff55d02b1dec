// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include "check.h"

/* A guest in 64-bit mode. */
static int setup(void **state)
{
	static struct fixture f;
	struct svm_save_area *save = &f.vmcb.save;

	fixture_init(&f);
	save->cr0 = CR0_PG | CR0_PE | CR0_NE | CR0_ET;
	save->cr4 = CR4_PAE;
	save->efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
	save->cs = (struct svm_segment){.selector = 0x10, .attributes = 0xa9b, .limit = ~0u};
	save->ss = (struct svm_segment){.selector = 0x18, .attributes = 0xc93, .limit = ~0u};
	save->rip = 0xffffffff81000000;
	*state = &f;
	return 0;
}

#define BLAMES(field, value, name)                                               \
	do {                                                                     \
		struct svm_save_area saved_ = f->vmcb.save;                      \
		f->vmcb.save.field = (value);                                    \
		assert_int_equal(svm_check_state(&f->vp), (name));               \
		f->vmcb.save = saved_;                                           \
		assert_int_equal(svm_check_state(&f->vp), SVM_STATE_CONSISTENT); \
	} while (0)

static void control_registers(void **state)
{
	struct fixture *f = *state;

	BLAMES(cr0, f->vmcb.save.cr0 | 1ULL << 32, HV_REGISTER_CR0);
	BLAMES(cr0, f->vmcb.save.cr0 | CR0_NW, HV_REGISTER_CR0);
	BLAMES(cr0, f->vmcb.save.cr0 & ~CR0_PE, HV_REGISTER_CR0);
	BLAMES(cr3, 1ULL << 48, HV_REGISTER_CR3);
	BLAMES(cr4, CR4_PAE | 1ULL << 23, HV_REGISTER_CR4);
	BLAMES(cr4, 0, HV_REGISTER_CR4);
	BLAMES(efer, f->vmcb.save.efer & ~EFER_SVME, HV_REGISTER_EFER);
	BLAMES(efer, f->vmcb.save.efer & ~EFER_LMA, HV_REGISTER_EFER);
	BLAMES(efer, f->vmcb.save.efer | 2, HV_REGISTER_EFER);
	BLAMES(dr6, 1ULL << 32, HV_REGISTER_DR6);
	BLAMES(dr7, 1ULL << 32, HV_REGISTER_DR7);
	BLAMES(g_pat, 2, HV_REGISTER_PAT);
}

static void bases(void **state)
{
	const uint64_t bad = 1ULL << 60;
	struct fixture *f = *state;

	BLAMES(fs.base, bad, HV_REGISTER_FS);
	BLAMES(gs.base, bad, HV_REGISTER_GS);
	BLAMES(ldtr.base, bad, HV_REGISTER_LDTR);
	BLAMES(tr.base, bad, HV_REGISTER_TR);
	BLAMES(gdtr.base, bad, HV_REGISTER_GDTR);
	BLAMES(idtr.base, bad, HV_REGISTER_IDTR);
	BLAMES(kernel_gs_base, bad, HV_REGISTER_KERNEL_GS_BASE);
	BLAMES(lstar, bad, HV_REGISTER_LSTAR);
	BLAMES(cstar, bad, HV_REGISTER_CSTAR);
	BLAMES(sysenter_eip, bad, HV_REGISTER_SYSENTER_EIP);
	BLAMES(sysenter_esp, bad, HV_REGISTER_SYSENTER_ESP);
}

static void code(void **state)
{
	struct fixture *f = *state;

	BLAMES(rflags, 0, HV_REGISTER_RFLAGS);
	BLAMES(rflags, 2 | 1 << 15, HV_REGISTER_RFLAGS);
	BLAMES(rflags, 2 | RFLAGS_VM, HV_REGISTER_RFLAGS);
	BLAMES(cs.attributes, 0xe9b, HV_REGISTER_CS); /* L and D */
	BLAMES(rip, 0x800000000000, HV_REGISTER_RIP);
	BLAMES(cs.attributes, 0xc9b, HV_REGISTER_RIP); /* a 32-bit segment cannot be up there */
}

static void modes(void **state)
{
	struct fixture *f = *state;
	struct svm_save_area *save = &f->vmcb.save;

	save->cr4 |= CR4_LA57 | CR4_PCIDE;
	save->rip = 0x00ffffffffff0000;
	assert_int_equal(svm_check_state(&f->vp), SVM_STATE_CONSISTENT);
	/* Leaving long mode with PCIDE set is not possible. */
	save->cr0 = CR0_PE | CR0_ET;
	save->efer = EFER_SVME;
	save->cs.attributes = 0xc9b;
	save->rip = 0x1000;
	assert_int_equal(svm_check_state(&f->vp), HV_REGISTER_CR4);
	save->cr4 = 0;
	assert_int_equal(svm_check_state(&f->vp), SVM_STATE_CONSISTENT);
	save->rflags |= RFLAGS_VM;
	assert_int_equal(svm_check_state(&f->vp), SVM_STATE_CONSISTENT);
	save->rip = 0x100000000;
	assert_int_equal(svm_check_state(&f->vp), HV_REGISTER_RIP);
	save->rip = 0;
	save->cr0 = CR0_ET;
	assert_int_equal(svm_check_state(&f->vp), HV_REGISTER_RFLAGS); /* VM without PE */
	save->rflags = 2;
	assert_int_equal(svm_check_state(&f->vp), SVM_STATE_CONSISTENT);
	f->features.efer_allowed = 0;
	save->efer |= EFER_LME;
	assert_int_equal(svm_check_state(&f->vp), HV_REGISTER_EFER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(control_registers, setup),
		cmocka_unit_test_setup(bases, setup),
		cmocka_unit_test_setup(code, setup),
		cmocka_unit_test_setup(modes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

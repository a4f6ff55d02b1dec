// SPDX-License-Identifier: MIT
#include "svm_test.h"

static int setup(void **state)
{
	static struct fixture f;

	fixture_init(&f);
	*state = &f;
	return 0;
}

/* Every register that holds any 64 bits, with a value of its own, all set before any is read. */
static void plain_words(void **state)
{
	static const uint32_t names[] = {
		HV_REGISTER_RAX, HV_REGISTER_RCX, HV_REGISTER_RDX,  HV_REGISTER_RBX,
		HV_REGISTER_RSP, HV_REGISTER_RBP, HV_REGISTER_RSI,  HV_REGISTER_RDI,
		HV_REGISTER_R8,	 HV_REGISTER_R9,  HV_REGISTER_R10,  HV_REGISTER_R11,
		HV_REGISTER_R12, HV_REGISTER_R13, HV_REGISTER_R14,  HV_REGISTER_R15,
		HV_REGISTER_RIP, HV_REGISTER_CR2, HV_REGISTER_DR0,  HV_REGISTER_DR1,
		HV_REGISTER_DR2, HV_REGISTER_DR3, HV_REGISTER_STAR,
	};
	const uint64_t pattern = 0xfeedface00000000ULL;
	struct fixture *f = *state;

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(set(f, names[i], pattern + i, ~0ULL), HV_STATUS_SUCCESS);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(get(f, names[i]), pattern + i);
	assert_int_equal(f->context.gps[SIDECAR_GP_CR2], get(f, HV_REGISTER_CR2));
	assert_int_equal(f->vmcb.save.rsp, get(f, HV_REGISTER_RSP));
	assert_int_equal(f->context.gps[15], get(f, HV_REGISTER_R15));
}

static void canonical_words(void **state)
{
	static const uint32_t names[] = {
		HV_REGISTER_KERNEL_GS_BASE, HV_REGISTER_SYSENTER_EIP, HV_REGISTER_SYSENTER_ESP,
		HV_REGISTER_LSTAR,	    HV_REGISTER_CSTAR,
	};
	struct fixture *f = *state;

	f->features.cr4_allowed &= ~CR4_LA57;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_takes(f, names[i], 0x7ffffffff000 + i, 0x7ffffffff000 + i);
		assert_takes(f, names[i], 0xffff800000000000 + i, 0xffff800000000000 + i);
		assert_refuses(f, names[i], 0x800000000000, 0);
		assert_refuses(f, names[i], 0xffff7fffffffffff, 0);
		assert_refuses(f, names[i], 1ULL << 63, 0);
	}
	f->features.cr4_allowed |= CR4_LA57;
	assert_takes(f, HV_REGISTER_LSTAR, 0x00ffffffffffffff, 0x00ffffffffffffff);
	assert_refuses(f, HV_REGISTER_LSTAR, 0x0100000000000000, 0);
}

static void control_registers(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_CR0, 0x80010033, 0x80010033);
	assert_takes(f, HV_REGISTER_CR0, 0x21, 0x31); /* ET reads as one */
	assert_refuses(f, HV_REGISTER_CR0, 0x100000031, 0);
	assert_refuses(f, HV_REGISTER_CR0, 0x71, 0);
	assert_refuses(f, HV_REGISTER_CR0, CR0_PG | CR0_ET, 0);
	assert_refuses(f, HV_REGISTER_CR0, CR0_NW | CR0_ET, 0);
	assert_takes(f, HV_REGISTER_CR3, 0xfffffffff000, 0xfffffffff000);
	assert_refuses(f, HV_REGISTER_CR3, 1ULL << 48, 0);
	assert_refuses(f, HV_REGISTER_CR3, 1ULL << 63, 0);
	assert_takes(f, HV_REGISTER_CR4, 0x6a0, 0x6a0);
	assert_refuses(f, HV_REGISTER_CR4, 1ULL << 13, 0);
	assert_refuses(f, HV_REGISTER_CR4, 1ULL << 23, 0);
	assert_refuses(f, HV_REGISTER_CR4, 1ULL << 32, 0);
	f->features.cr4_allowed &= ~CR4_SMAP;
	assert_refuses(f, HV_REGISTER_CR4, CR4_SMAP, 0);
	assert_takes(f, HV_REGISTER_CR8, 15, 15);
	assert_int_equal(f->vmcb.control.int_ctl & 0xff, 15);
	assert_refuses(f, HV_REGISTER_CR8, 16, 0);
	assert_takes(f, HV_REGISTER_CR8, 0, 0);
}

static void efer_hides_svme(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, HV_REGISTER_EFER), 0);
	assert_takes(f, HV_REGISTER_EFER, 0xd01, 0xd01);
	assert_int_equal(f->vmcb.save.efer, 0xd01 | EFER_SVME);
	assert_takes(f, HV_REGISTER_EFER, 0, 0);
	assert_int_equal(f->vmcb.save.efer, EFER_SVME);
	assert_refuses(f, HV_REGISTER_EFER, EFER_SVME, 0);
	assert_refuses(f, HV_REGISTER_EFER, EFER_LMA, 0);
	assert_refuses(f, HV_REGISTER_EFER, 2, 0);
	assert_refuses(f, HV_REGISTER_EFER, 1ULL << 13, 0);
	f->features.efer_allowed &= ~EFER_NXE;
	assert_refuses(f, HV_REGISTER_EFER, EFER_NXE, 0);
}

static void flags_and_debug(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_RFLAGS, 0x246, 0x246);
	assert_takes(f, HV_REGISTER_RFLAGS, 0, 2);
	assert_takes(f, HV_REGISTER_RFLAGS, 0x3f7fd7, 0x3f7fd7);
	assert_refuses(f, HV_REGISTER_RFLAGS, 0x8002, 0);
	assert_refuses(f, HV_REGISTER_RFLAGS, 0xa, 0);
	assert_refuses(f, HV_REGISTER_RFLAGS, 0x22, 0);
	assert_refuses(f, HV_REGISTER_RFLAGS, 0x400002, 0);
	assert_refuses(f, HV_REGISTER_RFLAGS, 0x100000002, 0);
	assert_takes(f, HV_REGISTER_DR6, 0xffff4ff1, 0xffff4ff1);
	assert_takes(f, HV_REGISTER_DR6, 0, 0xffff0ff0);
	assert_refuses(f, HV_REGISTER_DR6, 0x1ffff0ff0, 0);
	assert_takes(f, HV_REGISTER_DR7, 0xffff2fff, 0xffff27ff);
	assert_takes(f, HV_REGISTER_DR7, 0, 0x400);
	assert_refuses(f, HV_REGISTER_DR7, 1ULL << 32, 0);
	assert_takes(f, HV_REGISTER_DEBUGCTL, 3, 3);
	assert_refuses(f, HV_REGISTER_DEBUGCTL, 0x40, 0);
}

static void other_msrs(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_PAT, 0x0105040600070406, 0x0105040600070406);
	assert_refuses(f, HV_REGISTER_PAT, 0x0007040600070402, 0);
	assert_refuses(f, HV_REGISTER_PAT, 0x0807040600070406, 0);
	assert_takes(f, HV_REGISTER_SFMASK, 0xffffffff00040700, 0x40700);
	assert_takes(f, HV_REGISTER_SYSENTER_CS, 0x10, 0x10);
	assert_takes(f, HV_REGISTER_XFEM, 3, 3);
	assert_refuses(f, HV_REGISTER_XFEM, 7, 0);
	assert_refuses(f, HV_REGISTER_XFEM, 2, 0);
	assert_refuses(f, HV_REGISTER_XFEM, 0, 0);
	assert_takes(f, HV_REGISTER_XFEM, 1, 1);
	assert_takes(f, HV_REGISTER_TSC_AUX, 0xffffffff, 0xffffffff);
	assert_refuses(f, HV_REGISTER_TSC_AUX, 0x100000000, 0);
	assert_takes(f, HV_REGISTER_APIC_BASE, 0xfee00900, 0xfee00900);
	assert_takes(f, HV_REGISTER_APIC_BASE, 0xfee00c00, 0xfee00c00);
	assert_refuses(f, HV_REGISTER_APIC_BASE, 0xfee00400, 0);
	assert_refuses(f, HV_REGISTER_APIC_BASE, 0xfee00801, 0);
	assert_refuses(f, HV_REGISTER_APIC_BASE, 1ULL << 48, 0);
	f->features.x2apic = false;
	assert_refuses(f, HV_REGISTER_APIC_BASE, 0xfee00c00, 0);
}

static void tsc_runs_from_what_was_set(void **state)
{
	struct fixture *f = *state;
	uint64_t first;

	assert_int_equal(set(f, HV_REGISTER_TSC, 1000, 0), HV_STATUS_SUCCESS);
	first = get(f, HV_REGISTER_TSC);
	assert_in_range(first, 1000, 1000 + 100000000000);
	assert_in_range(get(f, HV_REGISTER_TSC), first, first + 100000000000);
	assert_takes(f, HV_REGISTER_TSC_VIRTUAL_OFFSET, 77, 77);
	assert_int_equal(f->vmcb.control.tsc_offset, 77);
}

static void segments_round_trip(void **state)
{
	static const uint32_t names[] = {HV_REGISTER_ES, HV_REGISTER_CS,  HV_REGISTER_SS,
					 HV_REGISTER_DS, HV_REGISTER_FS,  HV_REGISTER_GS,
					 HV_REGISTER_TR, HV_REGISTER_LDTR};
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 8; i++) {
		/* base, then limit, selector, attributes */
		uint64_t high = 0xa09b001000000000ULL + (uint64_t)(i << 3 << 16 << 4) + 0xfffff +
				((uint64_t)i << 32);

		assert_int_equal(set(f, names[i], 0x10000 * i, high), HV_STATUS_SUCCESS);
	}
	for (unsigned int i = 0; i < 8; i++) {
		struct hv_u128 value = get128(f, names[i]);

		assert_int_equal(value.low, 0x10000 * i);
		assert_int_equal(value.high, 0xa09b001000000000ULL + (uint64_t)(i << 3 << 16 << 4) +
						     0xfffff + ((uint64_t)i << 32));
		assert_refuses(f, names[i], 0, 0x019b001000000000ULL);
		assert_refuses(f, names[i], 0, 0x0893001000000000ULL);
		assert_refuses(f, names[i], 1ULL << 62, 0x0093001000000000ULL);
	}
	/* The packing: type, S, DPL, P stay, AVL L D G move down by four. */
	assert_int_equal(f->vmcb.save.cs.attributes, 0xa9b);
	assert_int_equal(f->vmcb.save.es.selector, 0x10);
	assert_int_equal(f->vmcb.save.es.limit, 0xfffff);
	assert_int_equal(set(f, HV_REGISTER_DS, 0, 0xf0ff000000000000ULL), HV_STATUS_SUCCESS);
	assert_int_equal(f->vmcb.save.ds.attributes, 0xfff);
	assert_int_equal(set(f, HV_REGISTER_DS, 0, 0x1000000000000000ULL), HV_STATUS_SUCCESS);
	assert_int_equal(f->vmcb.save.ds.attributes, SVM_SEGMENT_AVAILABLE);
}

static void tables_round_trip(void **state)
{
	struct fixture *f = *state;
	struct hv_u128 value;

	assert_int_equal(set(f, HV_REGISTER_IDTR, 0x0fffULL << 48, 0x1000), HV_STATUS_SUCCESS);
	assert_int_equal(set(f, HV_REGISTER_GDTR, 0x007fULL << 48, 0xffff800000002000),
			 HV_STATUS_SUCCESS);
	value = get128(f, HV_REGISTER_IDTR);
	assert_int_equal(value.low, 0x0fffULL << 48);
	assert_int_equal(value.high, 0x1000);
	assert_int_equal(f->vmcb.save.idtr.limit, 0xfff);
	assert_int_equal(f->vmcb.save.gdtr.base, 0xffff800000002000);
	assert_int_equal(f->vmcb.save.gdtr.limit, 0x7f);
	assert_refuses(f, HV_REGISTER_GDTR, 0x007fULL << 48 | 1, 0);
	assert_refuses(f, HV_REGISTER_GDTR, 0x007fULL << 48, 1ULL << 60);
}

static void fx_registers(void **state)
{
	struct fixture *f = *state;
	struct hv_u128 value;

	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(set(f, HV_REGISTER_XMM0 + i, i, ~(uint64_t)i), HV_STATUS_SUCCESS);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(set(f, HV_REGISTER_FPMMX0 + i, 100 + i, ~0ULL), HV_STATUS_SUCCESS);
	for (uint32_t i = 0; i < 16; i++) {
		value = get128(f, HV_REGISTER_XMM0 + i);
		assert_int_equal(value.low, i);
		assert_int_equal(value.high, ~(uint64_t)i);
	}
	for (uint32_t i = 0; i < 8; i++) {
		value = get128(f, HV_REGISTER_FPMMX0 + i);
		assert_int_equal(value.low, 100 + i);
		assert_int_equal(value.high, 0xffff);
	}
	assert_int_equal(f->context.fx_state.xmm[9][0], 9);
	value = get128(f, HV_REGISTER_FP_CONTROL_STATUS);
	assert_int_equal(value.low, 0x37f);
	assert_int_equal(set(f, HV_REGISTER_FP_CONTROL_STATUS, 0x00000000ff381234, 7),
			 HV_STATUS_SUCCESS);
	assert_int_equal(f->context.fx_state.fcw, 0x1234);
	assert_int_equal(f->context.fx_state.fip, 7);
	assert_int_equal(set(f, HV_REGISTER_XMM_CONTROL_STATUS, 0x55, 0x0000ffff00001fa0),
			 HV_STATUS_SUCCESS);
	assert_int_equal(f->context.fx_state.fdp, 0x55);
	assert_int_equal(f->context.fx_state.mxcsr, 0x1fa0);
	assert_refuses(f, HV_REGISTER_XMM_CONTROL_STATUS, 0, 0x10000);
	assert_refuses(f, HV_REGISTER_XMM_CONTROL_STATUS, 0, 0x80000000);
}

static void interrupt_registers(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_INTERRUPT_STATE, 3, 3);
	assert_int_equal(f->vmcb.control.int_state, SVM_INT_STATE_SHADOW);
	assert_true(f->vp.nmi_masked);
	assert_takes(f, HV_REGISTER_INTERRUPT_STATE, 0, 0);
	assert_int_equal(f->vmcb.control.int_state, 0);
	assert_refuses(f, HV_REGISTER_INTERRUPT_STATE, 4, 0);
	assert_takes(f, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 0x3f, 0x3f);
	assert_refuses(f, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 0x40, 0);
	assert_refuses(f, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 1ULL << 48, 0);
	assert_takes(f, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 3, 3);
	assert_refuses(f, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 4, 0);
	assert_refuses(f, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 8, 0);
}

static void pending_registers(void **state)
{
	const uint64_t gp = 1 | 3 << 1 | 1 << 4 | 13 << 16 | 0x50ULL << 32;
	struct fixture *f = *state;
	struct hv_u128 value;

	assert_takes(f, HV_REGISTER_PENDING_INTERRUPTION, gp, gp);
	assert_takes(f, HV_REGISTER_PENDING_INTERRUPTION, gp & ~1ULL, 0);
	assert_refuses(f, HV_REGISTER_PENDING_INTERRUPTION, 1 | 1 << 1, 0);
	assert_int_equal(set(f, HV_REGISTER_PENDING_EVENT0, 1 | 1 << 8 | 14 << 16, 0xbad),
			 HV_STATUS_SUCCESS);
	value = get128(f, HV_REGISTER_PENDING_EVENT0);
	assert_int_equal(value.low, 1 | 1 << 8 | 14 << 16);
	assert_int_equal(value.high, 0xbad);
	assert_refuses(f, HV_REGISTER_PENDING_EVENT0, 1 | 1 << 1, 0);
	assert_int_equal(set(f, HV_REGISTER_PENDING_EVENT1, 0, 0), HV_STATUS_SUCCESS);
	assert_refuses(f, HV_REGISTER_PENDING_EVENT1, 1, 0);
	assert_refuses(f, HV_REGISTER_PENDING_EVENT1, 0, 1);
	assert_int_equal(get(f, HV_REGISTER_PENDING_EVENT1), 0);
}

static void read_only_registers(void **state)
{
	struct fixture *f = *state;

	assert_takes(f, HV_REGISTER_VP_INDEX, 5, 5);
	assert_refuses(f, HV_REGISTER_VP_INDEX, 6, 0);
	assert_takes(f, HV_REGISTER_INITIAL_APIC_ID, 12, 12);
	assert_refuses(f, HV_REGISTER_INITIAL_APIC_ID, 13, 0);
}

static void unknown_names(void **state)
{
	static const uint32_t names[] = {
		0,
		1,
		HV_REGISTER_VSM_CAPABILITIES,
		HV_REGISTER_REGISTER_PAGE,
		HV_REGISTER_SINT0,
		HV_REGISTER_SPEC_CTRL,
		HV_REGISTER_BNDCFGS,
		HV_REGISTER_XSS,
		HV_REGISTER_CRASH_P0,
		HV_REGISTER_FPMMX7 + 0x10,
		HV_REGISTER_RFLAGS + 1,
		HV_REGISTER_TR + 1,
		HV_REGISTER_GDTR + 1,
		HV_REGISTER_DR7 + 1,
		HV_REGISTER_INTERMEDIATE_CR0,
		0xffffffff,
		HV_REGISTER_MTRR_PHYS_BASE15 + 1,
		HV_REGISTER_MTRR_PHYS_MASK15 + 1,
		0x8000f,
	};
	struct fixture *f = *state;
	struct fixture before;
	struct hv_u128 value = {3, 4};

	memcpy(&before, f, sizeof(before));
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(svm_get_register(&f->vp, &f->context, names[i], &value),
				 HV_STATUS_UNKNOWN_REGISTER_NAME);
		assert_int_equal(set(f, names[i], 0, 0), HV_STATUS_UNKNOWN_REGISTER_NAME);
	}
	assert_int_equal(value.low, 3);
	assert_int_equal(value.high, 4);
	assert_memory_equal(&before, f, sizeof(before));
}

static void a_set_dirties(void **state)
{
	struct fixture *f = *state;

	f->vp.unchecked = false;
	f->vmcb.control.clean = 0xffff;
	assert_int_equal(set(f, HV_REGISTER_CR3, 1ULL << 60, 0), HV_STATUS_INVALID_REGISTER_VALUE);
	assert_false(f->vp.unchecked);
	assert_int_equal(set(f, HV_REGISTER_CR3, 0x1000, 0), HV_STATUS_SUCCESS);
	assert_true(f->vp.unchecked);
	assert_int_equal(f->vmcb.control.clean, 0);
}

static void vtl_byte(void **state)
{
	(void)state;
	for (unsigned int vtl = 0; vtl < 256; vtl++)
		assert_int_equal(svm_vtl_valid((uint8_t)vtl), vtl == 0 || vtl == 0x10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain_words, setup),
		cmocka_unit_test_setup(canonical_words, setup),
		cmocka_unit_test_setup(control_registers, setup),
		cmocka_unit_test_setup(efer_hides_svme, setup),
		cmocka_unit_test_setup(flags_and_debug, setup),
		cmocka_unit_test_setup(other_msrs, setup),
		cmocka_unit_test_setup(tsc_runs_from_what_was_set, setup),
		cmocka_unit_test_setup(segments_round_trip, setup),
		cmocka_unit_test_setup(tables_round_trip, setup),
		cmocka_unit_test_setup(fx_registers, setup),
		cmocka_unit_test_setup(interrupt_registers, setup),
		cmocka_unit_test_setup(pending_registers, setup),
		cmocka_unit_test_setup(read_only_registers, setup),
		cmocka_unit_test_setup(unknown_names, setup),
		cmocka_unit_test_setup(a_set_dirties, setup),
		cmocka_unit_test(vtl_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

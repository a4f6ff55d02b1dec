// SPDX-License-Identifier: MIT
#include "intercepts.h"

uint8_t svm_iopm[SVM_IOPM_SIZE] __attribute__((aligned(4096)));
uint8_t svm_msrpm[SVM_MSRPM_SIZE] __attribute__((aligned(4096)));

/*
 * The allow-list. DEBUGCTL is not on it and LBR virtualization is off, so no guest value of it ever
 * reaches the processor; the same goes for VM_CR, HSAVE_PA and every machine-check MSR.
 */
static const struct {
	uint32_t first;
	uint32_t last;
	enum msr_rule_kind kind;
	uint32_t name; /* of the first; the others follow it */
} rules[] = {
	{0x010, 0x010, MSR_REGISTER, HV_REGISTER_TSC},
	{0x01b, 0x01b, MSR_REGISTER, HV_REGISTER_APIC_BASE},
	{0x0fe, 0x0fe, MSR_REGISTER, HV_REGISTER_MTRR_CAP},
	{0x174, 0x176, MSR_DIRECT, 0}, /* SYSENTER */
	{0x250, 0x250, MSR_REGISTER, HV_REGISTER_MTRR_FIX64K_00000},
	{0x258, 0x259, MSR_REGISTER, HV_REGISTER_MTRR_FIX16K_80000},
	{0x268, 0x26f, MSR_REGISTER, HV_REGISTER_MTRR_FIX4K_C0000},
	{0x277, 0x277, MSR_REGISTER, HV_REGISTER_PAT},
	{0x2ff, 0x2ff, MSR_REGISTER, HV_REGISTER_MTRR_DEF_TYPE},
	{0xc0000080, 0xc0000080, MSR_REGISTER, HV_REGISTER_EFER},
	{0xc0000081, 0xc0000084, MSR_DIRECT, 0}, /* STAR, LSTAR, CSTAR, SFMASK */
	{0xc0000100, 0xc0000102, MSR_DIRECT, 0}, /* FS, GS and KERNEL_GS base */
	{0xc0000103, 0xc0000103, MSR_REGISTER, HV_REGISTER_TSC_AUX},
};

#define MSR_MTRR_PHYS_FIRST 0x200u
#define MSR_MTRR_PHYS_LAST 0x21fu

/* Base and mask of the variable ranges take turns. */
static struct msr_rule variable_mtrr(uint32_t msr)
{
	uint32_t n = (msr - MSR_MTRR_PHYS_FIRST) / 2;
	uint32_t first = msr & 1 ? HV_REGISTER_MTRR_PHYS_MASK0 : HV_REGISTER_MTRR_PHYS_BASE0;

	return (struct msr_rule){MSR_REGISTER, first + n};
}

struct msr_rule svm_msr_rule(uint32_t msr)
{
	if (msr >= MSR_MTRR_PHYS_FIRST && msr <= MSR_MTRR_PHYS_LAST)
		return variable_mtrr(msr);
	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (msr >= rules[i].first && msr <= rules[i].last)
			return (struct msr_rule){rules[i].kind,
						 rules[i].name + (msr - rules[i].first)};
	}
	return (struct msr_rule){MSR_TO_VMM, 0};
}

/* Two bits an MSR, read and write; three ranges of 2 KiB each (APM vol. 2, 15.11). */
static void allow_msr(uint32_t msr)
{
	uint32_t range = msr >= 0xc0010000u ? 2 : msr >= 0xc0000000u ? 1 : 0;
	uint32_t bit = (msr & 0x1fff) * 2;

	svm_msrpm[range * 2048 + bit / 8] &= (uint8_t) ~(3u << (bit % 8));
}

void svm_intercepts_init(void)
{
	__builtin_memset(svm_iopm, 0xff, sizeof(svm_iopm));
	__builtin_memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].kind != MSR_DIRECT)
			continue;
		for (uint32_t msr = rules[i].first; msr <= rules[i].last; msr++)
			allow_msr(msr);
	}
}

#define EXCEPTION(vector) (1u << (vector))

/*
 * #DB and #AC can make a processor deliver exceptions for ever without taking an interrupt, so that
 * no STOP would end the guest; #MC is the machine's, not the guest's.
 *
 * Task switches stay with the processor: with nested paging they touch nothing but the guest's own
 * memory and registers. So do CR0 and CR3; CR4 has bits that this backend does not switch state
 * for.
 */
void svm_intercepts_set(struct svm_control_area *control)
{
	control->intercept_cr_write = 1u << 4;
	control->intercept_exceptions = EXCEPTION(1) | EXCEPTION(17) | EXCEPTION(18);
	control->intercept_misc1 = SVM_INTERCEPT1_INTR | SVM_INTERCEPT1_NMI | SVM_INTERCEPT1_SMI |
				   SVM_INTERCEPT1_INIT | SVM_INTERCEPT1_RDPMC |
				   SVM_INTERCEPT1_CPUID | SVM_INTERCEPT1_RSM | SVM_INTERCEPT1_INVD |
				   SVM_INTERCEPT1_HLT | SVM_INTERCEPT1_INVLPGA |
				   SVM_INTERCEPT1_IOIO | SVM_INTERCEPT1_MSR |
				   SVM_INTERCEPT1_FERR_FREEZE | SVM_INTERCEPT1_SHUTDOWN;
	control->intercept_misc2 =
		SVM_INTERCEPT2_VMRUN | SVM_INTERCEPT2_VMMCALL | SVM_INTERCEPT2_VMLOAD |
		SVM_INTERCEPT2_VMSAVE | SVM_INTERCEPT2_STGI | SVM_INTERCEPT2_CLGI |
		SVM_INTERCEPT2_SKINIT | SVM_INTERCEPT2_WBINVD | SVM_INTERCEPT2_MONITOR |
		SVM_INTERCEPT2_MWAIT | SVM_INTERCEPT2_MWAIT_ARMED | SVM_INTERCEPT2_XSETBV |
		SVM_INTERCEPT2_RDPRU;
	control->intercept_misc3 = SVM_INTERCEPT3_INVLPGB | SVM_INTERCEPT3_INVLPGB_ILLEGAL |
				   SVM_INTERCEPT3_MCOMMIT | SVM_INTERCEPT3_TLBSYNC;
}

// SPDX-License-Identifier: MIT
/*
 * The consistency checks of VMRUN (APM vol. 2, 15.5.1) and those that VMRUN leaves out but that
 * every instruction loading the register makes.
 */
#include "check.h"

#include "mtrr.h"

#define HIGH32 0xffffffff00000000ULL

static bool cr0_valid(const struct svm_save_area *save)
{
	if (save->cr0 & ~CR0_ALLOWED)
		return false;
	if ((save->cr0 & CR0_NW) && !(save->cr0 & CR0_CD))
		return false;
	return !(save->cr0 & CR0_PG) || (save->cr0 & CR0_PE);
}

/* LA57 and PCIDE only do something in long mode, and cannot be left set when it ends (3.1.3). */
static bool cr4_valid(const struct svm_features *features, const struct svm_save_area *save)
{
	if (save->cr4 & ~features->cr4_allowed)
		return false;
	if (svm_long_mode(save))
		return save->cr4 & CR4_PAE;
	return !(save->cr4 & CR4_PCIDE);
}

static bool efer_valid(const struct svm_features *features, const struct svm_save_area *save)
{
	if (save->efer & ~(features->efer_allowed | EFER_SVME))
		return false;
	if (!(save->efer & EFER_SVME))
		return false;
	return !!(save->efer & EFER_LMA) == svm_long_mode(save);
}

static bool rflags_valid(const struct svm_save_area *save)
{
	if (save->rflags & RFLAGS_RESERVED)
		return false;
	if (!(save->rflags & RFLAGS_FIXED))
		return false;
	return !(save->rflags & RFLAGS_VM) || ((save->cr0 & CR0_PE) && !svm_long_mode(save));
}

static bool cs_valid(const struct svm_save_area *save)
{
	if (!svm_long_mode(save) || !(save->cr4 & CR4_PAE))
		return true;
	return !(save->cs.attributes & SVM_SEGMENT_LONG) ||
	       !(save->cs.attributes & SVM_SEGMENT_DEFAULT);
}

static bool rip_valid(const struct svm_save_area *save)
{
	if (svm_long_mode(save) && (save->cs.attributes & SVM_SEGMENT_LONG))
		return svm_is_canonical(save->rip, save->cr4);
	return !(save->rip & HIGH32);
}

static uint32_t check_control(const struct svm_features *features, const struct svm_save_area *save)
{
	if (!cr0_valid(save))
		return HV_REGISTER_CR0;
	if (save->cr3 & svm_address_reserved(features))
		return HV_REGISTER_CR3;
	if (!efer_valid(features, save))
		return HV_REGISTER_EFER;
	if (!cr4_valid(features, save))
		return HV_REGISTER_CR4;
	if (save->dr6 & HIGH32)
		return HV_REGISTER_DR6;
	if (save->dr7 & HIGH32)
		return HV_REGISTER_DR7;
	if (!svm_memory_types_valid(save->g_pat, true))
		return HV_REGISTER_PAT;
	return SVM_STATE_CONSISTENT;
}

static uint32_t check_bases(const struct svm_save_area *save)
{
	const struct {
		uint64_t base;
		uint32_t name;
	} bases[] = {
		{save->fs.base, HV_REGISTER_FS},
		{save->gs.base, HV_REGISTER_GS},
		{save->ldtr.base, HV_REGISTER_LDTR},
		{save->tr.base, HV_REGISTER_TR},
		{save->gdtr.base, HV_REGISTER_GDTR},
		{save->idtr.base, HV_REGISTER_IDTR},
		{save->kernel_gs_base, HV_REGISTER_KERNEL_GS_BASE},
		{save->lstar, HV_REGISTER_LSTAR},
		{save->cstar, HV_REGISTER_CSTAR},
		{save->sysenter_eip, HV_REGISTER_SYSENTER_EIP},
		{save->sysenter_esp, HV_REGISTER_SYSENTER_ESP},
	};

	/*
	 * A guest with 57-bit addresses that turns LA57 off may keep such bases, so the widest
	 * form is what they are held to.
	 */
	for (unsigned int i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		if (!svm_is_canonical(bases[i].base, CR4_LA57))
			return bases[i].name;
	}
	return SVM_STATE_CONSISTENT;
}

static uint32_t check_code(const struct svm_save_area *save)
{
	if (!rflags_valid(save))
		return HV_REGISTER_RFLAGS;
	if (!cs_valid(save))
		return HV_REGISTER_CS;
	if (!rip_valid(save))
		return HV_REGISTER_RIP;
	return SVM_STATE_CONSISTENT;
}

uint32_t svm_check_state(const struct svm_vp *vp)
{
	const struct svm_save_area *save = &vp->vmcb->save;
	uint32_t bad = check_control(vp->features, save);

	if (bad == SVM_STATE_CONSISTENT)
		bad = check_bases(save);
	if (bad == SVM_STATE_CONSISTENT)
		bad = check_code(save);
	return bad;
}

// SPDX-License-Identifier: MIT
#include "vp.h"

#define PAT_RESET 0x0007040600070406ULL
#define APIC_BASE_RESET 0xfee00000ULL
#define DR6_RESET 0xffff0ff0ULL
#define DR7_RESET 0x400ULL
#define CR0_RESET (CR0_CD | CR0_NW | CR0_ET)
#define RESET_VECTOR 0xfff0ULL
/* RDX after reset holds the processor's signature; ours says family 15 and no more. */
#define SIGNATURE_RESET 0x00000f00ULL

static void clear(void *memory, unsigned int size)
{
	__builtin_memset(memory, 0, size);
}

static void reset_segments(struct svm_save_area *save)
{
	const struct svm_segment data = {.attributes = 0x093, .limit = 0xffff};

	save->cs = (struct svm_segment){
		.selector = 0xf000, .attributes = 0x09b, .limit = 0xffff, .base = 0xffff0000};
	save->ds = data;
	save->es = data;
	save->fs = data;
	save->gs = data;
	save->ss = data;
	save->gdtr.limit = 0xffff;
	save->idtr.limit = 0xffff;
	save->ldtr = (struct svm_segment){.attributes = 0x082, .limit = 0xffff};
	save->tr = (struct svm_segment){.attributes = 0x08b, .limit = 0xffff};
}

static void reset_save_area(struct svm_save_area *save)
{
	clear(save, sizeof(*save));
	reset_segments(save);
	save->efer = EFER_SVME; /* VMRUN refuses to enter without it (APM vol. 2, 15.5.1) */
	save->cr0 = CR0_RESET;
	save->dr6 = DR6_RESET;
	save->dr7 = DR7_RESET;
	save->rflags = RFLAGS_FIXED;
	save->rip = RESET_VECTOR;
	save->g_pat = PAT_RESET;
}

static void reset_control_area(struct svm_control_area *control)
{
	control->int_ctl &= ~(SVM_INT_CTL_TPR_MASK | SVM_INT_CTL_V_IRQ | SVM_INT_CTL_V_NMI |
			      SVM_INT_CTL_V_NMI_MASK | SVM_INT_CTL_PRIORITY_MASK |
			      SVM_INT_CTL_IGNORE_TPR | SVM_INT_CTL_VECTOR_MASK);
	control->int_state = 0;
	control->tsc_offset = 0;
	control->event_inj = 0;
	control->exit_code = 0;
	control->exit_info1 = 0;
	control->exit_info2 = 0;
	control->exit_int_info = 0;
	control->next_rip = 0;
	control->instruction_byte_count = 0;
	clear(control->instruction_bytes, sizeof(control->instruction_bytes));
	control->clean = SVM_CLEAN_NONE;
}

static void reset_context(struct sidecar_cpu_context *context)
{
	clear(context, sizeof(*context));
	context->gps[SIDECAR_GP_RDX] = SIGNATURE_RESET;
	context->fx_state.fcw = HV_FX_DEFAULT_FCW;
	context->fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
}

void svm_vp_reset(struct svm_vp *vp, struct sidecar_cpu_context *context)
{
	reset_save_area(&vp->vmcb->save);
	reset_control_area(&vp->vmcb->control);
	reset_context(context);
	clear(vp->dr, sizeof(vp->dr));
	clear(&vp->mtrrs, sizeof(vp->mtrrs));
	vp->xfem = 1;
	vp->tsc_aux = 0;
	vp->apic_base = APIC_BASE_RESET | HV_APIC_BASE_ENABLE;
	vp->activity = 0;
	vp->pending_interruption = 0;
	vp->pending_event = (struct hv_u128){0, 0};
	vp->deliverability = 0;
	vp->nmi_masked = false;
	vp->unchecked = true;
}

uint8_t svm_cpl(const struct svm_save_area *save)
{
	if (!(save->cr0 & CR0_PE))
		return 0;
	return save->rflags & RFLAGS_VM ? 3 : save->cpl;
}

void svm_vp_settle(struct svm_vp *vp)
{
	struct svm_save_area *save = &vp->vmcb->save;

	save->efer |= EFER_SVME;
	save->efer &= ~EFER_LMA;
	if (svm_long_mode(save))
		save->efer |= EFER_LMA;
	save->cpl = svm_cpl(save);
	/* A processor whose SS says another level than its CPL does not exist; QEMU believes SS. */
	save->ss.attributes = (uint16_t)((save->ss.attributes & ~HV_SEGMENT_DPL_MASK) |
					 save->cpl << HV_SEGMENT_DPL_SHIFT);
}

// SPDX-License-Identifier: MIT
#include "registers.h"

#include "context.h"
#include "events.h"
#include "mtrr.h"

#define DR6_FIXED 0xffff0ff0ULL /* bits that read as one (APM vol. 2, 13.1.1.3) */
#define DR6_CHANGEABLE 0x0000e00fULL
#define DR7_FIXED 0x00000400ULL
#define DR7_CHANGEABLE 0xffff23ffULL
#define DEBUGCTL_ALLOWED 0x3fULL
#define APIC_BASE_LOW_RESERVED 0x2ffULL
#define CR8_MAX 15
#define LOW32 0xffffffffULL

/* ---- 64-bit registers that are one word of the save area or of struct svm_vp ---- */

enum rule {
	RULE_ANY,
	RULE_CANONICAL, /* of 48 or 57 bits, whichever the processor can have */
	RULE_LOW32,	/* the rest reads as zero, writes to it are ignored */
	RULE_FITS32,
	RULE_CR0,
	RULE_CR3,
	RULE_CR4,
	RULE_EFER,
	RULE_PAT,
	RULE_RFLAGS,
	RULE_DR6,
	RULE_DR7,
	RULE_DEBUGCTL,
	RULE_XFEM,
	RULE_APIC_BASE,
	RULE_ACTIVITY,
	RULE_DELIVERABILITY,
	RULE_INTERRUPTION,
};

struct word_register {
	uint32_t name;
	uint16_t offset;
	uint8_t in_vp; /* 1 = offset in struct svm_vp, 0 = in the save area */
	uint8_t rule;
};

#define IN_SAVE(name, member, rule)                                                           \
	{                                                                                     \
		HV_REGISTER_##name, __builtin_offsetof(struct svm_save_area, member), 0, rule \
	}
#define IN_VP(name, member, rule)                                                      \
	{                                                                              \
		HV_REGISTER_##name, __builtin_offsetof(struct svm_vp, member), 1, rule \
	}

static const struct word_register word_registers[] = {
	IN_SAVE(RSP, rsp, RULE_ANY),
	IN_SAVE(RIP, rip, RULE_ANY), /* what it may be depends on the mode: check.h */
	IN_SAVE(RFLAGS, rflags, RULE_RFLAGS),
	IN_SAVE(CR0, cr0, RULE_CR0),
	IN_SAVE(CR3, cr3, RULE_CR3),
	IN_SAVE(CR4, cr4, RULE_CR4),
	IN_SAVE(DR6, dr6, RULE_DR6),
	IN_SAVE(DR7, dr7, RULE_DR7),
	IN_SAVE(EFER, efer, RULE_EFER),
	IN_SAVE(KERNEL_GS_BASE, kernel_gs_base, RULE_CANONICAL),
	IN_SAVE(PAT, g_pat, RULE_PAT),
	IN_SAVE(SYSENTER_CS, sysenter_cs, RULE_LOW32),
	IN_SAVE(SYSENTER_EIP, sysenter_eip, RULE_CANONICAL),
	IN_SAVE(SYSENTER_ESP, sysenter_esp, RULE_CANONICAL),
	IN_SAVE(STAR, star, RULE_ANY),
	IN_SAVE(LSTAR, lstar, RULE_CANONICAL),
	IN_SAVE(CSTAR, cstar, RULE_CANONICAL),
	IN_SAVE(SFMASK, sfmask, RULE_LOW32),
	IN_SAVE(DEBUGCTL, dbgctl, RULE_DEBUGCTL),
	IN_VP(DR0, dr[0], RULE_ANY),
	IN_VP(DR1, dr[1], RULE_ANY),
	IN_VP(DR2, dr[2], RULE_ANY),
	IN_VP(DR3, dr[3], RULE_ANY),
	IN_VP(XFEM, xfem, RULE_XFEM),
	IN_VP(TSC_AUX, tsc_aux, RULE_FITS32),
	IN_VP(APIC_BASE, apic_base, RULE_APIC_BASE),
	IN_VP(INTERNAL_ACTIVITY_STATE, activity, RULE_ACTIVITY),
	IN_VP(DELIVERABILITY_NOTIFICATIONS, deliverability, RULE_DELIVERABILITY),
	IN_VP(PENDING_INTERRUPTION, pending_interruption, RULE_INTERRUPTION),
};

static const struct word_register *find_word(uint32_t name)
{
	for (unsigned int i = 0; i < sizeof(word_registers) / sizeof(word_registers[0]); i++) {
		if (word_registers[i].name == name)
			return &word_registers[i];
	}
	return 0;
}

static uint64_t *word_place(const struct svm_vp *vp, const struct word_register *word)
{
	char *base = word->in_vp ? (char *)vp : (char *)&vp->vmcb->save;

	return (uint64_t *)(base + word->offset);
}

static bool canonical_on(const struct svm_features *features, uint64_t value)
{
	return svm_is_canonical(value, features->cr4_allowed);
}

static bool admit_cr0(uint64_t *value)
{
	if (*value & ~CR0_ALLOWED)
		return false;
	if ((*value & CR0_PG) && !(*value & CR0_PE))
		return false;
	if ((*value & CR0_NW) && !(*value & CR0_CD))
		return false;
	*value |= CR0_ET;
	return true;
}

static bool admit_efer(const struct svm_features *features, uint64_t *value)
{
	if (*value & ~features->efer_allowed)
		return false;
	if ((*value & EFER_LMA) && !(*value & EFER_LME))
		return false;
	*value |= EFER_SVME;
	return true;
}

static bool admit_rflags(uint64_t *value)
{
	if (*value & RFLAGS_RESERVED)
		return false;
	*value |= RFLAGS_FIXED;
	return true;
}

static bool admit_debug(uint64_t *value, uint64_t changeable, uint64_t fixed)
{
	if (*value & ~LOW32) /* MOV DR raises #GP; the other reserved bits it ignores */
		return false;
	*value = (*value & changeable) | fixed;
	return true;
}

static bool admit_apic_base(const struct svm_features *features, uint64_t value)
{
	uint64_t reserved = svm_address_reserved(features) | APIC_BASE_LOW_RESERVED;

	if (!features->x2apic)
		reserved |= HV_APIC_BASE_X2APIC;
	if (value & reserved)
		return false;
	return !(value & HV_APIC_BASE_X2APIC) || (value & HV_APIC_BASE_ENABLE);
}

/* Whether the register can hold *value; on true *value is what it then reads as. */
static bool admit(const struct svm_features *features, enum rule rule, uint64_t *value)
{
	switch (rule) {
	case RULE_ANY:
		return true;
	case RULE_CANONICAL:
		return canonical_on(features, *value);
	case RULE_LOW32:
		*value &= LOW32;
		return true;
	case RULE_FITS32:
		return !(*value & ~LOW32);
	case RULE_CR0:
		return admit_cr0(value);
	case RULE_CR3:
		return !(*value & svm_address_reserved(features));
	case RULE_CR4:
		return !(*value & ~features->cr4_allowed);
	case RULE_EFER:
		return admit_efer(features, value);
	case RULE_PAT:
		return svm_memory_types_valid(*value, true);
	case RULE_RFLAGS:
		return admit_rflags(value);
	case RULE_DR6:
		return admit_debug(value, DR6_CHANGEABLE, DR6_FIXED);
	case RULE_DR7:
		return admit_debug(value, DR7_CHANGEABLE, DR7_FIXED);
	case RULE_DEBUGCTL:
		return !(*value & ~DEBUGCTL_ALLOWED);
	case RULE_XFEM: /* until extended state has a place: x87, or x87 and SSE */
		return *value == 1 || *value == 3;
	case RULE_APIC_BASE:
		return admit_apic_base(features, *value);
	case RULE_ACTIVITY:
		return !(*value & ~(HV_ACTIVITY_STARTUP_SUSPEND | HV_ACTIVITY_HALT_SUSPEND));
	case RULE_DELIVERABILITY: /* no SynIC here, hence no SINT to wait for */
		return !(*value & (HV_DELIVERABILITY_RESERVED_MASK | HV_DELIVERABILITY_SINTS_MASK));
	case RULE_INTERRUPTION:
		return svm_admit_interruption(value);
	}
	return false;
}

static uint16_t set_word(struct svm_vp *vp, const struct word_register *word, uint64_t value)
{
	if (!admit(vp->features, word->rule, &value))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	*word_place(vp, word) = value;
	return HV_STATUS_SUCCESS;
}

static uint64_t get_word(const struct svm_vp *vp, const struct word_register *word)
{
	uint64_t value = *word_place(vp, word);

	return word->rule == RULE_EFER ? value & ~EFER_SVME : value;
}

/* ---- Segments and tables ---- */

static struct svm_segment *find_segment(struct svm_save_area *save, uint32_t name)
{
	switch (name) {
	case HV_REGISTER_ES:
		return &save->es;
	case HV_REGISTER_CS:
		return &save->cs;
	case HV_REGISTER_SS:
		return &save->ss;
	case HV_REGISTER_DS:
		return &save->ds;
	case HV_REGISTER_FS:
		return &save->fs;
	case HV_REGISTER_GS:
		return &save->gs;
	case HV_REGISTER_LDTR:
		return &save->ldtr;
	case HV_REGISTER_TR:
		return &save->tr;
	default:
		return 0;
	}
}

static struct svm_segment *find_table(struct svm_save_area *save, uint32_t name)
{
	if (name == HV_REGISTER_IDTR)
		return &save->idtr;
	return name == HV_REGISTER_GDTR ? &save->gdtr : 0;
}

static void get_segment(const struct svm_save_area *save, const struct svm_segment *segment,
			struct hv_u128 *value)
{
	struct hv_segment hv =
		segment == &save->ss ? svm_stack_segment(save) : svm_segment_to_hv(segment);

	__builtin_memcpy(value, &hv, sizeof(hv));
}

static uint16_t set_segment(struct svm_vp *vp, struct svm_segment *segment,
			    const struct hv_u128 *value)
{
	struct svm_save_area *save = &vp->vmcb->save;
	struct hv_segment hv;

	__builtin_memcpy(&hv, value, sizeof(hv));
	if (!canonical_on(vp->features, hv.base) || !svm_segment_from_hv(segment, &hv))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (segment == &save->ss)
		save->cpl = (hv.attributes & HV_SEGMENT_DPL_MASK) >> HV_SEGMENT_DPL_SHIFT;
	return HV_STATUS_SUCCESS;
}

static void get_table(const struct svm_segment *table, struct hv_u128 *value)
{
	struct hv_table hv = {.limit = (uint16_t)table->limit, .base = table->base};

	__builtin_memcpy(value, &hv, sizeof(hv));
}

static uint16_t set_table(const struct svm_features *features, struct svm_segment *table,
			  const struct hv_u128 *value)
{
	struct hv_table hv;

	__builtin_memcpy(&hv, value, sizeof(hv));
	if (hv.pad[0] || hv.pad[1] || hv.pad[2] || !canonical_on(features, hv.base))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	*table = (struct svm_segment){.limit = hv.limit, .base = hv.base};
	return HV_STATUS_SUCCESS;
}

/* ---- Registers that are computed ---- */

static uint64_t interrupt_state(const struct svm_vp *vp)
{
	uint64_t state = vp->nmi_masked ? HV_INTERRUPT_STATE_NMI_MASKED : 0;

	if (vp->vmcb->control.int_state & SVM_INT_STATE_SHADOW)
		state |= HV_INTERRUPT_STATE_SHADOW;
	return state;
}

static uint16_t set_interrupt_state(struct svm_vp *vp, uint64_t value)
{
	if (value & HV_INTERRUPT_STATE_RESERVED_MASK)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vp->nmi_masked = value & HV_INTERRUPT_STATE_NMI_MASKED;
	vp->vmcb->control.int_state &= ~SVM_INT_STATE_SHADOW;
	if (value & HV_INTERRUPT_STATE_SHADOW)
		vp->vmcb->control.int_state |= SVM_INT_STATE_SHADOW;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_cr8(struct svm_vp *vp, uint64_t value)
{
	if (value > CR8_MAX)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vp->vmcb->control.int_ctl &= ~SVM_INT_CTL_TPR_MASK;
	vp->vmcb->control.int_ctl |= value;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_event(struct svm_vp *vp, struct hv_u128 event)
{
	if (!svm_admit_event(&event))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vp->pending_event = event;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_constant(uint64_t constant, uint64_t value)
{
	return value == constant ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_REGISTER_VALUE;
}

static uint16_t get_computed(const struct svm_vp *vp, uint32_t name, struct hv_u128 *value)
{
	switch (name) {
	case HV_REGISTER_CR8:
		value->low = vp->vmcb->control.int_ctl & CR8_MAX;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_INTERRUPT_STATE:
		value->low = interrupt_state(vp);
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_PENDING_EVENT0:
		*value = vp->pending_event;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_PENDING_EVENT1: /* only memory intercepts need it */
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_TSC:
		value->low = __builtin_ia32_rdtsc() + vp->vmcb->control.tsc_offset;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_TSC_VIRTUAL_OFFSET:
		value->low = vp->vmcb->control.tsc_offset;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_VP_INDEX:
		value->low = vp->vp_index;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_INITIAL_APIC_ID:
		value->low = vp->apic_id;
		return HV_STATUS_SUCCESS;
	default:
		return svm_get_mtrr(&vp->mtrrs, name, &value->low);
	}
}

static uint16_t set_computed(struct svm_vp *vp, uint32_t name, struct hv_u128 value)
{
	switch (name) {
	case HV_REGISTER_CR8:
		return set_cr8(vp, value.low);
	case HV_REGISTER_INTERRUPT_STATE:
		return set_interrupt_state(vp, value.low);
	case HV_REGISTER_PENDING_EVENT0:
		return set_event(vp, value);
	case HV_REGISTER_PENDING_EVENT1:
		return set_constant(0, value.low | value.high);
	case HV_REGISTER_TSC:
		vp->vmcb->control.tsc_offset = value.low - __builtin_ia32_rdtsc();
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_TSC_VIRTUAL_OFFSET:
		vp->vmcb->control.tsc_offset = value.low;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_VP_INDEX:
		return set_constant(vp->vp_index, value.low);
	case HV_REGISTER_INITIAL_APIC_ID:
		return set_constant(vp->apic_id, value.low);
	default:
		return svm_set_mtrr(&vp->mtrrs, vp->features, name, value.low);
	}
}

/* ---- By name ---- */

uint16_t svm_get_register(const struct svm_vp *vp, const struct sidecar_cpu_context *context,
			  uint32_t name, struct hv_u128 *value)
{
	struct sidecar_cpu_context *shared = (struct sidecar_cpu_context *)context;
	const struct word_register *word = find_word(name);
	struct svm_segment *segment = find_segment(&vp->vmcb->save, name);
	struct svm_segment *table = find_table(&vp->vmcb->save, name);
	uint64_t *gp = context_gp(shared, name);
	void *fx = context_fx(shared, name);
	struct hv_u128 result = {0, 0};
	uint16_t status = HV_STATUS_SUCCESS;

	if (word)
		result.low = get_word(vp, word);
	else if (segment)
		get_segment(&vp->vmcb->save, segment, &result);
	else if (table)
		get_table(table, &result);
	else if (gp)
		result.low = *gp;
	else if (fx)
		__builtin_memcpy(&result, fx, sizeof(result));
	else
		status = get_computed(vp, name, &result);
	if (status == HV_STATUS_SUCCESS)
		*value = result;
	return status;
}

static uint16_t set_register(struct svm_vp *vp, struct sidecar_cpu_context *context, uint32_t name,
			     struct hv_u128 value)
{
	const struct word_register *word = find_word(name);
	struct svm_segment *segment = find_segment(&vp->vmcb->save, name);
	struct svm_segment *table = find_table(&vp->vmcb->save, name);
	uint64_t *gp = context_gp(context, name);
	void *fx = context_fx(context, name);

	if (word)
		return set_word(vp, word, value.low);
	if (segment)
		return set_segment(vp, segment, &value);
	if (table)
		return set_table(vp->features, table, &value);
	if (fx)
		return context_set_fx(fx, name, value, vp->features->mxcsr_mask)
			       ? HV_STATUS_SUCCESS
			       : HV_STATUS_INVALID_REGISTER_VALUE;
	if (!gp)
		return set_computed(vp, name, value);
	*gp = value.low;
	return HV_STATUS_SUCCESS;
}

uint16_t svm_set_register(struct svm_vp *vp, struct sidecar_cpu_context *context, uint32_t name,
			  const struct hv_u128 *value)
{
	struct hv_u128 copy;
	uint16_t status;

	copy.low = __atomic_load_n(&value->low, __ATOMIC_RELAXED);
	copy.high = __atomic_load_n(&value->high, __ATOMIC_RELAXED);
	status = set_register(vp, context, name, copy);
	if (status == HV_STATUS_SUCCESS) {
		vp->vmcb->control.clean = SVM_CLEAN_NONE;
		vp->unchecked = true;
	}
	return status;
}

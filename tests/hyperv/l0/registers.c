// SPDX-License-Identifier: MIT
#include "registers.h"

#include "assist.h"
#include "guest.h"
#include "log.h"
#include "msr.h"
#include "partition.h"
#include "segment.h"
#include "time.h"
#include "vmcb_setup.h"
#include "x2apic.h"

#define CR0_MASK CR0_ALLOWED
#define CR4_MASK 0x770fffull
#define EFER_MASK (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR)
#define MTRR_VARIABLE 8u
#define XCR0_VALID 0x7ull

/* A register that is only a word of memory somewhere in the VMCB or in struct cpu. */
static uint64_t *plain(struct cpu *cpu, uint8_t vtl, uint32_t name)
{
	struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;
	struct synthetic *synthetic = &cpu->synthetic[vtl == 2];

	switch (name) {
	case HV_REGISTER_RSP:
		return &save->rsp;
	case HV_REGISTER_CR2:
		return &guest_vmcb(cpu, cpu->vtl)->save.cr2;
	case HV_REGISTER_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case HV_REGISTER_SYSENTER_CS:
		return &save->sysenter_cs;
	case HV_REGISTER_SYSENTER_EIP:
		return &save->sysenter_eip;
	case HV_REGISTER_SYSENTER_ESP:
		return &save->sysenter_esp;
	case HV_REGISTER_STAR:
		return &save->star;
	case HV_REGISTER_LSTAR:
		return &save->lstar;
	case HV_REGISTER_CSTAR:
		return &save->cstar;
	case HV_REGISTER_SFMASK:
		return &save->sfmask;
	case HV_REGISTER_TSC_AUX:
		return &cpu->vtl0.tsc_aux;
	case HV_REGISTER_SINT0 ... HV_REGISTER_SINT15:
		return &synthetic->sint[name - HV_REGISTER_SINT0];
	case HV_REGISTER_SCONTROL:
		return &synthetic->scontrol;
	case HV_REGISTER_SIEFP:
		return &synthetic->siefp;
	case HV_REGISTER_SIMP:
		return &synthetic->simp;
	case HV_REGISTER_STIMER0_CONFIG ... HV_REGISTER_STIMER3_COUNT:
		return &synthetic->stimer[name - HV_REGISTER_STIMER0_CONFIG];
	case HV_REGISTER_CRASH_P0 ... HV_REGISTER_CRASH_P4:
		return &synthetic->crash[name - HV_REGISTER_CRASH_P0];
	case HV_REGISTER_VSM_VINA:
		return &synthetic->vina;
	default:
		return NULL;
	}
}

static bool is_general(uint32_t name)
{
	return name >= HV_REGISTER_RAX && name <= HV_REGISTER_R15 && name != HV_REGISTER_RSP;
}

static struct svm_segment *segment(struct cpu *cpu, uint8_t vtl, uint32_t name)
{
	struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;
	struct svm_segment *all[] = {&save->es, &save->cs, &save->ss,	&save->ds,
				     &save->fs, &save->gs, &save->ldtr, &save->tr};

	if (name < HV_REGISTER_ES || name > HV_REGISTER_TR)
		return NULL;
	return all[name - HV_REGISTER_ES];
}

static struct svm_segment *table(struct cpu *cpu, uint8_t vtl, uint32_t name)
{
	struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;

	if (name == HV_REGISTER_IDTR)
		return &save->idtr;
	return name == HV_REGISTER_GDTR ? &save->gdtr : NULL;
}

/* ---- what is in the processor ---------------------------------------------------------------- */

struct fx_buffer {
	struct hv_fx_state fx;
} __attribute__((aligned(16)));

static void fx_save(struct fx_buffer *buffer)
{
	asm volatile("fxsave %0" : "=m"(buffer->fx));
}

static void fx_restore(const struct fx_buffer *buffer)
{
	asm volatile("fxrstor %0" : : "m"(buffer->fx));
}

void registers_get_xmm(struct hv_u128 *xmm, uint32_t count)
{
	struct fx_buffer buffer;

	fx_save(&buffer);
	__builtin_memcpy(xmm, buffer.fx.xmm, count * sizeof(*xmm));
}

/* NULL: none of these. The control words are in a form of their own. */
static void *fx_field(struct fx_buffer *buffer, uint32_t name)
{
	if (name >= HV_REGISTER_XMM0 && name <= HV_REGISTER_XMM15)
		return buffer->fx.xmm[name - HV_REGISTER_XMM0];
	if (name >= HV_REGISTER_FPMMX0 && name <= HV_REGISTER_FPMMX7)
		return buffer->fx.st[name - HV_REGISTER_FPMMX0];
	return NULL;
}

static uint64_t read_dr(uint32_t n)
{
	uint64_t value = 0;

	if (n == 0)
		asm volatile("mov %%dr0, %0" : "=r"(value));
	if (n == 1)
		asm volatile("mov %%dr1, %0" : "=r"(value));
	if (n == 2)
		asm volatile("mov %%dr2, %0" : "=r"(value));
	if (n == 3)
		asm volatile("mov %%dr3, %0" : "=r"(value));
	return value;
}

static void write_dr(uint32_t n, uint64_t value)
{
	if (n == 0)
		asm volatile("mov %0, %%dr0" : : "r"(value));
	if (n == 1)
		asm volatile("mov %0, %%dr1" : : "r"(value));
	if (n == 2)
		asm volatile("mov %0, %%dr2" : : "r"(value));
	if (n == 3)
		asm volatile("mov %0, %%dr3" : : "r"(value));
}

/* The MSR of an MTRR name, or 0. */
static uint32_t mtrr_msr(uint32_t name)
{
	if (name == HV_REGISTER_MTRR_CAP)
		return 0xfe;
	if (name == HV_REGISTER_MTRR_DEF_TYPE)
		return 0x2ff;
	if (name - HV_REGISTER_MTRR_PHYS_BASE0 < MTRR_VARIABLE)
		return 0x200 + 2 * (name - HV_REGISTER_MTRR_PHYS_BASE0);
	if (name - HV_REGISTER_MTRR_PHYS_MASK0 < MTRR_VARIABLE)
		return 0x201 + 2 * (name - HV_REGISTER_MTRR_PHYS_MASK0);
	if (name == HV_REGISTER_MTRR_FIX64K_00000)
		return 0x250;
	if (name == HV_REGISTER_MTRR_FIX16K_80000 || name == HV_REGISTER_MTRR_FIX16K_A0000)
		return 0x258 + (name - HV_REGISTER_MTRR_FIX16K_80000);
	if (name >= HV_REGISTER_MTRR_FIX4K_C0000 && name <= HV_REGISTER_MTRR_FIX4K_F8000)
		return 0x268 + (name - HV_REGISTER_MTRR_FIX4K_C0000);
	return 0;
}

static uint64_t read_xcr0(void)
{
	uint32_t low, high;
	uint64_t cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	return low | (uint64_t)high << 32;
}

/* ---- get ------------------------------------------------------------------------------------- */

uint64_t registers_interrupt_state(struct cpu *cpu)
{
	uint64_t state = 0;

	if (cpu->vmcb0.control.int_state & SVM_INT_STATE_SHADOW)
		state |= HV_INTERRUPT_STATE_SHADOW;
	if (cpu->vtl0.nmi_masked)
		state |= HV_INTERRUPT_STATE_NMI_MASKED;
	return state;
}

static uint64_t code_page_offsets(void)
{
	return partition.call_offset | (uint64_t)partition.return_offset
					       << HV_VSM_CODE_PAGE_RETURN_OFFSET_SHIFT;
}

static uint64_t capabilities(void)
{
	return HV_VSM_CAPABILITY_INTERCEPT_PAGE |
	       (partition.dr6_shared ? HV_VSM_CAPABILITY_DR6_SHARED : 0);
}

/* VTL0 and VTL2, never VTL1. */
static uint64_t vp_status(struct cpu *cpu)
{
	return cpu->vtl | (load(&cpu->vtl2_enabled) ? 5ull : 1ull)
				  << HV_VSM_VP_STATUS_ENABLED_VTLS_SHIFT;
}

static bool get_partition_wide(struct cpu *cpu, uint8_t vtl, uint32_t name, uint64_t *value)
{
	switch (name) {
	case HV_REGISTER_GUEST_OS_ID:
		*value = vtl == 2 ? partition.guest_os_id : 0;
		return true;
	case HV_REGISTER_HYPERCALL:
		*value = vtl == 2 ? partition.hypercall_msr : 0;
		return true;
	case HV_REGISTER_VP_INDEX:
		*value = cpu->vp_index;
		return true;
	case HV_REGISTER_VP_RUNTIME:
	case HV_REGISTER_TIME_REF_COUNT:
		*value = time_now();
		return true;
	case HV_REGISTER_REFERENCE_TSC:
		*value = partition.reference_tsc;
		return true;
	case HV_REGISTER_VSM_CODE_PAGE_OFFSETS:
		*value = code_page_offsets();
		return true;
	case HV_REGISTER_VSM_VP_STATUS:
		*value = vp_status(cpu);
		return true;
	case HV_REGISTER_VSM_PARTITION_STATUS:
		*value = 5 | 2ull << HV_VSM_PARTITION_STATUS_MAX_VTL_SHIFT;
		return true;
	case HV_REGISTER_VSM_CAPABILITIES:
		*value = capabilities();
		return true;
	case HV_REGISTER_VSM_PARTITION_CONFIG:
		*value = partition.vsm_config;
		return true;
	case HV_REGISTER_INITIAL_APIC_ID:
		*value = cpu->apic_id;
		return true;
	case HV_REGISTER_CRASH_CTL:
		*value = MSR_CRASH_CAPABILITIES;
		return true;
	default:
		return false;
	}
}

static bool get_vtl2_only(struct cpu *cpu, uint32_t name, uint64_t *value)
{
	if (name == HV_REGISTER_VP_ASSIST_PAGE)
		*value = cpu->assist;
	else if (name == HV_REGISTER_REGISTER_PAGE)
		*value = cpu->register_page;
	else
		return false;
	return true;
}

/* Events are what VTL2 injects into VTL0; its own are the processor's business. */
static bool get_event(struct cpu *cpu, uint8_t vtl, uint32_t name, struct hv_u128 *value)
{
	struct vtl0 none = {0};
	const struct vtl0 *vtl0 = vtl == 0 ? &cpu->vtl0 : &none;

	switch (name) {
	case HV_REGISTER_PENDING_INTERRUPTION:
		value->low = vtl0->pending_interruption;
		return true;
	case HV_REGISTER_INTERRUPT_STATE:
		value->low = vtl == 0 ? registers_interrupt_state(cpu) : 0;
		return true;
	case HV_REGISTER_PENDING_EVENT0:
		*value = vtl0->pending_event;
		return true;
	case HV_REGISTER_PENDING_EVENT1:
	case HV_REGISTER_INSTRUCTION_EMULATION_HINTS:
		return true;
	case HV_REGISTER_DELIVERABILITY_NOTIFICATIONS:
		value->low = vtl0->deliverability;
		return true;
	case HV_REGISTER_INTERNAL_ACTIVITY_STATE:
		value->low = vtl0->activity;
		return true;
	default:
		return false;
	}
}

static bool get_control(struct cpu *cpu, uint8_t vtl, uint32_t name, uint64_t *value)
{
	const struct svm_vmcb *vmcb = guest_vmcb(cpu, vtl);
	uint64_t cr8 = 0;

	switch (name) {
	case HV_REGISTER_RIP:
		*value = vmcb->save.rip;
		return true;
	case HV_REGISTER_RFLAGS:
		*value = vmcb->save.rflags;
		return true;
	case HV_REGISTER_CR0:
	case HV_REGISTER_INTERMEDIATE_CR0:
		*value = vmcb->save.cr0;
		return true;
	case HV_REGISTER_CR3:
	case HV_REGISTER_INTERMEDIATE_CR3:
		*value = vmcb->save.cr3;
		return true;
	case HV_REGISTER_CR4:
	case HV_REGISTER_INTERMEDIATE_CR4:
		*value = vmcb->save.cr4;
		return true;
	case HV_REGISTER_CR8:
	case HV_REGISTER_INTERMEDIATE_CR8:
		asm volatile("mov %%cr8, %0" : "=r"(cr8));
		*value = vtl == 0 ? vmcb->control.int_ctl & 0xf : cr8;
		return true;
	case HV_REGISTER_XFEM:
		*value = read_xcr0();
		return true;
	case HV_REGISTER_DR0 ... HV_REGISTER_DR3:
		*value = read_dr(name - HV_REGISTER_DR0);
		return true;
	case HV_REGISTER_DR6:
		*value = vmcb->save.dr6;
		return true;
	case HV_REGISTER_DR7:
		*value = vmcb->save.dr7;
		return true;
	case HV_REGISTER_TSC:
		*value = rdtsc();
		return true;
	case HV_REGISTER_EFER:
		*value = vmcb->save.efer & ~EFER_SVM;
		return true;
	case HV_REGISTER_APIC_BASE:
		*value = vtl == 0 ? cpu->vtl0.apic_base : x2apic_base(cpu);
		return true;
	case HV_REGISTER_PAT:
		*value = vmcb->save.g_pat;
		return true;
	default:
		return false;
	}
}

static bool get_wide(struct cpu *cpu, uint8_t vtl, uint32_t name, struct hv_u128 *value)
{
	struct svm_segment *seg = segment(cpu, vtl, name);
	struct svm_segment *tab = table(cpu, vtl, name);
	struct hv_segment hv;
	struct fx_buffer fx;

	if (seg) {
		hv = svm_segment_to_hv(seg);
		__builtin_memcpy(value, &hv, sizeof(hv));
		return true;
	}
	if (tab) {
		value->low = (uint64_t)(uint16_t)tab->limit << 48;
		value->high = tab->base;
		return true;
	}
	if (!fx_field(&fx, name))
		return false;
	fx_save(&fx);
	__builtin_memcpy(value, fx_field(&fx, name), sizeof(*value));
	return true;
}

static bool get_narrow(struct cpu *cpu, uint8_t vtl, uint32_t name, uint64_t *value)
{
	uint64_t *word = plain(cpu, vtl, name);

	if (is_general(name))
		*value = cpu->gps[name - HV_REGISTER_RAX];
	else if (word)
		*value = *word;
	else if (mtrr_msr(name))
		*value = rdmsr(mtrr_msr(name));
	else
		return get_control(cpu, vtl, name, value) ||
		       get_partition_wide(cpu, vtl, name, value) ||
		       (vtl == 2 && get_vtl2_only(cpu, name, value));
	return true;
}

uint16_t register_get(struct cpu *cpu, uint8_t vtl, uint32_t name, struct hv_u128 *value)
{
	*value = (struct hv_u128){0, 0};
	if (get_wide(cpu, vtl, name, value) || get_event(cpu, vtl, name, value) ||
	    get_narrow(cpu, vtl, name, &value->low))
		return HV_STATUS_SUCCESS;
	return HV_STATUS_UNKNOWN_REGISTER_NAME;
}

/* ---- set ------------------------------------------------------------------------------------- */

/* Who wakes a halted VTL0: whatever makes it do something else. */
static void wake(struct cpu *cpu, uint8_t vtl)
{
	if (vtl == 0)
		cpu->vtl0.activity &= ~HV_ACTIVITY_HALT_SUSPEND;
}

static uint16_t keep(uint64_t *where, uint64_t value, bool valid)
{
	if (!valid)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	*where = value;
	return HV_STATUS_SUCCESS;
}

/* Long mode is what LME and PG make of it: LMA follows, as on a processor. */
static void settle(struct svm_save_area *save)
{
	if ((save->efer & EFER_LME) && (save->cr0 & CR0_PG))
		save->efer |= EFER_LMA;
	else
		save->efer &= ~EFER_LMA;
}

static uint16_t set_efer(struct svm_save_area *save, uint64_t value)
{
	if (value & ~EFER_MASK)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	save->efer = value | EFER_SVM;
	return HV_STATUS_SUCCESS;
}

static bool pat_valid(uint64_t pat)
{
	for (unsigned int i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

static uint16_t set_cr8(struct cpu *cpu, uint8_t vtl, uint64_t value)
{
	struct svm_control_area *control = &cpu->vmcb0.control;

	if (value > 15)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (vtl == 0)
		control->int_ctl = (control->int_ctl & ~SVM_INT_CTL_TPR_MASK) | value;
	else
		asm volatile("mov %0, %%cr8" : : "r"(value));
	return HV_STATUS_SUCCESS;
}

static uint16_t set_rflags(struct cpu *cpu, uint8_t vtl, uint64_t value)
{
	if (!(value & RFLAGS_FIXED) || (value & RFLAGS_RESERVED))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	guest_vmcb(cpu, vtl)->save.rflags = value;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_control(struct cpu *cpu, uint8_t vtl, uint32_t name, uint64_t value)
{
	struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;

	switch (name) {
	case HV_REGISTER_RIP:
		wake(cpu, vtl);
		return keep(&save->rip, value, svm_is_canonical(value, save->cr4));
	case HV_REGISTER_RFLAGS:
		return set_rflags(cpu, vtl, value);
	case HV_REGISTER_CR0:
		return keep(&save->cr0, value | CR0_ET,
			    !(value & ~CR0_MASK) && (!(value & CR0_PG) || (value & CR0_PE)) &&
				    (!(value & CR0_NW) || (value & CR0_CD)));
	case HV_REGISTER_CR3:
		return keep(&save->cr3, value, !(value >> 40));
	case HV_REGISTER_CR4:
		return keep(&save->cr4, value, !(value & ~CR4_MASK));
	case HV_REGISTER_CR8:
		return set_cr8(cpu, vtl, value);
	case HV_REGISTER_DR6:
		return keep(&save->dr6, value, !(value >> 32));
	case HV_REGISTER_DR7:
		return keep(&save->dr7, value, !(value >> 32));
	case HV_REGISTER_EFER:
		return set_efer(save, value);
	case HV_REGISTER_PAT:
		return keep(&save->g_pat, value, pat_valid(value));
	case HV_REGISTER_APIC_BASE:
		return keep(&cpu->vtl0.apic_base, value, vtl == 0 && !(value & 0x2ff));
	default:
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	}
}

static uint16_t set_interrupt_state(struct cpu *cpu, uint64_t value)
{
	struct svm_control_area *control = &cpu->vmcb0.control;

	if (value & HV_INTERRUPT_STATE_RESERVED_MASK)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	control->int_state &= ~SVM_INT_STATE_SHADOW;
	if (value & HV_INTERRUPT_STATE_SHADOW)
		control->int_state |= SVM_INT_STATE_SHADOW;
	cpu->vtl0.nmi_masked = value & HV_INTERRUPT_STATE_NMI_MASKED;
	return HV_STATUS_SUCCESS;
}

static uint64_t interruption_type(uint64_t value)
{
	return (value & HV_PENDING_INTERRUPTION_TYPE_MASK) >> HV_PENDING_INTERRUPTION_TYPE_SHIFT;
}

static uint64_t interruption_vector(uint64_t value)
{
	return (value & HV_PENDING_INTERRUPTION_VECTOR_MASK) >>
	       HV_PENDING_INTERRUPTION_VECTOR_SHIFT;
}

static bool interruption_valid(uint64_t value)
{
	uint64_t type = interruption_type(value);

	if (!(value & HV_PENDING_INTERRUPTION_PENDING))
		return true;
	if ((value & (HV_PENDING_INTERRUPTION_RESERVED_MASK | HV_PENDING_INTERRUPTION_NESTED)) ||
	    type == 1 || type > 6 || interruption_vector(value) > 255)
		return false;
	if (type == HV_INTERRUPTION_TYPE_EXCEPTION)
		return interruption_vector(value) < 32;
	return type != HV_INTERRUPTION_TYPE_NMI || interruption_vector(value) == 2;
}

static bool event_valid(const struct hv_u128 *value)
{
	uint64_t type = (value->low & HV_EVENT_TYPE_MASK) >> HV_EVENT_TYPE_SHIFT;

	if (!(value->low & HV_EVENT_PENDING))
		return true;
	if (type == HV_EVENT_TYPE_EXCEPTION)
		return !(value->low & HV_EVENT_EXCEPTION_RESERVED_MASK) &&
		       (value->low & HV_EVENT_EXCEPTION_VECTOR_MASK) >>
			       HV_EVENT_EXCEPTION_VECTOR_SHIFT < 32;
	return type == HV_EVENT_TYPE_EXTERNAL_INTERRUPT &&
	       !(value->low & HV_EVENT_INTERRUPT_RESERVED_MASK) && !value->high;
}

static uint16_t set_event(struct cpu *cpu, uint32_t name, const struct hv_u128 *value)
{
	struct vtl0 *vtl0 = &cpu->vtl0;

	switch (name) {
	case HV_REGISTER_PENDING_INTERRUPTION:
		wake(cpu, 0);
		return keep(&vtl0->pending_interruption, value->low,
			    interruption_valid(value->low));
	case HV_REGISTER_INTERRUPT_STATE:
		return set_interrupt_state(cpu, value->low);
	case HV_REGISTER_PENDING_EVENT0:
		if (!event_valid(value))
			return HV_STATUS_INVALID_REGISTER_VALUE;
		vtl0->pending_event = *value;
		return HV_STATUS_SUCCESS;
	case HV_REGISTER_PENDING_EVENT1:
		return value->low & HV_EVENT_PENDING ? HV_STATUS_INVALID_REGISTER_VALUE
						     : HV_STATUS_SUCCESS;
	case HV_REGISTER_DELIVERABILITY_NOTIFICATIONS:
		return keep(&vtl0->deliverability, value->low,
			    !(value->low & HV_DELIVERABILITY_RESERVED_MASK));
	case HV_REGISTER_INTERNAL_ACTIVITY_STATE:
		return keep(&vtl0->activity, value->low, !(value->low & HV_ACTIVITY_RESERVED_MASK));
	default:
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	}
}

static uint16_t set_segment(struct svm_save_area *save, struct svm_segment *to,
			    const struct hv_u128 *value)
{
	struct hv_segment hv;

	__builtin_memcpy(&hv, value, sizeof(hv));
	if (!svm_segment_from_hv(to, &hv))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (to == &save->ss)
		save->cpl = (to->attributes & SVM_SEGMENT_DPL_MASK) >> SVM_SEGMENT_DPL_SHIFT;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_table(struct svm_segment *to, const struct hv_u128 *value)
{
	if ((value->low & 0xffffffffffffull) || !svm_is_canonical(value->high, 0))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	to->limit = (uint32_t)(value->low >> 48);
	to->base = value->high;
	return HV_STATUS_SUCCESS;
}

static uint16_t set_vsm_config(struct cpu *cpu, uint64_t value)
{
	if (value >> 16)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	log_line(cpu, "VsmPartitionConfig = 0x%lx", value);
	store(&partition.vsm_config, value);
	return HV_STATUS_SUCCESS;
}

/* Software that uses a hypercall for these would change the registers that it is using. */
static bool is_shared(uint32_t name)
{
	return is_general(name) || name == HV_REGISTER_CR2 || name == HV_REGISTER_XFEM ||
	       (name >= HV_REGISTER_XMM0 && name <= HV_REGISTER_XMM_CONTROL_STATUS) ||
	       (name >= HV_REGISTER_DR0 && name <= HV_REGISTER_DR3) || mtrr_msr(name) ||
	       (name == HV_REGISTER_DR6 && partition.dr6_shared);
}

static uint16_t set_shared(struct cpu *cpu, uint8_t vtl, uint32_t name, const struct hv_u128 *value)
{
	struct fx_buffer fx;

	log_violation(cpu, "register 0x%x, which the VTLs share, set by hypercall", name);
	if (is_general(name)) {
		cpu->gps[name - HV_REGISTER_RAX] = value->low;
	} else if (fx_field(&fx, name)) {
		fx_save(&fx);
		__builtin_memcpy(fx_field(&fx, name), value, sizeof(*value));
		fx_restore(&fx);
	} else if (name >= HV_REGISTER_DR0 && name <= HV_REGISTER_DR3) {
		write_dr(name - HV_REGISTER_DR0, value->low);
	} else if (name == HV_REGISTER_DR6) {
		guest_vmcb(cpu, cpu->vtl)->save.dr6 = value->low;
	} else if (plain(cpu, vtl, name)) {
		*plain(cpu, vtl, name) = value->low;
	} else {
		return HV_STATUS_INVALID_PARAMETER;
	}
	return HV_STATUS_SUCCESS;
}

static bool is_canonical_only(uint32_t name)
{
	return name == HV_REGISTER_KERNEL_GS_BASE || name == HV_REGISTER_LSTAR ||
	       name == HV_REGISTER_CSTAR || name == HV_REGISTER_SYSENTER_EIP ||
	       name == HV_REGISTER_SYSENTER_ESP;
}

static bool is_read_only(struct cpu *cpu, uint32_t name)
{
	uint64_t value;

	return name == HV_REGISTER_MTRR_CAP || name == HV_REGISTER_TSC ||
	       (name >= HV_REGISTER_INTERMEDIATE_CR0 && name <= HV_REGISTER_INTERMEDIATE_CR8) ||
	       (name != HV_REGISTER_VSM_PARTITION_CONFIG &&
		get_partition_wide(cpu, 2, name, &value));
}

static uint16_t set_vtl2_only(struct cpu *cpu, uint32_t name, uint64_t value)
{
	if (name == HV_REGISTER_REGISTER_PAGE)
		return register_page_set(cpu, value);
	if (name == HV_REGISTER_VP_ASSIST_PAGE)
		return assist_set(cpu, value) ? HV_STATUS_SUCCESS
					      : HV_STATUS_INVALID_REGISTER_VALUE;
	if (name == HV_REGISTER_VSM_PARTITION_CONFIG)
		return set_vsm_config(cpu, value);
	return HV_STATUS_UNKNOWN_REGISTER_NAME;
}

static uint16_t set_rest(struct cpu *cpu, uint8_t vtl, uint32_t name, const struct hv_u128 *value)
{
	uint16_t status = set_control(cpu, vtl, name, value->low);

	if (status == HV_STATUS_UNKNOWN_REGISTER_NAME && vtl == 0)
		status = set_event(cpu, name, value);
	if (status == HV_STATUS_UNKNOWN_REGISTER_NAME && vtl == 2)
		status = set_vtl2_only(cpu, name, value->low);
	if (status == HV_STATUS_UNKNOWN_REGISTER_NAME && is_read_only(cpu, name))
		status = HV_STATUS_INVALID_PARAMETER;
	settle(&guest_vmcb(cpu, vtl)->save);
	return status;
}

uint16_t register_set(struct cpu *cpu, uint8_t vtl, uint32_t name, const struct hv_u128 *value)
{
	struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;
	struct svm_segment *seg = segment(cpu, vtl, name);
	struct svm_segment *tab = table(cpu, vtl, name);
	uint64_t *word = plain(cpu, vtl, name);

	if (is_shared(name))
		return set_shared(cpu, vtl, name, value);
	if (seg)
		return set_segment(save, seg, value);
	if (tab)
		return set_table(tab, value);
	if (word)
		return keep(word, value->low,
			    !is_canonical_only(name) || svm_is_canonical(value->low, 0));
	return set_rest(cpu, vtl, name, value);
}

// SPDX-License-Identifier: MIT
/* Intercepts: APM vol. 2, 15.9 to 15.13; the state after INIT: 14.1.3; permission maps: 15.10-11.
 */
#include "vmcb_setup.h"

#include "control.h"
#include "cpu_features.h"
#include "msr.h"
#include "nested.h"
#include "segment.h"
#include "x2apic.h"

#define IOPM_SIZE (3 * 4096)
#define MSRPM_SIZE (2 * 4096)

#define CODE32 0xc9b /* VMCB attributes: 32-bit code, present, accessed */
#define DATA32 0xc93
#define CODE16 0x09b
#define DATA16 0x093
#define LDT_ATTRIBUTES 0x082
#define TSS_BUSY 0x08b

static uint8_t iopm[2][IOPM_SIZE] __attribute__((aligned(4096)));   /* VTL0, VTL2 */
static uint8_t msrpm[2][MSRPM_SIZE] __attribute__((aligned(4096))); /* VTL0, VTL2 */
static uint32_t exceptions;

static uint8_t idle_code[PAGE] __attribute__((aligned(4096))) = {0xf4, 0xeb, 0xfd}; /* hlt; jmp */

/* ---- permission maps ------------------------------------------------------------------------- */

/* Bit number of the read permission in the map, or -1: no such range, which always exits. */
static int msr_bit(uint32_t msr)
{
	if (msr < 0x2000)
		return (int)(msr * 2);
	if (msr - 0xc0000000 < 0x2000)
		return (int)(0x4000 + (msr - 0xc0000000) * 2);
	if (msr - 0xc0010000 < 0x2000)
		return (int)(0x8000 + (msr - 0xc0010000) * 2);
	return -1;
}

static void set_msr(uint8_t *map, uint32_t msr, bool intercepted)
{
	int bit = msr_bit(msr);

	map[bit / 8] &= (uint8_t) ~(3 << bit % 8);
	map[bit / 8] |= (uint8_t)(intercepted ? 3 << bit % 8 : 0);
}

static void set_msr_write(uint8_t *map, uint32_t msr)
{
	int bit = msr_bit(msr);

	map[bit / 8] |= (uint8_t)(2 << bit % 8);
}

/* TCG takes every value for an MTRR; a processor does not, and software has to know. */
static void intercept_mtrrs(uint8_t *map)
{
	for (uint32_t msr = 0x200; msr < 0x300; msr++)
		if (msr_is_mtrr(msr))
			set_msr_write(map, msr);
}

/* VTL2 owns the machine but for what would take it from L0. */
static void init_vtl2_maps(void)
{
	static const uint32_t intercepted[] = {MSR_APIC_BASE, MSR_EFER, 0xc0010114,
					       MSR_VM_HSAVE_PA};

	for (uint32_t i = 0; i < sizeof(intercepted) / sizeof(intercepted[0]); i++)
		set_msr(msrpm[1], intercepted[i], true);
	for (uint32_t msr = 0x800; msr < 0x900; msr++)
		set_msr(msrpm[1], msr, true);
	intercept_mtrrs(msrpm[1]);
	control_intercept_ports(iopm[1]);
}

/* What VMLOAD and VMSAVE switch is VTL0's own; every other MSR is intercepted. */
static void init_vtl0_maps(void)
{
	static const uint32_t own[] = {0x174,	   0x175,      0x176,	   0xc0000081, 0xc0000082,
				       0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102};

	__builtin_memset(iopm[0], 0xff, sizeof(iopm[0]));
	__builtin_memset(msrpm[0], 0xff, sizeof(msrpm[0]));
	for (uint32_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		set_msr(msrpm[0], own[i], false);
}

void vmcb_init_maps(void)
{
	init_vtl0_maps();
	init_vtl2_maps();
}

/* ---- control area ---------------------------------------------------------------------------- */

static void set_common(struct cpu *cpu, struct svm_vmcb *vmcb, uint8_t vtl)
{
	struct svm_control_area *control = &vmcb->control;

	__builtin_memset(vmcb, 0, sizeof(*vmcb));
	control->intercept_misc2 = SVM_INTERCEPT2_VMRUN | SVM_INTERCEPT2_VMMCALL |
				   SVM_INTERCEPT2_VMLOAD | SVM_INTERCEPT2_VMSAVE |
				   SVM_INTERCEPT2_STGI | SVM_INTERCEPT2_CLGI |
				   SVM_INTERCEPT2_SKINIT;
	control->intercept_misc1 = SVM_INTERCEPT1_CPUID | SVM_INTERCEPT1_IOIO | SVM_INTERCEPT1_MSR |
				   SVM_INTERCEPT1_SHUTDOWN | SVM_INTERCEPT1_NMI;
	control->iopm_base_pa = (uint64_t)iopm[vtl == 2];
	control->msrpm_base_pa = (uint64_t)msrpm[vtl == 2];
	control->guest_asid = vtl == 2 ? 2 : 1;
	control->tlb_control = SVM_TLB_FLUSH_ALL;
	control->nested_control = SVM_NESTED_ENABLE;
	control->nested_cr3 = nested_root(vtl == 2 ? NESTED_VTL2 : NESTED_VTL0);
	vmcb->save.g_pat = PAT_RESET;
	vmcb->save.dr6 = DR6_RESET;
	vmcb->save.dr7 = DR7_RESET;
	vmcb->save.efer = EFER_SVME;
	vmcb->save.rflags = RFLAGS_FIXED;
	cpu->vtl = 2;
}

void vmcb_intercept_exception(uint8_t vector)
{
	__atomic_fetch_or(&exceptions, 1u << vector, __ATOMIC_RELAXED);
}

void vmcb_refresh_intercepts(struct cpu *cpu)
{
	cpu->vmcb0.control.intercept_exceptions = load(&exceptions);
}

/* ---- save area ------------------------------------------------------------------------------- */

static void set_data(struct svm_save_area *save, struct svm_segment data)
{
	save->ds = data;
	save->es = data;
	save->fs = data;
	save->gs = data;
	save->ss = data;
}

/* As after INIT, which SIPI starts at vector << 12. */
static void set_real_mode(struct svm_save_area *save, uint32_t vector)
{
	save->cs = (struct svm_segment){(uint16_t)(vector << 8), CODE16, 0xffff, vector << 12};
	set_data(save, (struct svm_segment){0, DATA16, 0xffff, 0});
	save->gdtr.limit = 0xffff;
	save->idtr.limit = 0xffff;
	save->ldtr = (struct svm_segment){0, LDT_ATTRIBUTES, 0xffff, 0};
	save->tr = (struct svm_segment){0, TSS_BUSY, 0xffff, 0};
	save->cr0 = CR0_ET;
	save->rip = 0;
}

static void set_context(struct svm_save_area *save, const struct hv_initial_vp_context *context)
{
	svm_segment_from_hv(&save->cs, &context->cs);
	svm_segment_from_hv(&save->ds, &context->ds);
	svm_segment_from_hv(&save->es, &context->es);
	svm_segment_from_hv(&save->fs, &context->fs);
	svm_segment_from_hv(&save->gs, &context->gs);
	svm_segment_from_hv(&save->ss, &context->ss);
	svm_segment_from_hv(&save->tr, &context->tr);
	svm_segment_from_hv(&save->ldtr, &context->ldtr);
	save->gdtr.base = context->gdtr.base;
	save->gdtr.limit = context->gdtr.limit;
	save->idtr.base = context->idtr.base;
	save->idtr.limit = context->idtr.limit;
	save->efer = context->efer | EFER_SVME;
	save->cr0 = context->cr0 | CR0_ET;
	save->cr3 = context->cr3;
	save->cr4 = context->cr4;
	save->g_pat = context->pat;
	save->rip = context->rip;
	save->rsp = context->rsp;
	save->rflags = context->rflags;
	save->cpl = (save->ss.attributes & SVM_SEGMENT_DPL_MASK) >> SVM_SEGMENT_DPL_SHIFT;
}

static void set_idle(struct cpu *cpu)
{
	struct svm_save_area *save = &cpu->idle.save;

	set_common(cpu, &cpu->idle, 0);
	cpu->idle.control.nested_control = 0; /* idle_code is L0's */
	cpu->idle.control.intercept_misc1 |= SVM_INTERCEPT1_INTR;
	cpu->idle.control.int_ctl = SVM_INT_CTL_V_INTR_MASKING;
	save->cs = (struct svm_segment){8, CODE32, 0xffffffff, 0};
	set_data(save, (struct svm_segment){16, DATA32, 0xffffffff, 0});
	save->tr = (struct svm_segment){0, TSS_BUSY, 0xffff, 0};
	save->ldtr = (struct svm_segment){0, LDT_ATTRIBUTES, 0xffff, 0};
	save->cr0 = CR0_PE | CR0_ET;
	save->rip = (uint64_t)idle_code;
}

static void set_vtl0(struct cpu *cpu)
{
	struct svm_control_area *control = &cpu->vmcb0.control;

	set_common(cpu, &cpu->vmcb0, 0);
	control->intercept_misc1 |= SVM_INTERCEPT1_INTR | SVM_INTERCEPT1_HLT | SVM_INTERCEPT1_INVD |
				    SVM_INTERCEPT1_TASK_SWITCH | SVM_INTERCEPT1_RDPMC;
	control->intercept_misc2 |= SVM_INTERCEPT2_MONITOR | SVM_INTERCEPT2_MWAIT;
	control->int_ctl = SVM_INT_CTL_V_INTR_MASKING;
	set_real_mode(&cpu->vmcb0.save, 0);
	cpu->vmcb0.save.rip = 0xfff0;
	cpu->vmcb0.save.cs.base = 0xffff0000;
	cpu->vmcb0.save.cs.selector = 0xf000;
	cpu->vtl0 = (struct vtl0){.apic_base = APIC | HV_APIC_BASE_ENABLE};
	if (cpu->vp_index == 0)
		cpu->vtl0.apic_base |= HV_APIC_BASE_BSP;
	vmcb_refresh_intercepts(cpu);
}

void vmcb_setup(struct cpu *cpu, enum start how)
{
	/* VTL0 survives a restart of VTL2: it is another OS. */
	if (cpu->starts == 0) {
		set_vtl0(cpu);
		set_idle(cpu);
	}
	set_common(cpu, &cpu->vmcb2, 2);
	cpu->xapic_hidden = false;
	if (how == START_CONTEXT) {
		x2apic_hide_page(cpu);
		set_context(&cpu->vmcb2.save, &cpu->context);
	} else
		set_real_mode(&cpu->vmcb2.save, cpu->sipi_vector);
	for (unsigned int i = 0; i < 16; i++)
		cpu->gps[i] = 0;
	if (how == START_SIPI)
		cpu->gps[HV_GP_RDX] = 0x600; /* family, as INIT leaves it */
}

void vmcb_setup_pvh(struct cpu *cpu, uint32_t entry, uint32_t start_info)
{
	struct svm_save_area *save = &cpu->vmcb2.save;

	vmcb_setup(cpu, START_SIPI);
	save->cs = (struct svm_segment){8, CODE32, 0xffffffff, 0};
	set_data(save, (struct svm_segment){16, DATA32, 0xffffffff, 0});
	save->cr0 = CR0_PE | CR0_ET;
	save->rip = entry;
	cpu->gps[HV_GP_RBX] = start_info;
	cpu->starts++;
}

/* ---- the context of StartVirtualProcessor ---------------------------------------------------- */

#define CR4_CONTEXT_ALLOWED 0x770fffull
#define EFER_CONTEXT_ALLOWED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR)

static bool pat_valid(uint64_t pat)
{
	for (unsigned int i = 0; i < 8; i++, pat >>= 8) {
		uint8_t type = (uint8_t)pat;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool table_valid(const struct hv_table *table)
{
	return !table->pad[0] && !table->pad[1] && !table->pad[2] &&
	       svm_is_canonical(table->base, 0);
}

static const char *check_segments(const struct hv_initial_vp_context *c)
{
	const struct hv_segment *all[] = {&c->cs, &c->ds, &c->es, &c->fs,
					  &c->gs, &c->ss, &c->tr, &c->ldtr};
	struct svm_segment ignored;

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!svm_segment_from_hv(&ignored, all[i]))
			return "a segment";
	if (!(c->cs.attributes & HV_SEGMENT_PRESENT))
		return "CS, not present";
	if (!table_valid(&c->gdtr) || !table_valid(&c->idtr))
		return "GDTR or IDTR";
	return NULL;
}

static const char *check_registers(const struct hv_initial_vp_context *c)
{
	bool long_mode = (c->efer & EFER_LME) && (c->cr0 & CR0_PG);

	if (c->cr0 & ~CR0_ALLOWED)
		return "CR0, reserved bits";
	if ((c->cr0 & CR0_PG) && !(c->cr0 & CR0_PE))
		return "CR0, PG without PE";
	if ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD))
		return "CR0, NW without CD";
	if (c->cr4 & ~CR4_CONTEXT_ALLOWED)
		return "CR4, reserved bits";
	if (c->efer & ~EFER_CONTEXT_ALLOWED)
		return "EFER, reserved bits";
	if (!!(c->efer & EFER_LMA) != long_mode)
		return "EFER.LMA, not what LME and PG make of it";
	if (long_mode && !(c->cr4 & CR4_PAE))
		return "CR4, no PAE in long mode";
	if (c->cr3 >> 40)
		return "CR3, beyond physical memory";
	if (!(c->rflags & RFLAGS_FIXED) || (c->rflags & RFLAGS_RESERVED))
		return "RFLAGS, reserved bits";
	if (!svm_is_canonical(c->rip, c->cr4) || !svm_is_canonical(c->rsp, c->cr4))
		return "RIP or RSP, not canonical";
	return pat_valid(c->pat) ? NULL : "PAT";
}

uint16_t vmcb_check_context(const struct hv_initial_vp_context *context, const char **what)
{
	*what = check_registers(context);
	if (!*what)
		*what = check_segments(context);
	return *what ? HV_STATUS_INVALID_REGISTER_VALUE : HV_STATUS_SUCCESS;
}

// SPDX-License-Identifier: MIT
#include "hardware.h"

#include "arch.h"
#include "arch/x86/arch_cpu.h"
#include "arch/x86/fixup.h"
#include "arch/x86/x86.h"
#include "console/format.h"
#include "cpuid.h"
#include "instructions.h"

#define BIT(n) (1u << (n))
#define LEAF_SVM 0x8000000au

#define CR4_HOST (CR4_OSFXSR | CR4_OSXMMEXCPT)

#define XCR0_X87 1ull
#define XCR0_YMM 7ull

#define ENTRY_ADDRESS 0x000ffffffffff000ull

struct svm_host svm_host;

/* ---- what the processor is ------------------------------------------------------------------- */

static bool leaf_exists(uint32_t leaf)
{
	return cpuid(leaf & 0x80000000u, 0).eax >= leaf;
}

/* APM vol. 2, 15.4. */
static bool has_svm(void)
{
	return leaf_exists(LEAF_SVM) && (cpuid(0x80000001, 0).ecx & BIT(2)) &&
	       (cpuid(LEAF_SVM, 0).edx & SVM_FEATURE_NESTED_PAGING);
}

static bool firmware_forbids(void)
{
	uint64_t vm_cr;

	return !rdmsr_safe(MSR_VM_CR, &vm_cr) || (vm_cr & VM_CR_SVM_DISABLE);
}

/* FXSAVE writes MXCSR and its mask only with CR4.OSFXSR, and faults with CR0.EM or TS. */
static uint32_t mxcsr_mask(void)
{
	struct hv_fx_state fx __attribute__((aligned(16))) = {0};
	uint64_t cr0 = read_cr0();
	uint64_t cr4 = read_cr4();

	write_cr0(cr0 & ~(CR0_EM | CR0_TS));
	write_cr4(cr4 | CR4_HOST);
	fx_save(&fx);
	write_cr4(cr4);
	write_cr0(cr0);
	return fx.mxcsr_mask;
}

static void probe_features(void)
{
	struct svm_cpuid visible = svm_cpuid_features();
	uint32_t svm = cpuid(LEAF_SVM, 0).edx;
	uint32_t leaf1 = cpuid(1, 0).ecx;

	svm_features_init(&svm_host.features, &visible, mxcsr_mask());
	svm_host.nrip_save = svm & SVM_FEATURE_NRIP_SAVE;
	svm_host.flush_by_asid = svm & SVM_FEATURE_FLUSH_BY_ASID;
	svm_host.ibpb = leaf_exists(0x80000008) && (cpuid(0x80000008, 0).ebx & BIT(12));
	svm_host.xsave = leaf1 & BIT(26);
	svm_host.avx = svm_host.xsave && (leaf1 & BIT(28));
	svm_host.tsc_aux = cpuid(0x80000001, 0).edx & BIT(27);
}

bool svm_hardware_probe(struct sidecar_command_error *error)
{
	if (!has_svm()) {
		error_format(error, "this CPU has no AMD-V with nested paging (CPUID 8000000A)");
		return false;
	}
	if (firmware_forbids()) {
		error_format(error, "the firmware has disabled AMD-V (VM_CR.SVMDIS)");
		return false;
	}
	probe_features();
	return true;
}

/* ---- on and off ------------------------------------------------------------------------------ */

/* INIT leaves XCR0 as Linux had it: a guest must not reach more than is switched. */
static void start_extended_state(void)
{
	if (!svm_host.xsave)
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	xsetbv_safe(0, XCR0_X87);
}

static void find_task_register(struct svm_guest *guest)
{
	guest->tss_descriptor = (uint8_t *)&this_globals()->arch.gdt[SELECTOR_TSS / 8];
	guest->tss_selector = SELECTOR_TSS;
}

void svm_hardware_start(struct cpu *cpu)
{
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_HOST);
	start_extended_state();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, cpu->backend_pages.value + SIDECAR_PAGE_SIZE);
	find_task_register(&cpu->backend.guest);
	svm_hardware_scrub();
}

void svm_hardware_stop(void)
{
	svm_hardware_scrub();
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
}

/* ---- registers around RUN_VP ----------------------------------------------------------------- */

void svm_hardware_load_tsc_aux(const struct svm_vp *vp)
{
	if (svm_host.tsc_aux)
		wrmsr_safe(MSR_TSC_AUX, vp->tsc_aux);
}

/* The caller has checked MXCSR and XFEM. */
void svm_hardware_load(struct cpu *cpu)
{
	const struct svm_vp *vp = &cpu->backend.vp;

	fxrstor_safe(&cpu->backend.guest.fx);
	dr_load(vp->dr);
	if (svm_host.xsave)
		xsetbv_safe(0, vp->xfem);
	svm_hardware_load_tsc_aux(vp);
}

void svm_hardware_store(struct cpu *cpu)
{
	fx_save(&cpu->backend.guest.fx);
	dr_store(cpu->backend.vp.dr);
}

/* XMM and the lower halves go with the FXRSTOR, what is above them with VZEROALL. */
static void scrub_vectors(void)
{
	static const struct hv_fx_state clean __attribute__((aligned(16))) = {
		.fcw = HV_FX_DEFAULT_FCW, .mxcsr = HV_FX_DEFAULT_MXCSR};

	if (svm_host.avx && xsetbv_safe(0, XCR0_YMM)) {
		ymm_clear();
		xsetbv_safe(0, XCR0_X87);
	}
	fpu_init();
	fxrstor_safe(&clean);
}

void svm_hardware_scrub(void)
{
	static const uint64_t no_breakpoints[4];

	scrub_vectors();
	dr_load(no_breakpoints);
	if (svm_host.tsc_aux)
		wrmsr_safe(MSR_TSC_AUX, 0);
	if (svm_host.ibpb)
		wrmsr_safe(MSR_PRED_CMD, PRED_CMD_IBPB);
}

void svm_machine_check(void)
{
	asm volatile("int $18");
}

/* ---- the image ------------------------------------------------------------------------------- */

phys_t svm_image_page(struct cpu *cpu, const void *page)
{
	uint64_t va = (uint64_t)page;
	uint64_t table = read_cr3() & ENTRY_ADDRESS;

	for (int shift = 39; shift >= 12; shift -= 9) {
		const uint64_t *entries = window_open(cpu, 0, phys(table), false);

		table = entries[(va >> shift) & 511] & ENTRY_ADDRESS;
	}
	window_close(cpu, 0);
	return phys(table);
}

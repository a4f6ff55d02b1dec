// SPDX-License-Identifier: MIT
#include "hardware.h"

#include "arch/x86/arch_cpu.h"
#include "arch/x86/fixup.h"
#include "arch/x86/idt.h"
#include "arch/x86/x86.h"
#include "main.h"
#include "mm/layout.h"

#define FX_DEFAULT_MXCSR_MASK 0xffbfu /* of a processor that stores 0 (APM vol. 1, 11.5.9) */

/* For the first instructions of a VP, until arch_cpu_start: its own has a place but no contents. */
static const uint64_t start_gdt[] = {
	[SELECTOR_CODE / 8] = GDT_CODE,
	[SELECTOR_DATA / 8] = GDT_DATA,
};

bool hyperv_rdmsr(uint32_t msr, uint64_t *value)
{
	return rdmsr_safe(msr, value);
}

bool hyperv_wrmsr(uint32_t msr, uint64_t value)
{
	return wrmsr_safe(msr, value);
}

/* ---- registers that the VTLs share ----------------------------------------------------------- */

uint64_t hyperv_get_dr(unsigned int number)
{
	uint64_t value;

	switch (number) {
	case 0:
		asm volatile("mov %%dr0, %0" : "=r"(value));
		return value;
	case 1:
		asm volatile("mov %%dr1, %0" : "=r"(value));
		return value;
	case 2:
		asm volatile("mov %%dr2, %0" : "=r"(value));
		return value;
	case 3:
		asm volatile("mov %%dr3, %0" : "=r"(value));
		return value;
	}
	asm volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

void hyperv_set_dr(unsigned int number, uint64_t value)
{
	switch (number) {
	case 0:
		asm volatile("mov %0, %%dr0" : : "r"(value));
		return;
	case 1:
		asm volatile("mov %0, %%dr1" : : "r"(value));
		return;
	case 2:
		asm volatile("mov %0, %%dr2" : : "r"(value));
		return;
	case 3:
		asm volatile("mov %0, %%dr3" : : "r"(value));
		return;
	}
	asm volatile("mov %0, %%dr6" : : "r"(value));
}

/* Without REX.W: FIP and FDP are 32-bit offset and selector, as the command page has them. */
static void fx_save(struct hv_fx_state *fx)
{
	asm volatile("fxsave %0" : "=m"(*fx));
}

bool hyperv_load(const struct hyperv_guest *guest)
{
	if (!fxrstor_safe(&guest->fx))
		return false;
	write_cr2(guest->gps[SIDECAR_GP_CR2]);
	return true;
}

void hyperv_store(struct hyperv_guest *guest)
{
	guest->gps[SIDECAR_GP_CR2] = read_cr2();
	fx_save(&guest->fx);
}

uint32_t hyperv_mxcsr_mask(void)
{
	struct hv_fx_state fx __attribute__((aligned(16))) = {0};

	fx_save(&fx);
	return fx.mxcsr_mask ? fx.mxcsr_mask : FX_DEFAULT_MXCSR_MASK;
}

/* ---- the beginning of a VP ------------------------------------------------------------------- */

void hyperv_boot_tables(struct hv_table *gdt, struct hv_table *idt)
{
	*gdt = (struct hv_table){.limit = sizeof(start_gdt) - 1, .base = (uint64_t)start_gdt};
	*idt = (struct hv_table){.limit = sizeof(boot_idt) - 1, .base = (uint64_t)boot_idt};
}

_Noreturn void hyperv_halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

phys_t hyperv_image_at(phys_t image, const void *part)
{
	return phys(image.value + ((uint64_t)part - IMAGE_VA));
}

/* entry.S. In this world every CPU has an APIC in x2APIC mode, whatever it begins with. */
_Noreturn void hyperv_vp_main(struct cpu *cpu);

_Noreturn void hyperv_vp_main(struct cpu *cpu)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	/* From off to x2APIC is not one step (APM vol. 2, 16.9). */
	if (!(base & HV_APIC_BASE_ENABLE))
		wrmsr(MSR_APIC_BASE, base | HV_APIC_BASE_ENABLE);
	wrmsr(MSR_APIC_BASE, base | HV_APIC_BASE_ENABLE | HV_APIC_BASE_X2APIC);
	cpu_main(cpu);
}

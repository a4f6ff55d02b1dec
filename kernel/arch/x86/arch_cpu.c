// SPDX-License-Identifier: MIT
#include "arch_cpu.h"

#include "apic.h"
#include "idt.h"
#include "mm/layout.h"
#include "smp/smp.h"
#include "x86.h"

#define TSS_AVAILABLE 0x0000890000000000ull

/* Three stacks share the page of the trap stacks; each holds a trap frame and a report. */
#define TRAP_STACK_SIZE (SIDECAR_PAGE_SIZE / 3 & ~15u)

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

/* entry.S */
extern const uint8_t cpu_entry[] __attribute__((visibility("hidden")));

struct globals *this_globals(void)
{
	return (struct globals *)SLOT_VA(SLOT_GLOBALS);
}

static void fill_tss(struct tss *tss)
{
	*tss = (struct tss){.io_map = sizeof(*tss)};
	for (unsigned int i = 0; i < IST_COUNT; i++)
		tss->ist[i] = TRAP_STACKS_VA + (i + 1) * TRAP_STACK_SIZE;
}

static void fill_gdt(uint64_t *gdt, const struct tss *tss)
{
	uint64_t base = (uint64_t)tss;

	gdt[0] = 0;
	gdt[SELECTOR_CODE / 8] = GDT_CODE;
	gdt[SELECTOR_DATA / 8] = GDT_DATA;
	gdt[SELECTOR_TSS / 8] = TSS_AVAILABLE | (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
				(base >> 24 & 0xff) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

static void load_gdt(const uint64_t *gdt)
{
	struct table_pointer pointer = {GDT_ENTRIES * 8 - 1, (uint64_t)gdt};

	asm volatile("lgdt %0\n\t"
		     "pushq %1\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\n\t"
		     "movl %2, %%ss\n\t"
		     "movl %2, %%ds\n\t"
		     "movl %2, %%es\n\t"
		     "ltr %w3"
		     :
		     : "m"(pointer), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(SELECTOR_TSS)
		     : "rax", "memory");
}

static void load_idt(const struct gate *idt)
{
	struct table_pointer pointer = {VECTOR_COUNT * sizeof(*idt) - 1, (uint64_t)idt};

	asm volatile("lidt %0" : : "m"(pointer));
}

void arch_cpu_start(struct cpu *cpu)
{
	struct arch_cpu *arch = &this_globals()->arch;

	(void)cpu;
	arch->dying = false;
	fill_tss(&arch->tss);
	fill_gdt(arch->gdt, &arch->tss);
	load_gdt(arch->gdt);
	load_idt(cpu_idt);
	write_cr4(read_cr4() | CR4_MCE); /* a machine check is reported, not a shutdown */
	apic_start();
}

void arch_cpu_stop(struct cpu *cpu)
{
	(void)cpu;
	apic_stop();
}

bool arch_begin_dying(struct cpu *cpu)
{
	struct arch_cpu *arch = &this_globals()->arch;
	bool before = arch->dying;

	(void)cpu;
	arch->dying = true;
	return before;
}

void arch_wait(struct cpu *cpu)
{
	(void)cpu;
	asm volatile("sti; hlt; cli" : : : "memory");
}

void arch_drain(struct cpu *cpu)
{
	(void)cpu;
	/* Each pending one is taken before the cli: the iret leads back in front of it. */
	asm volatile("sti; nop; cli" : : : "memory");
}

void arch_send_ipi(struct cpu *cpu, uint32_t apic_id, uint8_t vector)
{
	(void)cpu;
	apic_send(apic_id, vector);
}

uint64_t smp_entry(void)
{
	return (uint64_t)cpu_entry;
}

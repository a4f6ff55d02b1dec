// SPDX-License-Identifier: MIT
/* APM vol. 2, 16.3.1 (base register), 16.5 (interrupt command register), 16.11 (x2APIC). */
#include "apic.h"

#include <stdbool.h>

#include "cpu.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC 0x400u
#define MSR_X2APIC_ID 0x802u
#define MSR_X2APIC_ICR 0x830u

#define XAPIC 0xfee00000ull
#define XAPIC_ID 0x020u
#define XAPIC_ICR_LOW 0x300u
#define XAPIC_ICR_HIGH 0x310u

#define ICR_INIT 0x500u
#define ICR_SIPI 0x600u
#define ICR_BUSY 0x1000u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u

static bool x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static uint32_t *reg(uint32_t offset)
{
	return (uint32_t *)(XAPIC + offset);
}

uint32_t apic_id(void)
{
	return x2apic() ? (uint32_t)rdmsr(MSR_X2APIC_ID) : load(reg(XAPIC_ID)) >> 24;
}

static void send(uint32_t target, uint32_t command)
{
	if (x2apic()) {
		asm volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC_ICR, (uint64_t)target << 32 | command);
		return;
	}
	while (load(reg(XAPIC_ICR_LOW)) & ICR_BUSY)
		pause();
	store(reg(XAPIC_ICR_HIGH), target << 24);
	store(reg(XAPIC_ICR_LOW), command);
}

/* The deassertion is for old parts; the others ignore it. */
void apic_init(uint32_t target)
{
	send(target, ICR_LEVEL | ICR_ASSERT | ICR_INIT);
	send(target, ICR_LEVEL | ICR_INIT);
}

void apic_sipi(uint32_t target, uint64_t page)
{
	send(target, ICR_ASSERT | ICR_SIPI | (uint32_t)(page >> 12));
}

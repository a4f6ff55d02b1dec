// SPDX-License-Identifier: MIT
#include "apic.h"

#include "arch_cpu.h"
#include "mm/layout.h"
#include "pte.h"
#include "shm.h"
#include "slots.h"
#include "x86.h"

/* Registers by their xAPIC offset (APM vol. 2, 16.3.1). */
#define APIC_VERSION 0x030u
#define APIC_TPR 0x080u
#define APIC_EOI 0x0b0u
#define APIC_SVR 0x0f0u
#define APIC_ICR 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_THERMAL 0x330u
#define APIC_LVT_PERFORMANCE 0x340u
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_LVT_ERROR 0x370u

#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define ICR_ASSERT 0x4000u
#define ICR_BUSY 0x1000u
#define ICR_BUSY_POLLS 100000u
#define XAPIC_ID_LIMIT 0xffu

static bool x2apic(void)
{
	return this_globals()->arch.x2apic;
}

static uint32_t *xapic_register(uint32_t offset)
{
	return (uint32_t *)(SLOT_VA(SLOT_APIC) + offset);
}

static uint32_t apic_read(uint32_t offset)
{
	if (x2apic())
		return (uint32_t)rdmsr(MSR_X2APIC + offset / 16);
	return shm_read(xapic_register(offset));
}

static void apic_write(uint32_t offset, uint32_t value)
{
	if (x2apic())
		wrmsr(MSR_X2APIC + offset / 16, value);
	else
		shm_write(xapic_register(offset), value);
}

static void mask_local_sources(void)
{
	/* Which exist, by the number of the last: one that does not faults in x2APIC mode. */
	uint32_t last = apic_read(APIC_VERSION) >> 16 & 0xff;

	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_MASKED);
	if (last >= 3)
		apic_write(APIC_LVT_ERROR, LVT_MASKED);
	if (last >= 4)
		apic_write(APIC_LVT_PERFORMANCE, LVT_MASKED);
	if (last >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
}

void apic_start(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	this_globals()->arch.x2apic = base & APIC_BASE_X2APIC;
	if (!x2apic())
		slot_map(SLOT_APIC, pte_device(base & APIC_BASE_PAGE));
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TPR, 0);
	mask_local_sources();
}

void apic_stop(void)
{
	apic_write(APIC_SVR, VECTOR_SPURIOUS);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static void xapic_send(uint32_t apic_id, uint8_t vector)
{
	if (apic_id >= XAPIC_ID_LIMIT) /* cannot be named in this mode; the receiver polls */
		return;
	for (unsigned int i = 0; i < ICR_BUSY_POLLS; i++) {
		if (!(apic_read(APIC_ICR) & ICR_BUSY))
			break;
		pause();
	}
	apic_write(APIC_ICR_HIGH, apic_id << 24);
	apic_write(APIC_ICR, ICR_ASSERT | vector);
}

void apic_send(uint32_t apic_id, uint8_t vector)
{
	if (!x2apic()) {
		xapic_send(apic_id, vector);
		return;
	}
	/* This WRMSR waits for nothing: what the interrupt announces must be visible before it. */
	asm volatile("mfence; lfence" : : : "memory");
	wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | vector);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts to a CPU that Linux does not know as running, by physical APIC ID. The register is
 * written here and not through Linux's APIC driver, whose interface changes with the version and
 * whose destinations may be logical.
 *
 * Sources: AMD APM vol. 2, 16.5 (interrupt command register), 16.11 (x2APIC); INIT and SIPI: 16.5.
 */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/processor.h>

#include <asm/apic.h>
#include <asm/msr.h>

#include "driver.h"

#define X2APIC_ICR_MSR (APIC_BASE_MSR + (APIC_ICR >> 4))

/* Other stores are visible before the interrupt: WRMSR to the x2APIC does not order them. */
static void send_x2apic(u32 apic_id, u32 low)
{
	asm volatile("mfence; lfence" ::: "memory");
	wrmsrl(X2APIC_ICR_MSR, ((u64)apic_id << 32) | low);
}

static void wait_idle(void)
{
	unsigned int i;

	for (i = 0; i < 1000 && (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY); i++)
		cpu_relax();
}

/* Two writes, which an interrupt handler that also sends must not separate. */
static void send_xapic(u32 apic_id, u32 low)
{
	unsigned long flags;

	local_irq_save(flags);
	wait_idle();
	native_apic_mem_write(APIC_ICR2, SET_XAPIC_DEST_FIELD(apic_id));
	native_apic_mem_write(APIC_ICR, low);
	local_irq_restore(flags);
}

static void send(u32 apic_id, u32 low)
{
	if (x2apic_enabled())
		send_x2apic(apic_id, low);
	else
		send_xapic(apic_id, low);
}

/* The deassertion is for old parts; the others ignore it. */
void scdrv_apic_init(u32 apic_id)
{
	send(apic_id, APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT);
	udelay(10);
	send(apic_id, APIC_INT_LEVELTRIG | APIC_DM_INIT);
}

void scdrv_apic_sipi(u32 apic_id, u32 page)
{
	send(apic_id, APIC_DM_STARTUP | (page & 0xff));
}

void scdrv_apic_fixed(u32 apic_id, u8 vector)
{
	send(apic_id, APIC_INT_ASSERT | APIC_DM_FIXED | vector);
}

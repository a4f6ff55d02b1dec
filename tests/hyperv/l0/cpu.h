/* SPDX-License-Identifier: MIT */
/*
 * One processor of L0, and the VP on it. Everything in struct cpu belongs to the processor itself
 * but where a comment says otherwise: other processors then use __atomic accesses.
 *
 * L0 is passive: GIF is 0 outside guests, it has no interrupts, no timers and no scheduler. A
 * processor is parked, or runs its VP in VTL2 or VTL0.
 */
#ifndef L0_CPU_H
#define L0_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/hv.h>

#include "layout.h"
#include "meter.h"
#include "vmcb.h"

#define PAGE 4096u

#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define EFER_SVM (1ull << 12)

/* What a processor's mailbox asks for when INIT and SIPI bring it to cpu_arrive. */
enum start {
	START_NOTHING,
	START_CONTEXT, /* cpu->context: StartVirtualProcessor */
	START_SIPI,    /* cpu->sipi_vector: INIT and SIPI by VTL2 */
};

/* What VTL2 sees of VTL0 and no VMCB field holds. */
struct vtl0 {
	uint64_t pending_interruption; /* HV_PENDING_INTERRUPTION_* */
	struct hv_u128 pending_event;  /* of PendingEvent0 */
	uint64_t deliverability;       /* HV_DELIVERABILITY_* */
	uint64_t activity;	       /* HV_ACTIVITY_* */
	uint64_t apic_base;
	uint64_t tsc_aux;
	bool nmi_masked;
};

/* Synthetic and emulated registers of one VTL that only have to be remembered. */
struct synthetic {
	uint64_t sint[16];
	uint64_t scontrol, siefp, simp;
	uint64_t stimer[8];
	uint64_t crash[5];
	uint64_t vina;
};

struct cpu {
	struct svm_vmcb vmcb2;
	struct svm_vmcb vmcb0;
	struct svm_vmcb idle; /* runs a HLT in place of a halted VTL0 */
	uint8_t host_save[PAGE];

	/* Shared by the VTLs, in the order of the encoding; the slot of RSP is unused. */
	uint64_t gps[16];

	uint32_t vp_index; /* written once, by the first processor */
	uint32_t apic_id;
	uint32_t slot;
	uint8_t vtl;	   /* the active one: 0 or 2 */
	bool vtl2_enabled; /* EnableVpVtl; any processor, atomically */

	struct vtl0 vtl0;
	struct synthetic synthetic[2]; /* of VTL0, of VTL2 */
	uint64_t assist;	       /* VTL2's VP assist page MSR */
	uint64_t register_page;	       /* the register of that name */
	bool x2apic;		       /* VTL2's APIC_BASE.EXTD; the real APIC stays xAPIC */
	bool xapic_hidden;	       /* VTL2 has no business in the xAPIC's page */
	bool apic_was_enabled;
	uint64_t icr;
	uint64_t vtl0_returns; /* what hostile.c counts */

	/* Mailbox, under `claimed`: any processor. */
	uint32_t claimed; /* 1 from the moment that somebody decided to start this one */
	uint32_t start;	  /* enum start */
	uint32_t arrived;
	uint32_t started; /* runs, or ran, a guest */
	uint32_t retired; /* VTL2 disabled its APIC: StartVirtualProcessor may start it again */
	uint32_t wait_for_sipi; /* VTL2 sent INIT */
	uint32_t sipi_vector;
	struct hv_initial_vp_context context;

	struct meter meter;

	/* For the roll call; counters are read by others when all is over. */
	uint32_t answered;
	uint64_t exits2, exits0, hypercalls, vtl_returns, interrupts, messages, starts;
} __attribute__((aligned(4096)));

union cpu_with_stack {
	struct cpu cpu;
	uint8_t stack[CPU_SIZE];
};
_Static_assert(sizeof(union cpu_with_stack) == CPU_SIZE, "assembly counts on CPU_SIZE");
_Static_assert(sizeof(struct cpu) <= CPU_SIZE - 8192, "8 KiB are left for the stack");

extern union cpu_with_stack cpus[MAX_CPUS];
extern uint8_t slot_of_apic[256];
extern uint32_t cpu_count; /* constant once VTL2 runs */

/* NULL when there is none. */
struct cpu *cpu_of_vp(uint32_t vp_index);
struct cpu *cpu_of_apic(uint32_t apic_id);

/* From start.S. */
void cpu_arrive(uint32_t slot, uint32_t apic_id);
void guest_enter(uint64_t *gps, uint64_t vmcb_pa);
extern const char guest_left[]; /* what it executes first behind the VMRUN */
void nmi_take(void);

/* Every other processor of the machine comes to L0 and waits; then VP indices are dealt. */
void cpu_gather(uint32_t expected, bool reverse);

/* SVM, APIC and FPU as after a reset; with guests off. */
void cpu_reset(struct cpu *cpu);

/* Brings a processor, whatever it does, to the guest that its mailbox describes. */
void cpu_start(struct cpu *from, struct cpu *to, enum start how);

/* Waits in L0, for INIT. */
_Noreturn void cpu_park(struct cpu *cpu);

/* Whether every VP that was started still obeys L0. */
uint32_t cpu_roll_call(struct cpu *self);
bool cpu_roll_call_is_on(void);

/* exits.c: runs the VP for ever. */
_Noreturn void cpu_run(struct cpu *cpu);

/* ---- the processor --------------------------------------------------------------------------- */

#define load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr));
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (uint64_t)high << 32;
}

static inline void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void pause(void)
{
	asm volatile("pause");
}

#endif

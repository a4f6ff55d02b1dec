/* SPDX-License-Identifier: MIT */
/*
 * What a program in VTL2 needs on the test hypervisor: TAP on COM1, hypercalls, the x2APIC, VPs of
 * its own, and the bench's control port.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/hv.h>

#include "archive.h"
#include "start_info.h"

#define PAGE 4096u
#define BENCH_MAX_VPS 64u
#define SECOND 10000000ull /* of reference time */

#define load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

void *memcpy(void *to, const void *from, uint64_t size);
void *memset(void *to, int value, uint64_t size);
int memcmp(const void *a, const void *b, uint64_t size);

/* ---- TAP ---- */

void say(const char *text);
void say_hex(uint64_t value);
void say_bytes(const void *text, uint64_t size);
void check(bool good, const char *name);
/* As check, and says what both were when they are not the same. */
void check_equal(uint64_t is, uint64_t expected, const char *name);
/* As check; says the first byte that differs. */
void check_bytes(const void *is, const void *expected, uint64_t size, const char *name);
/* Ends the run. */
_Noreturn void finish(void);

/* ---- the processor ---- */

uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
/* False: #GP. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);
/* A register in the xAPIC's page. False: #GP. */
bool xapic_read_safe(uint32_t offset);
bool xapic_write_safe(uint32_t offset, uint32_t value);
uint64_t now(void);
void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx);

#define wait_until(condition)                        \
	({                                           \
		uint64_t end_ = now() + 10 * SECOND; \
		while (!(condition) && now() < end_) \
			asm volatile("pause");       \
		(condition);                         \
	})

/* ---- the hypervisor ---- */

#define MSR_GUEST_OS_ID 0x40000000u
#define MSR_HYPERCALL 0x40000001u
#define MSR_VP_INDEX 0x40000002u
#define MSR_TIME_REF_COUNT 0x40000020u
#define MSR_REFERENCE_TSC 0x40000021u
#define MSR_VP_ASSIST_PAGE 0x40000073u

extern uint8_t hypercall_page[PAGE];
extern uint16_t call_offset, return_offset;

/* GUEST_OS_ID, hypercall page, its offsets, and the intercept page in the partition's config. */
void bench_start(void);

/* One page each for input and output, of the VP that runs. */
void *hypercall_input(void);
void *hypercall_output(void);
uint64_t hypercall(uint64_t control);
uint64_t hypercall_at(uint64_t control, uint64_t input, uint64_t output);

uint16_t get_register(uint8_t vtl, uint32_t name, struct hv_u128 *value);
uint16_t set_register(uint8_t vtl, uint32_t name, uint64_t low, uint64_t high);
uint16_t set_registers(uint8_t vtl, const struct hv_register_assoc *all, uint32_t count,
		       uint32_t *done);
uint32_t vp_of_apic(uint32_t apic_id);
uint32_t apic_of_vp(uint32_t vp);

uint64_t hypercall_asm(uint64_t control, uint64_t in, uint64_t out, const void *page);
void vtl_return(uint64_t *gps, const void *code, uint64_t control);
unsigned int call_entry(uint64_t entry, uint64_t params, uint64_t output);
extern uint64_t pml4[512];

/* ---- interrupts ---- */

extern uint32_t interrupts[256]; /* taken, of all VPs */
extern uint32_t expect_fault;	 /* the vector that is to be counted and stepped over */
void x2apic_enable(void);
uint32_t x2apic_id(void);
void x2apic_send(uint32_t apic_id, uint32_t command);
static inline void interrupt_window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* ---- VPs of our own ---- */

uint32_t vp_index(void);
uint32_t vp_count(void);
/* The context of a VP that ends in payload_vp_main. */
void vp_context(uint32_t vp, struct hv_initial_vp_context *context);
uint16_t vp_enable(uint32_t vp);
uint16_t vp_start(uint32_t vp);
bool vp_is_alive(uint32_t vp);
/* If there is one, a VP runs it before it turns x2APIC mode on. */
extern void (*vp_prologue)(void);
/* Runs it there and waits for its end. */
uint64_t vp_call(uint32_t vp, uint64_t (*function)(uint64_t), uint64_t argument);
/* Runs it there; vp_done waits. */
void vp_begin(uint32_t vp, uint64_t (*function)(uint64_t), uint64_t argument);
uint64_t vp_done(uint32_t vp);
/* Its VP will be started anew: the mailbox forgets it. */
void vp_forget(uint32_t vp);

/* ---- the bench ---- */

#define CONTROL_FORGIVE 1u
#define CONTROL_VIOLATIONS 2u
#define CONTROL_HOSTILE 3u
#define CONTROL_FAIL 4u
#define CONTROL_EXITS 5u
#define CONTROL_FRIENDLY 6u
#define CONTROL_CRASH 7u
#define HOSTILE_REFUSE_START 0x40u
uint32_t control(uint32_t command, uint32_t argument);
extern struct archive files;
extern const struct start_info *start;
/* The value of "name=" on the command line, or the default. */
uint64_t option(const char *name, uint64_t otherwise);

/* The program. */
void payload(void);

#endif

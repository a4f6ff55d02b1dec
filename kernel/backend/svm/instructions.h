/* SPDX-License-Identifier: MIT */
/* The instructions that this backend needs beyond what arch/x86 offers, one function each. */
#ifndef SVM_INSTRUCTIONS_H
#define SVM_INSTRUCTIONS_H

#include <stdint.h>

#include <sidecar/hv.h>

#include "arch/x86/x86.h"
#include "cpuid.h"

#define MSR_TSC_AUX 0xc0000103u
#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define MSR_PRED_CMD 0x49u

#define VM_CR_SVM_DISABLE (1u << 4)
#define PRED_CMD_IBPB 1u

static inline struct cpuid_words cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_words w = {leaf, 0, subleaf, 0};

	asm volatile("cpuid" : "+a"(w.eax), "=b"(w.ebx), "+c"(w.ecx), "=d"(w.edx));
	return w;
}

static inline uint64_t read_cr0(void)
{
	uint64_t value;

	asm volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline void write_cr0(uint64_t value)
{
	asm volatile("mov %0, %%cr0" ::"r"(value) : "memory");
}

static inline uint64_t read_cr3(void)
{
	uint64_t value;

	asm volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

/* Without REX.W: FIP and FDP are 32-bit offset and selector, as the command page has them. */
static inline void fx_save(struct hv_fx_state *fx)
{
	asm volatile("fxsave %0" : "=m"(*fx));
}

/* Unlike FXRSTOR, FNINIT clears the last instruction's addresses on every processor. */
static inline void fpu_init(void)
{
	asm volatile("fninit");
}

/* Needs XCR0 with SSE and AVX. */
static inline void ymm_clear(void)
{
	asm volatile("vzeroall");
}

static inline void dr_load(const uint64_t dr[4])
{
	asm volatile("mov %0, %%dr0" ::"r"(dr[0]));
	asm volatile("mov %0, %%dr1" ::"r"(dr[1]));
	asm volatile("mov %0, %%dr2" ::"r"(dr[2]));
	asm volatile("mov %0, %%dr3" ::"r"(dr[3]));
}

static inline void dr_store(uint64_t dr[4])
{
	asm volatile("mov %%dr0, %0" : "=r"(dr[0]));
	asm volatile("mov %%dr1, %0" : "=r"(dr[1]));
	asm volatile("mov %%dr2, %0" : "=r"(dr[2]));
	asm volatile("mov %%dr3, %0" : "=r"(dr[3]));
}

#endif

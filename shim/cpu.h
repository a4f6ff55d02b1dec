/* SPDX-License-Identifier: MIT */
/* What C cannot say to the CPU. */
#ifndef SHIM_CPU_H
#define SHIM_CPU_H

#include <stdint.h>

/*
 * Three of the PC's scratch registers among the DMA page registers, the POST code's neighbours:
 * nobody reads them, but who looks on from outside sees how far the shim is.
 */
#define MARKER_BEGIN "0x84"
#define MARKER_START "0x85" /* of the sidecar, which has a plan now */
#define MARKER_IDLE "0x86"  /* every sidecar CPU is */
#define marker(port) asm volatile("outb %%al, $" port : : "a"(0))

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

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "c"(msr), "a"((uint32_t)(value & UINT32_MAX)), "d"((uint32_t)(value >> 32))
		     : "memory");
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(0));
	return r;
}

static inline void pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* Memory that another CPU writes meanwhile, and device registers. */
#define load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

#endif

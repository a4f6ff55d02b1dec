/* SPDX-License-Identifier: MIT */
/* The processor's instructions and registers, one function or name each. */
#ifndef X86_H
#define X86_H

#include <stdint.h>

#define MSR_APIC_BASE 0x01bu
#define MSR_X2APIC 0x800u /* plus the register's xAPIC offset / 16 */
#define MSR_EFER 0xc0000080u

#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_PAGE 0x000ffffffffff000ull

#define CR4_MCE (1ULL << 6)

#define VECTOR_NMI 2u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_PAGE_FAULT 14u
#define VECTOR_MACHINE_CHECK 18u
#define VECTOR_FIRST_EXTERNAL 32u
#define VECTOR_SPURIOUS 255u
#define VECTOR_COUNT 256u

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
		     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	asm volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void write_cr2(uint64_t value)
{
	asm volatile("mov %0, %%cr2" : : "r"(value));
}

static inline uint64_t read_cr4(void)
{
	uint64_t value;

	asm volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(uint64_t value)
{
	asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline void invlpg(const void *address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void pause(void)
{
	asm volatile("pause");
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

/* Until an INIT. Never hlt: an INIT to a halted CPU may only be latched. */
_Noreturn static inline void spin_forever(void)
{
	for (;;)
		asm volatile("cli; pause");
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault on values that somebody else chose. Each has an entry in the
 * exception table; the fault becomes a false.
 */
#ifndef FIXUP_H
#define FIXUP_H

#include <stdbool.h>
#include <stdint.h>

/* After an instruction with the label 1: a fault in it jumps to this C label of an asm goto. */
#define FIXUP_TO_LABEL(label)               \
	".pushsection .ex_table, \"a\"\n\t" \
	".balign 4\n\t"                     \
	".long 1b - .\n\t"                  \
	".long %l[" #label "] - .\n\t"      \
	".popsection\n\t"

static inline bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t low, high;

	asm goto volatile("1: rdmsr\n\t" FIXUP_TO_LABEL(fault)
			  : "=a"(low), "=d"(high)
			  : "c"(msr)
			  :
			  : fault);
	*value = (uint64_t)high << 32 | low;
	return true;
fault:
	return false;
}

static inline bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	asm goto volatile("1: wrmsr\n\t" FIXUP_TO_LABEL(fault)
			  :
			  : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			  : "memory"
			  : fault);
	return true;
fault:
	return false;
}

/* image is 512 bytes, 16-byte aligned; the layout is that of FXSAVE without REX.W. */
static inline bool fxrstor_safe(const void *image)
{
	asm goto volatile("1: fxrstor (%0)\n\t" FIXUP_TO_LABEL(fault)
			  :
			  : "r"(image)
			  : "memory"
			  : fault);
	return true;
fault:
	return false;
}

static inline bool xsetbv_safe(uint32_t index, uint64_t value)
{
	asm goto volatile("1: xsetbv\n\t" FIXUP_TO_LABEL(fault)
			  :
			  : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			  : "memory"
			  : fault);
	return true;
fault:
	return false;
}

#endif

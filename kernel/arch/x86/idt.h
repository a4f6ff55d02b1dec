/* SPDX-License-Identifier: MIT */
#ifndef IDT_H
#define IDT_H

#include <stdbool.h>
#include <stdint.h>

#include "x86.h"

/* APM vol. 2, 4.8.4. */
struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate");

/* Numbers of the stacks that a trap cannot do without. */
enum ist {
	IST_NONE,
	IST_NMI,
	IST_DOUBLE_FAULT,
	IST_MACHINE_CHECK,
	IST_COUNT = IST_MACHINE_CHECK,
};

/* Constant from the first moment that anything but the relocation code runs. */
extern struct gate cpu_idt[VECTOR_COUNT];
extern struct gate boot_idt[VECTOR_COUNT]; /* no stacks of its own: the boot CPU has no TSS */

/* stubs is the address at which trap_stubs runs. own_stacks: the IST is in use. */
void idt_fill(struct gate *idt, uint64_t stubs, bool own_stacks);

#endif

// SPDX-License-Identifier: MIT
#include "idt.h"

#include "arch_cpu.h"
#include "traps.h"

#define GATE_INTERRUPT 0x8e /* present, DPL 0, interrupts off */

/* Filled before the image's constants become constant. */
__attribute__((section(".constant_after_boot"))) struct gate cpu_idt[VECTOR_COUNT];
__attribute__((section(".constant_after_boot"))) struct gate boot_idt[VECTOR_COUNT];

static uint8_t ist_of(unsigned int vector)
{
	if (vector == VECTOR_NMI)
		return IST_NMI;
	if (vector == VECTOR_DOUBLE_FAULT)
		return IST_DOUBLE_FAULT;
	if (vector == VECTOR_MACHINE_CHECK)
		return IST_MACHINE_CHECK;
	return IST_NONE;
}

void idt_fill(struct gate *idt, uint64_t stubs, bool own_stacks)
{
	for (unsigned int vector = 0; vector < VECTOR_COUNT; vector++) {
		uint64_t address = stubs + vector * TRAP_STUB_SIZE;

		idt[vector] = (struct gate){
			.offset_low = (uint16_t)address,
			.selector = SELECTOR_CODE,
			.ist = own_stacks ? ist_of(vector) : IST_NONE,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(address >> 16),
			.offset_high = (uint32_t)(address >> 32),
		};
	}
}

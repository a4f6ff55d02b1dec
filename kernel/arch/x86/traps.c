// SPDX-License-Identifier: MIT
#include "traps.h"

#include <stdbool.h>

#include "apic.h"
#include "arch_cpu.h"
#include "exception_table.h"
#include "mm/layout.h"
#include "panic.h"
#include "shm.h"
#include "x86.h"

static const char *const exception_names[VECTOR_FIRST_EXTERNAL] = {
	[0] = "#DE",  [1] = "#DB",  [3] = "#BP",  [4] = "#OF",	[5] = "#BR",  [6] = "#UD",
	[7] = "#NM",  [8] = "#DF",  [10] = "#TS", [11] = "#NP", [12] = "#SS", [13] = "#GP",
	[14] = "#PF", [16] = "#MF", [17] = "#AC", [18] = "#MC", [19] = "#XF", [21] = "#CP",
	[28] = "#HV", [29] = "#VC", [30] = "#SX",
};

/* How many words from rsp upwards are on the stack that it points into, or 0. */
static uint64_t words_on_stack(uint64_t rsp)
{
	if (rsp % 8)
		return 0;
	if (rsp >= STACK_VA && rsp - STACK_VA < STACK_END_VA - STACK_VA)
		return (STACK_END_VA - rsp) / 8;
	if (rsp >= TRAP_STACKS_VA && rsp - TRAP_STACKS_VA < SIDECAR_PAGE_SIZE)
		return (TRAP_STACKS_VA + SIDECAR_PAGE_SIZE - rsp) / 8;
	return 0;
}

static void record(struct sidecar_fault *fault, const struct trap_frame *frame)
{
	uint64_t words = words_on_stack(frame->rsp);
	const uint64_t *stack = (const uint64_t *)frame->rsp;

	*fault = (struct sidecar_fault){
		.vector = frame->vector,
		.error_code = frame->error_code,
		.rip = frame->rip,
		.cs = frame->cs,
		.rflags = frame->rflags,
		.rsp = frame->rsp,
		.cr2 = read_cr2(),
	};
	for (unsigned int i = 0; i < 16; i++)
		fault->gps[i] = i == HV_GP_RSP ? frame->rsp : frame->gps[i];
	for (unsigned int i = 0; i < SIDECAR_FAULT_STACK_WORDS && i < words; i++)
		fault->stack[i] = stack[i];
}

static _Noreturn void fault(const struct trap_frame *frame)
{
	struct cpu *cpu = &this_globals()->cpu;
	const char *name = exception_names[frame->vector];

	panic_begin(cpu);
	if (cpu->state)
		record(&cpu->state->fault, frame);
	panic_end(cpu, "exception %lu %s at %016lx, error code %lx, cr2 %lx, rsp %lx",
		  frame->vector, name ? name : "?", frame->rip, frame->error_code, read_cr2(),
		  frame->rsp);
}

/*
 * The sender may be anybody, a broadcast of Linux's for one; the interrupt only ends a halt. One
 * that ended a guest is taken here too, after the exit: a guest's IDT never sees it.
 */
static void interrupt(uint64_t vector)
{
	struct cpu *cpu = &this_globals()->cpu;

	if (vector == VECTOR_SPURIOUS) /* not in service: there is nothing to acknowledge */
		return;
	apic_eoi();
	if (vector == SIDECAR_REQUEST_VECTOR)
		return;
	shm_add(&cpu->state->foreign_interrupts, 1);
	shm_add(&cpu->state->foreign_vectors[vector], 1);
}

void trap(struct trap_frame *frame)
{
	uint64_t fixup;

	if (frame->vector == VECTOR_NMI)
		return;
	if (frame->vector >= VECTOR_FIRST_EXTERNAL) {
		interrupt(frame->vector);
		return;
	}
	fixup = exception_fixup(frame->rip);
	if (!fixup)
		fault(frame);
	frame->rip = fixup;
}

/* SPDX-License-Identifier: MIT */
/*
 * What a backend gives to the generic kernel. Exactly one backend is linked into an image, so these
 * are plain functions: no table of pointers on the exit path, and no vendor's name outside
 * backend/. backend/svm is AMD-V, backend/hyperv a Hyper-V VTL, backend/host a thread on Linux.
 *
 * All that get a struct cpu run on that CPU. Every pointer into the command
 * page points at memory that user mode may rewrite at any time: read once, check, then use.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "cpu.h"

struct boot;

/*
 * Once, on the boot CPU or conductor, before any CPU is prepared. False with a text in *error
 * when this machine cannot be used.
 */
bool backend_boot(const struct boot *boot, struct sidecar_command_error *error);

/*
 * These three only where the kernel starts the CPUs itself (smp/fan_out.c). The first, on any CPU
 * (cpu is NULL on the boot CPU): starts a VP in cpu_main, on its own tables and stack. False with a
 * text in *error. The second: the time in units of 100 ns, or always 0. The third: where a CPU
 * begins that somebody else sends through the trampoline later, as smp_entry of smp/smp.h.
 */
bool backend_start_cpu(struct cpu *cpu, uint32_t vp_index, phys_t tables,
		       struct sidecar_command_error *error);
uint64_t backend_time(void);
uint64_t backend_entry(void);

/* On each CPU before its first IDLE: turn virtualization on, reset the VP. */
void backend_cpu_start(struct cpu *cpu);

/* REMOVE: stop using everything that needs this CPU's memory. */
void backend_cpu_stop(struct cpu *cpu);

/* After REMOVED was reported, or the CPU has died: wait for whatever takes it. Never returns. */
_Noreturn void backend_park(struct cpu *cpu);

/* The CPU dies with this text, which the log already has: tells whoever is above the kernel. */
void backend_crash(struct cpu *cpu, const char *format, va_list arguments);

/* Before each command: notices a new owner (forgets the old VP) and a new generation. */
void backend_command_begin(struct cpu *cpu);

enum run_outcome {
	RUN_STOPPED,   /* STOP was seen; nothing to report */
	RUN_INTERCEPT, /* the message is in the command page */
	RUN_ERROR,     /* a text is in *error; the VP cannot go on */
};

/* Runs the guest until one of the above. Interrupts are off on entry and return. */
enum run_outcome backend_run_vp(struct cpu *cpu, struct sidecar_command_error *error);

/*
 * Registers of the VTL that vtl (HV_VTL_*) names, in order, until the first failure. regs is
 * private memory. *done is the number that succeeded; returns HV_STATUS_* of the next one, or
 * HV_STATUS_SUCCESS.
 */
uint16_t backend_get_registers(struct cpu *cpu, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done);
uint16_t backend_set_registers(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done);

/* request is private memory; *output is all zero on entry. Returns HV_STATUS_*. */
uint16_t backend_translate(struct cpu *cpu, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output);

#endif

// SPDX-License-Identifier: MIT
#include "panic.h"

#include "arch/x86/arch_cpu.h"
#include "backend.h"
#include "console/log.h"
#include "main.h"
#include "shm.h"

static _Noreturn void stop(struct cpu *cpu)
{
	/* Pairs with the driver's acquire: the record of the fault is complete. */
	if (cpu->state)
		shm_write_release(&cpu->state->cpu_state, SIDECAR_CPU_FAULTED);
	backend_park(cpu);
}

void panic_begin(struct cpu *cpu)
{
	if (arch_begin_dying(cpu))
		stop(cpu);
}

static _Noreturn void end_list(struct cpu *cpu, const char *format, va_list arguments)
{
	va_list again;

	if (!cpu->state) /* the boot CPU */
		boot_fail(format, arguments);
	va_copy(again, arguments);
	log_line_list(cpu, format, arguments);
	backend_crash(cpu, format, again);
	va_end(again);
	stop(cpu);
}

_Noreturn void panic_end(struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	end_list(cpu, format, arguments);
}

_Noreturn void panic(struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	panic_begin(cpu);
	if (cpu->state)
		cpu->state->fault = (struct sidecar_fault){
			.vector = PANIC_VECTOR,
			.rip = (uint64_t)__builtin_return_address(0),
			.rsp = (uint64_t)__builtin_frame_address(0),
		};
	va_start(arguments, format);
	end_list(cpu, format, arguments);
}

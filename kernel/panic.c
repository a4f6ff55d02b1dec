// SPDX-License-Identifier: MIT
#include "panic.h"

#include "arch/x86/arch_cpu.h"
#include "arch/x86/x86.h"
#include "console/log.h"
#include "main.h"
#include "shm.h"

_Noreturn void panic(struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	/* A CPU that fails to say why it fails spins at once. */
	if (arch_begin_dying(cpu))
		spin_forever();
	va_start(arguments, format);
	if (!cpu->state) /* the boot CPU */
		boot_fail(format, arguments);
	log_line_list(cpu, format, arguments);
	va_end(arguments);
	/* Pairs with the driver's acquire: the record of the fault is complete. */
	shm_write_release(&cpu->state->cpu_state, SIDECAR_CPU_FAULTED);
	spin_forever();
}

// SPDX-License-Identifier: MIT
/* arch.h and panic.h for a thread: interrupts are counted in an eventfd until they are taken. */
#include "arch.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "panic.h"
#include "shm.h"

void host_cpu_sleep(struct host_cpu *host, uint64_t limit_us)
{
	struct pollfd poll_fd = {.fd = host->doorbell, .events = POLLIN};
	struct timespec limit = {
		.tv_sec = (time_t)(limit_us / 1000000),
		.tv_nsec = (long)(limit_us % 1000000) * 1000,
	};

	while (ppoll(&poll_fd, 1, limit_us ? &limit : NULL, NULL) < 0 && errno == EINTR)
		;
	arch_drain(&host->cpu);
}

void arch_wait(struct cpu *cpu)
{
	host_cpu_sleep(cpu->backend.host, 0);
}

void arch_drain(struct cpu *cpu)
{
	eventfd_t count;

	(void)!eventfd_read(cpu->backend.host->doorbell, &count);
}

void arch_send_ipi(struct cpu *cpu, uint32_t apic_id, uint8_t vector)
{
	struct host_cpu *host = cpu->backend.host;

	host->interrupt(host->context, apic_id, vector);
}

void arch_cpu_stop(struct cpu *cpu)
{
	arch_drain(cpu);
}

/* Physical memory is the process's. */
void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable)
{
	(void)cpu;
	(void)slot;
	(void)writable;
	return (void *)(uintptr_t)pa.value;
}

void window_close(struct cpu *cpu, unsigned int slot)
{
	(void)cpu;
	(void)slot;
}

/* The text goes into the CPU's log ring, as far as it has room; the thread ends. */
void panic(struct cpu *cpu, const char *format, ...)
{
	struct sidecar_log *log = &cpu->state->log;
	va_list arguments;

	va_start(arguments, format);
	log->head = format_text(log->text, sizeof(log->text), format, arguments);
	va_end(arguments);
	shm_write_release(&cpu->state->cpu_state, SIDECAR_CPU_FAULTED);
	host_cpu_exit(cpu->backend.host);
}

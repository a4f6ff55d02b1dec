// SPDX-License-Identifier: MIT
#include "log.h"

#include "console/format.h"

#define LOG_PORT 0x404
#define LINE 240u
#define NOBODY 0xffffffffu
#define QEMU_EXIT_PORT 0xf4
#define FATAL_CODE 0x7f

/* The holder's slot, so that INIT in the middle of a line can be repaired. */
static uint32_t holder = NOBODY;
static uint32_t violations;

static void take(uint32_t slot)
{
	uint32_t nobody = NOBODY;

	while (!__atomic_compare_exchange_n(&holder, &nobody, slot, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		nobody = NOBODY;
		pause();
	}
}

void log_release(uint32_t slot)
{
	uint32_t self = slot;

	__atomic_compare_exchange_n(&holder, &self, NOBODY, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

static void put(const char *text, size_t size)
{
	while (size--)
		outb(LOG_PORT, (uint8_t)*text++);
}

static size_t print(char *text, size_t size, const char *format, ...)
{
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	used = format_text(text, size, format, arguments);
	va_end(arguments);
	return used;
}

static size_t print_who(char *text, size_t size, const struct cpu *cpu)
{
	if (!cpu)
		return print(text, size, "l0: ");
	return print(text, size, "l0: vp %u: ", cpu->vp_index);
}

static void line(const struct cpu *cpu, const char *kind, const char *format, va_list arguments)
{
	uint32_t slot = cpu ? cpu->slot : 0;
	char text[LINE];
	size_t used = print_who(text, sizeof(text), cpu);

	used += print(text + used, sizeof(text) - used, "%s", kind);
	used += format_text(text + used, sizeof(text) - 1 - used, format, arguments);
	text[used++] = '\n';
	take(slot);
	put(text, used);
	log_release(slot);
}

void log_line(const struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line(cpu, "", format, arguments);
	va_end(arguments);
}

void log_violation(const struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	__atomic_fetch_add(&violations, 1, __ATOMIC_RELAXED);
	va_start(arguments, format);
	line(cpu, "violation: ", format, arguments);
	va_end(arguments);
}

void log_deviation(const struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line(cpu, "deviation: ", format, arguments);
	va_end(arguments);
}

uint32_t log_violations(void)
{
	return load(&violations);
}

uint32_t log_forgive(const struct cpu *cpu)
{
	uint32_t count = __atomic_exchange_n(&violations, 0, __ATOMIC_RELAXED);

	log_line(cpu, "forgiven: the %u before were meant", count);
	return count;
}

_Noreturn void log_fatal(const struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line(cpu, "fatal: ", format, arguments);
	va_end(arguments);
	outb(QEMU_EXIT_PORT, FATAL_CODE);
	for (;;)
		asm volatile("cli; hlt");
}

// SPDX-License-Identifier: MIT
#include "console.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "text.h"

#define COM1 0x3f8
#define LINE_STATUS 5
#define CAN_SEND 0x20
#define PATIENCE 100000u /* looks at a port that may not be there */
#define RESET_PORT 0xcf9
#define RESET 0x06
#define LINE_SIZE 320

#define EXCEPTIONS 32
#define STUB_SIZE 16
#define CODE_SELECTOR 0x10u
#define INTERRUPT_GATE 0x8e00u

struct gate {
	uint16_t offset_low, selector, type, offset_middle;
	uint32_t offset_high, reserved;
};

extern const uint8_t exception_stubs[];
_Noreturn void shim_exception(uint64_t vector, uint64_t error_code, uint64_t rip, uint64_t cr2);

static struct gate idt[EXCEPTIONS];

static void put(char c)
{
	for (uint32_t i = 0; i < PATIENCE && !(inb(COM1 + LINE_STATUS) & CAN_SEND); i++)
		;
	outb(COM1, (uint8_t)c);
}

static void put_line(const char *text)
{
	for (const char *p = "shim: "; *p; p++)
		put(*p);
	for (; *text; text++)
		put(*text);
	put('\r');
	put('\n');
}

void say(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	text_format(line, sizeof(line), format, arguments);
	va_end(arguments);
	put_line(line);
}

void panic(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	text_format(line, sizeof(line), format, arguments);
	va_end(arguments);
	put_line("the machine cannot be booted:");
	put_line(line);
	outb(RESET_PORT, RESET);
	for (;;)
		asm volatile("cli; hlt");
}

void shim_exception(uint64_t vector, uint64_t error_code, uint64_t rip, uint64_t cr2)
{
	panic("exception %lu, error code %#lx, at %#lx, CR2 %#lx", vector, error_code, rip, cr2);
}

void console_start(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = {sizeof(idt) - 1, (uint64_t)idt};

	for (uint32_t i = 0; i < EXCEPTIONS; i++) {
		uint64_t stub = (uint64_t)exception_stubs + i * STUB_SIZE;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)stub,
			.selector = CODE_SELECTOR,
			.type = INTERRUPT_GATE,
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
	asm volatile("lidt %0" : : "m"(pointer));
}

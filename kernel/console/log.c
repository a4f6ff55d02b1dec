// SPDX-License-Identifier: MIT
#include "log.h"

#include "serial.h"
#include "shm.h"

struct line {
	char text[LOG_LINE_SIZE];
	size_t used;
};

static void append_list(struct line *line, const char *format, va_list arguments)
{
	/* One byte stays free for the newline. */
	line->used += format_text(line->text + line->used, sizeof(line->text) - 1 - line->used,
				  format, arguments);
}

PRINTF_LIKE(2, 3) static void append(struct line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append_list(line, format, arguments);
	va_end(arguments);
}

void log_ring_append(struct sidecar_log *log, const char *text, size_t size)
{
	uint64_t head = shm_read(&log->head);

	for (size_t i = 0; i < size; i++)
		shm_write(&log->text[(head + i) % SIDECAR_LOG_SIZE], text[i]);
	/* Pairs with the driver's acquire: a head that it has seen covers complete bytes. */
	shm_write_release(&log->head, head + size);
}

void log_line_list(struct cpu *cpu, const char *format, va_list arguments)
{
	struct line line = {.used = 0};

	if (cpu && cpu->state)
		append(&line, "VP %u: ", cpu->vp_index);
	append_list(&line, format, arguments);
	line.text[line.used++] = '\n';
	if (cpu && cpu->state)
		log_ring_append(&cpu->state->log, line.text, line.used);
	serial_line(line.text, line.used);
}

void log_line(struct cpu *cpu, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line_list(cpu, format, arguments);
	va_end(arguments);
}

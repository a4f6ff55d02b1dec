// SPDX-License-Identifier: MIT
#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct writer {
	char *text;
	size_t size;
	size_t used;
};

/* One conversion: what stands between % and the letter. */
struct conversion {
	unsigned int width;
	bool zeros;
	bool wide;
};

static void put(struct writer *w, char c)
{
	if (w->used < w->size)
		w->text[w->used++] = c;
}

static void put_string(struct writer *w, const char *s)
{
	while (*s)
		put(w, *s++);
}

static void put_number(struct writer *w, const struct conversion *c, uint64_t value,
		       unsigned int base, bool negative)
{
	char digits[20]; /* 2^64 has 20 in base 10 */
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative)
		put(w, '-');
	for (unsigned int i = count + negative; i < c->width; i++)
		put(w, c->zeros ? '0' : ' ');
	while (count)
		put(w, digits[--count]);
}

static void put_signed(struct writer *w, const struct conversion *c, int64_t value)
{
	bool negative = value < 0;

	put_number(w, c, negative ? 0 - (uint64_t)value : (uint64_t)value, 10, negative);
}

static const char *parse_conversion(const char *format, struct conversion *c)
{
	*c = (struct conversion){0};
	c->zeros = *format == '0';
	for (; *format >= '0' && *format <= '9'; format++)
		c->width = c->width * 10 + (unsigned int)(*format - '0');
	for (; *format == 'l'; format++)
		c->wide = true;
	return format;
}

size_t format_text(char *text, size_t size, const char *format, va_list arguments)
{
	struct writer w = {text, size, 0};
	struct conversion c;
	char letter;

	while (*format) {
		if (*format != '%') {
			put(&w, *format++);
			continue;
		}
		format = parse_conversion(format + 1, &c);
		letter = *format ? *format++ : '%';
		if (letter == 's')
			put_string(&w, va_arg(arguments, const char *));
		else if (letter == 'c')
			put(&w, (char)va_arg(arguments, int));
		else if (letter == 'd')
			put_signed(&w, &c,
				   c.wide ? va_arg(arguments, int64_t) : va_arg(arguments, int));
		else if (letter == 'u' || letter == 'x')
			put_number(&w, &c,
				   c.wide ? va_arg(arguments, uint64_t)
					  : va_arg(arguments, unsigned int),
				   letter == 'u' ? 10 : 16, false);
		else
			put(&w, letter);
	}
	return w.used;
}

void error_format_list(struct sidecar_command_error *error, const char *format, va_list arguments)
{
	error->length =
		(uint8_t)format_text((char *)error->text, sizeof(error->text), format, arguments);
}

void error_format(struct sidecar_command_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_format_list(error, format, arguments);
	va_end(arguments);
}

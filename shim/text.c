// SPDX-License-Identifier: MIT
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

struct writer {
	char *text;
	size_t size;
	size_t length; /* may be beyond size */
};

struct conversion {
	bool prefix, zeros, wide;
	unsigned int width;
	int precision; /* -1: none */
};

static void put(struct writer *w, char c)
{
	if (w->length + 1 < w->size)
		w->text[w->length] = c;
	w->length++;
}

static void put_string(struct writer *w, const struct conversion *c, const char *s)
{
	for (int i = 0; (c->precision < 0 || i < c->precision) && s[i]; i++)
		put(w, s[i]);
}

static void put_number(struct writer *w, const struct conversion *c, uint64_t value,
		       unsigned int base, bool negative)
{
	char digits[20]; /* 2^64 has 20 in base 10 */
	unsigned int count = 0, used;
	bool prefix = c->prefix && value;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	used = count + negative + 2 * prefix;
	for (; !c->zeros && used < c->width; used++)
		put(w, ' ');
	if (negative)
		put(w, '-');
	if (prefix) {
		put(w, '0');
		put(w, 'x');
	}
	for (; used < c->width; used++)
		put(w, '0');
	while (count)
		put(w, digits[--count]);
}

static const char *parse_number(const char *format, unsigned int *value)
{
	for (*value = 0; *format >= '0' && *format <= '9'; format++)
		*value = *value * 10 + (unsigned int)(*format - '0');
	return format;
}

static uint64_t take(const struct conversion *c, va_list *arguments, bool is_signed)
{
	if (c->wide)
		return va_arg(*arguments, uint64_t);
	if (is_signed)
		return (uint64_t)(int64_t)va_arg(*arguments, int);
	return va_arg(*arguments, unsigned int);
}

static const char *parse(const char *format, struct conversion *c, va_list *arguments)
{
	unsigned int precision;

	*c = (struct conversion){.precision = -1};
	for (; *format == '#' || *format == '0'; format++) {
		c->prefix |= *format == '#';
		c->zeros |= *format == '0';
	}
	format = parse_number(format, &c->width);
	if (*format == '.' && format[1] == '*') {
		c->precision = va_arg(*arguments, int);
		format += 2;
	} else if (*format == '.') {
		format = parse_number(format + 1, &precision);
		c->precision = (int)precision;
	}
	for (; *format == 'l' || *format == 'z'; format++)
		c->wide = true;
	return format;
}

static void convert(struct writer *w, const struct conversion *c, char letter, va_list *arguments)
{
	uint64_t value;

	switch (letter) {
	case 's':
		put_string(w, c, va_arg(*arguments, const char *));
		break;
	case 'c':
		put(w, (char)va_arg(*arguments, int));
		break;
	case 'd':
		value = take(c, arguments, true);
		put_number(w, c, (int64_t)value < 0 ? 0 - value : value, 10, (int64_t)value < 0);
		break;
	case 'u':
	case 'x':
		put_number(w, c, take(c, arguments, false), letter == 'u' ? 10 : 16, false);
		break;
	default:
		put(w, letter);
	}
}

int text_format(char *text, size_t size, const char *format, va_list arguments)
{
	struct writer w = {text, size, 0};
	struct conversion c;
	va_list rest;

	va_copy(rest, arguments);
	while (*format) {
		if (*format != '%') {
			put(&w, *format++);
			continue;
		}
		format = parse(format + 1, &c, &rest);
		if (*format)
			convert(&w, &c, *format++, &rest);
	}
	va_end(rest);
	if (size)
		text[w.length < size ? w.length : size - 1] = '\0';
	return (int)w.length;
}

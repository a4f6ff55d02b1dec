// SPDX-License-Identifier: MIT
/* What the pure files call of a C library, beside the kernel's string.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

int vsnprintf(char *text, size_t size, const char *format, va_list arguments)
{
	return text_format(text, size, format, arguments);
}

int snprintf(char *text, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = text_format(text, size, format, arguments);
	va_end(arguments);
	return length;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

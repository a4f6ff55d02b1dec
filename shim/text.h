/* SPDX-License-Identifier: MIT */
/* What the shim needs of printf; on the host the pure files use the C library's. */
#ifndef SHIM_TEXT_H
#define SHIM_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * %s %.Ns %.*s %c %d %u %x %%, with l, ll, z, #, a width and leading zeros. As snprintf does, it
 * ends with NUL what it cuts off, and returns the length that the whole has.
 */
int text_format(char *text, size_t size, const char *format, va_list arguments);

#endif

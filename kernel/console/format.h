/* SPDX-License-Identifier: MIT */
/* Text without a C library. Pure: the host build links the same file. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include <sidecar/abi.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/*
 * %s %c %d %u %x %%, with l for 64 bits and an optional width with or without a leading 0. What
 * does not fit is cut off; no NUL is written. Returns the number of bytes written.
 */
size_t format_text(char *text, size_t size, const char *format, va_list arguments);

/* The text of a failed command or boot. */
void error_format(struct sidecar_command_error *error, const char *format, ...) PRINTF_LIKE(2, 3);
void error_format_list(struct sidecar_command_error *error, const char *format, va_list arguments);

#endif

/* SPDX-License-Identifier: MIT */
/* COM3, polled. Silent until serial_enable, and when no such port answers. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stddef.h>

/* Boot only, before any other CPU runs. */
void serial_enable(void);

/*
 * Writes one line, its newline included. Lines of CPUs that write at the same time do not mix,
 * unless one of them dies in the middle: then the next waits a bounded time and goes on.
 */
void serial_line(const char *text, size_t size);

#endif

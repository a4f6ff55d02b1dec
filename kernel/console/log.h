/* SPDX-License-Identifier: MIT */
/*
 * The kernel's log: a ring of lines in each CPU's state page, which the driver can read when the
 * CPU is dead, and COM3 when the caller of the entry function asked for it.
 */
#ifndef LOG_H
#define LOG_H

#include "cpu.h"
#include "format.h"

/* Longer lines are cut. */
#define LOG_LINE_SIZE 160u

/* One line; a newline and "VP n: " are added. cpu NULL, or without a state page: COM3 only. */
void log_line(struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);
void log_line_list(struct cpu *cpu, const char *format, va_list arguments);

/* Appends bytes to a ring; the reader sees them once head has moved. */
void log_ring_append(struct sidecar_log *log, const char *text, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * L0's own debug console, a file of the run. Every line says who; the run script looks for the
 * words "violation" and "roll call".
 */
#ifndef L0_LOG_H
#define L0_LOG_H

#include "cpu.h"

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/* cpu may be NULL: L0 as a whole. A line is never torn. */
void log_line(const struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

/* The software in VTL2 broke a rule of the interface. Counted; fails the run. */
void log_violation(const struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

/* Something that Hyper-V does not offer, or not so; accepted. */
void log_deviation(const struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

uint32_t log_violations(void);

/* Says that the violations so far were meant, and how many they were. */
uint32_t log_forgive(const struct cpu *cpu);

/* The processor came by INIT: whatever it was doing, it no longer holds the log's lock. */
void log_release(uint32_t slot);

_Noreturn void log_fatal(const struct cpu *cpu, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

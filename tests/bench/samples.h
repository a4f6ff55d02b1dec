/* SPDX-License-Identifier: MIT */
/* Many measurements of one thing, and a line of a table that says what they were. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 4096u

struct samples {
	size_t count;
	uint64_t value[SAMPLES_MAX];
};

/* Time stamp counter ticks: nothing is cheaper, and under icount a tick is an instruction. */
static inline uint64_t ticks_now(void)
{
	return __builtin_ia32_rdtsc();
}

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_now(void);

/* Ticks in a microsecond, measured over some milliseconds. */
double ticks_per_us(void);

void samples_add(struct samples *samples, uint64_t value);

/* percent of the samples are not above the result. The samples are sorted by it. */
uint64_t samples_percentile(struct samples *samples, unsigned int percent);

#endif

// SPDX-License-Identifier: MIT
#include "samples.h"

#include <stdlib.h>
#include <time.h>

#define CALIBRATION_NS 20000000u

uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double ticks_per_us(void)
{
	uint64_t clock = clock_now(), ticks = ticks_now(), elapsed;

	do {
		elapsed = clock_now() - clock;
	} while (elapsed < CALIBRATION_NS);
	return (double)(ticks_now() - ticks) * 1000 / (double)elapsed;
}

void samples_add(struct samples *samples, uint64_t value)
{
	if (samples->count < SAMPLES_MAX)
		samples->value[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

uint64_t samples_percentile(struct samples *samples, unsigned int percent)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->value, samples->count, sizeof(samples->value[0]), compare);
	return samples->value[(samples->count - 1) * percent / 100];
}

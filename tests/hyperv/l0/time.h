/* SPDX-License-Identifier: MIT */
/* Reference time: 100 ns units since L0 began, from the TSC. */
#ifndef L0_TIME_H
#define L0_TIME_H

#include <stdbool.h>
#include <stdint.h>

void time_init(void);
uint64_t time_now(void);
uint64_t time_tsc_frequency(void);
/* time = (tsc * scale >> 64) + offset */
uint64_t time_scale(void);
int64_t time_offset(void);

void time_wait_us(uint32_t us);
/* Until *flag is not 0, so long at most; returns whether it is. */
bool time_wait_for(const uint32_t *flag, uint32_t us);

#endif

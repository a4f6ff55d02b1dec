// SPDX-License-Identifier: MIT
#include "clock.h"

#include "console.h"
#include "cpu.h"

/* Intel 8254: channel 2 counts at 1.193182 MHz while bit 0 of port 0x61 is set; bit 5 is its end.
 */
#define TIMER_HZ 1193182u
#define TIMER_CHANNEL_2 0x42
#define TIMER_COMMAND 0x43
#define COUNT_DOWN_ONCE 0xb0 /* channel 2, both bytes, mode 0 */
#define GATE_PORT 0x61
#define GATE 0x01
#define SPEAKER 0x02
#define OUTPUT 0x20
#define MEASUREMENTS 3u
#define PATIENCE (20ull * 1000 * 1000 * 1000) /* ticks; of any TSC this is seconds */

static uint64_t ticks_per_ms;

static void start_timer(uint32_t count)
{
	outb(GATE_PORT, (uint8_t)((inb(GATE_PORT) & ~SPEAKER) | GATE));
	outb(TIMER_COMMAND, COUNT_DOWN_ONCE);
	outb(TIMER_CHANNEL_2, (uint8_t)count);
	outb(TIMER_CHANNEL_2, (uint8_t)(count >> 8));
}

static uint64_t measure_ms(void)
{
	uint64_t start = rdtsc();

	start_timer(TIMER_HZ / 1000);
	while (!(inb(GATE_PORT) & OUTPUT)) {
		if (rdtsc() - start > PATIENCE)
			panic("the interval timer does not count");
	}
	return rdtsc() - start;
}

/* What disturbs a measurement makes it longer: the shortest is the best. */
void clock_start(void)
{
	ticks_per_ms = measure_ms();
	for (uint32_t i = 1; i < MEASUREMENTS; i++) {
		uint64_t ticks = measure_ms();

		if (ticks < ticks_per_ms)
			ticks_per_ms = ticks;
	}
	if (!ticks_per_ms)
		panic("the TSC does not count");
}

uint64_t clock_100ns(void)
{
	uint64_t ticks = rdtsc();

	return ticks / ticks_per_ms * 10000 + ticks % ticks_per_ms * 10000 / ticks_per_ms;
}

void clock_wait_us(uint32_t us)
{
	uint64_t start = rdtsc(), length = ticks_per_ms * us / 1000;

	while (rdtsc() - start < length)
		pause();
}

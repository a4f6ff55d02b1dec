// SPDX-License-Identifier: MIT
#include "time.h"

#include "cpu.h"

#define PIT_FREQUENCY 1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT2 0x20
#define CALIBRATION_MS 10u

static uint64_t frequency; /* of the TSC */
static uint64_t scale;
static int64_t offset;

/* Channel 2 in mode 0 counts down once and raises its output, which port B shows. */
static uint64_t tsc_ticks(uint32_t ms)
{
	uint32_t count = PIT_FREQUENCY * ms / 1000;
	uint8_t port_b = inb(PORT_B) & ~(PORT_B_GATE2 | PORT_B_SPEAKER);
	uint64_t begin;

	outb(PORT_B, port_b | PORT_B_GATE2);
	outb(PIT_COMMAND, 0xb0);
	outb(PIT_CHANNEL2, (uint8_t)count);
	outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
	begin = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUT2))
		; /* nobody else runs yet */
	outb(PORT_B, port_b);
	return rdtsc() - begin;
}

/* high * 2^64 / divisor; fits as the TSC is faster than 10 MHz. */
static uint64_t divide(uint64_t high, uint64_t divisor)
{
	uint64_t quotient = 0;

	asm("divq %2" : "+a"(quotient), "+d"(high) : "r"(divisor));
	return quotient;
}

void time_init(void)
{
	frequency = tsc_ticks(CALIBRATION_MS) * (1000 / CALIBRATION_MS);
	scale = divide(10000000, frequency);
	offset = -(int64_t)(((unsigned __int128)rdtsc() * scale) >> 64);
}

uint64_t time_now(void)
{
	return (uint64_t)(((unsigned __int128)rdtsc() * scale) >> 64) + (uint64_t)offset;
}

uint64_t time_tsc_frequency(void)
{
	return frequency;
}

uint64_t time_scale(void)
{
	return scale;
}

int64_t time_offset(void)
{
	return offset;
}

bool time_wait_for(const uint32_t *flag, uint32_t us)
{
	uint64_t end = rdtsc() + frequency / 1000000 * us;

	while (!load(flag) && rdtsc() < end)
		pause();
	return load(flag);
}

void time_wait_us(uint32_t us)
{
	const uint32_t never = 0;

	time_wait_for(&never, us);
}

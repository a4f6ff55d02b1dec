// SPDX-License-Identifier: MIT
#include "suite.h"

#include <stdlib.h>

#include "arch.h"
#include "console/serial.h"
#include "smp/smp.h"

static uint8_t *low, *high;
static void *open_windows[WINDOW_COUNT];

char fake_serial[512];
size_t fake_serial_size;

void fake_start(void)
{
	low = malloc(FAKE_SIZE);
	high = malloc(FAKE_SIZE);
	assert_non_null(low);
	assert_non_null(high);
	memset(low, 0xcc, FAKE_SIZE);
	memset(high, 0xcc, FAKE_SIZE);
}

void fake_finish(void)
{
	for (unsigned int i = 0; i < WINDOW_COUNT; i++)
		assert_null(open_windows[i]);
	free(low);
	free(high);
}

void *fake_at(uint64_t pa)
{
	if (pa >= FAKE_LOW && pa - FAKE_LOW < FAKE_SIZE)
		return low + (pa - FAKE_LOW);
	if (pa >= FAKE_HIGH && pa - FAKE_HIGH < FAKE_SIZE)
		return high + (pa - FAKE_HIGH);
	fail_msg("there is no memory at 0x%lx", (unsigned long)pa);
	return NULL;
}

void *window_open(struct cpu *cpu, unsigned int slot, phys_t pa, bool writable)
{
	(void)cpu;
	(void)writable;
	assert_true(slot < WINDOW_COUNT);
	return open_windows[slot] = fake_at(pa.value);
}

void window_close(struct cpu *cpu, unsigned int slot)
{
	(void)cpu;
	assert_true(slot < WINDOW_COUNT);
	open_windows[slot] = NULL;
}

uint64_t smp_entry(void)
{
	return FAKE_ENTRY;
}

void serial_line(const char *text, size_t size)
{
	assert_true(size <= sizeof(fake_serial));
	memcpy(fake_serial, text, size);
	fake_serial_size = size;
}

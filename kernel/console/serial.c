// SPDX-License-Identifier: MIT
#include "serial.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/x86.h"
#include "shm.h"

#define COM3 0x3e8u
#define LINE_STATUS (COM3 + 5)
#define TRANSMITTER_EMPTY 0x20u
#define NO_PORT 0xffu

/*
 * Bounds instead of patience: a missing UART or a CPU that died with the lock costs a delay and a
 * torn line, never the CPU that wants to say why it dies.
 */
#define BYTE_POLLS 100000u
#define LOCK_POLLS 1000000u

static bool enabled;
static uint32_t lock; /* 1 = somebody writes a line */

void serial_enable(void)
{
	enabled = inb(LINE_STATUS) != NO_PORT;
}

static void serial_byte(char c)
{
	for (unsigned int i = 0; i < BYTE_POLLS; i++) {
		if (inb(LINE_STATUS) & TRANSMITTER_EMPTY)
			break;
		pause();
	}
	outb(COM3, (uint8_t)c);
}

/* Taken from a silent holder after the bound. */
static void lock_line(void)
{
	for (unsigned int i = 0; i < LOCK_POLLS; i++) {
		/* Pairs with the release in serial_line. */
		if (!__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			return;
		pause();
	}
}

void serial_line(const char *text, size_t size)
{
	if (!enabled)
		return;
	lock_line();
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			serial_byte('\r');
		serial_byte(text[i]);
	}
	shm_write_release(&lock, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * A machine of two stretches of physical memory, seen only through windows. One is low, for the
 * extension, one above 4 GiB, for nodes; every access outside fails the test, and so does a window
 * that is still open in fake_finish.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdint.h>

#include <sidecar/abi.h>

#define FAKE_LOW 0x00200000ull
#define FAKE_HIGH 0x123400000ull
#define FAKE_SIZE 0x00200000ull

#define FAKE_ENTRY 0xffffff8000001230ull

/* All memory holds 0xcc. */
void fake_start(void);
void fake_finish(void);

/* The page or struct at a physical address, without a window. */
void *fake_at(uint64_t pa);

/* What serial_line got last. */
extern char fake_serial[512];
extern size_t fake_serial_size;

#endif

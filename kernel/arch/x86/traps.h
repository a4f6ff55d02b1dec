/* SPDX-License-Identifier: MIT */
#ifndef TRAPS_H
#define TRAPS_H

#include <stdint.h>

/* As the stubs of traps.S push it; gps in the order of the encoding, without RSP. */
struct trap_frame {
	uint64_t gps[16];
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

#define TRAP_STUB_SIZE 16

extern const uint8_t trap_stubs[] __attribute__((visibility("hidden")));

void trap(struct trap_frame *frame);

#endif

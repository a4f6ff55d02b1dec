/* SPDX-License-Identifier: MIT */
/*
 * The guest of bench-exit, the same for the sidecar and for KVM: it begins where every x86 CPU
 * begins, at F000:FFF0 with the CS base 0xFFFF0000, so that nobody has to set a register, and it
 * does nothing but leave.
 *
 *   fff0:  e6 10   out %al, $0x10
 *   fff2:  eb fc   jmp 0xfff0
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <stdint.h>

#define GUEST_PAGE_GPA 0xfffff000u /* the last page below 4 GiB */
#define GUEST_PAGE_SIZE 4096u
#define GUEST_CODE_OFFSET 0xff0u
#define GUEST_PORT 0x10u

static const uint8_t guest_code[] = {0xe6, GUEST_PORT, 0xeb, 0xfc};

#endif

/* SPDX-License-Identifier: MIT */
/* VTL0 guests as a few bytes of machine code, and the registers that start them. */
#ifndef GUEST_H
#define GUEST_H

#include "bench.h"

#define GUEST_REGISTERS 16u

/* 64-bit, CPL 0, identity-mapped like VTL2, at `code`. Fills all[] and returns how many. */
uint32_t guest_long_mode(struct hv_register_assoc *all, const void *code, uint64_t stack);

/* Real mode at a segment. */
uint32_t guest_real_mode(struct hv_register_assoc *all, uint16_t segment);

#endif

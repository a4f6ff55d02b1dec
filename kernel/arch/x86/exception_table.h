/* SPDX-License-Identifier: MIT */
#ifndef EXCEPTION_TABLE_H
#define EXCEPTION_TABLE_H

#include <stdint.h>

/* Where to go on after a fault at rip (fixup.h), or 0. */
uint64_t exception_fixup(uint64_t rip);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

/* Puts an entry of pte.h (0: nothing) into a slot of the tables in use; returns the slot's VA. */
void *slot_map(unsigned int slot, uint64_t entry);

#endif

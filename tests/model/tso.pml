// SPDX-License-Identifier: MIT
/*
 * A store of x86 goes through its processor's store buffer: everybody else sees it later, and the
 * processor's own loads may overtake it. This is all that x86 adds to what spin explores (stores
 * keep their order, loads keep theirs; Intel SDM vol. 3, 9.2), so only pairs "store mine, load
 * yours" can go wrong by it, and those are modelled with a buffer. One slot a variable is enough
 * where a processor has at most one store to it outstanding.
 *
 *   STORE(x, v)     a plain or release store: into the slot; drain() moves it to memory sometime
 *   BARRIER(x)      a locked operation or fence: waits until the slot is empty
 */
#define STORE(x, v) atomic { !x##_buffered; x##_slot = v; x##_buffered = true }
#define BARRIER(x) (!x##_buffered)
#define DRAIN(x) d_step { x##_buffered -> x = x##_slot; x##_buffered = false }

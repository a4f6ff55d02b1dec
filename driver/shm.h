/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only way this module touches memory that a sidecar CPU shares (R16). Linux's own atomics
 * lose their LOCK prefix while one CPU is online; the compiler's builtins keep it. Each acquire
 * and release names its partner where it is used.
 */
#ifndef SCDRV_SHM_H
#define SCDRV_SHM_H

#include <linux/types.h>

#define shm_read(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define shm_read_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define shm_write(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define shm_write_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define shm_exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define shm_add(p, v) __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)

static inline bool shm_cas_u8(u8 *p, u8 from, u8 to)
{
	return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline bool shm_cas_u32(u32 *p, u32 from, u32 to)
{
	return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#endif

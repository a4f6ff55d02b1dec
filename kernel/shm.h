/* SPDX-License-Identifier: MIT */
/*
 * The only way to touch a word that another program may change at the same time. Each barrier
 * names its partner where it is used.
 */
#ifndef SHM_H
#define SHM_H

#define shm_read(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define shm_read_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define shm_write(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define shm_write_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define shm_add(p, v) shm_write((p), shm_read(p) + (v)) /* single writer */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The only accessors for memory that a sidecar CPU (or another process) shares.
 *
 * What is read is read once, into a local, and checked there. Order comes from the driver: START
 * and RUN are full barriers on the way out, a completion that was read is an acquire on the way
 * back; the acquire below is the partner of the kernel's release for pages that are looked at on
 * a timer, when no completion was read.
 */
#ifndef LIBSIDECAR_SHM_H
#define LIBSIDECAR_SHM_H

#include <stdint.h>
#include <string.h>

static inline uint8_t shm_load8(const uint8_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint16_t shm_load16(const uint16_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint32_t shm_load32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint64_t shm_load64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void shm_store8(uint8_t *word, uint8_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void shm_store32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The barrier keeps the compiler from reading the source again in place of the copy. */
static inline void shm_copy_in(void *copy, const void *shared, size_t length)
{
	memcpy(copy, shared, length);
	__asm__ volatile("" : "+m"(*(char (*)[])copy));
}

static inline void shm_copy_out(void *shared, const void *copy, size_t length)
{
	memcpy(shared, copy, length);
	__asm__ volatile("" : : "r"(shared) : "memory");
}

#endif

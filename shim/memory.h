/* SPDX-License-Identifier: MIT */
/*
 * The machine's RAM as a sorted list of ranges, each of one NUMA node and for one use. Pure: it
 * knows addresses, and touches none of them.
 */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_MAX_RANGES 512u
#define MEMORY_ANY_VNODE 0xffffffffu

/* 3 and 4 are the memory types that OpenHCL's shim tells its Linux. */
enum memory_use {
	MEMORY_FREE = 0,
	MEMORY_BUSY = 1, /* not free before Linux starts, Linux's afterwards */
	MEMORY_SHIM = 2, /* what the shim hands over: never Linux's to allocate */
	MEMORY_SIDECAR_IMAGE = 3,
	MEMORY_SIDECAR_NODE = 4,
};

struct memory_range {
	uint64_t start, end;
	uint32_t vnode;
	uint32_t use;
};

struct memory {
	uint32_t count;
	struct memory_range ranges[MEMORY_MAX_RANGES];
};

struct memory_want {
	uint64_t size;
	uint64_t alignment; /* a power of 2, at least a page */
	uint64_t below;	    /* the end is not above this */
	uint32_t vnode;	    /* or MEMORY_ANY_VNODE */
	uint32_t use;
};

/* A range of free RAM; its odd ends are cut to pages. False when it overlaps, or the list is full.
 */
bool memory_add(struct memory *memory, uint64_t start, uint64_t end, uint32_t vnode);

/* The RAM of start..end is of vnode; what was not RAM stays so. False when the list is full. */
bool memory_set_vnode(struct memory *memory, uint64_t start, uint64_t end, uint32_t vnode);

/* The free RAM of start..end gets a use, rounded to whole pages. False when the list is full. */
bool memory_use(struct memory *memory, uint64_t start, uint64_t end, uint32_t use);

/* The lowest free place that fits. False when there is none, or the list is full. */
bool memory_take(struct memory *memory, const struct memory_want *want, uint64_t *address);

/* Everything of this use is free again. */
void memory_give_back(struct memory *memory, uint32_t use);

#endif

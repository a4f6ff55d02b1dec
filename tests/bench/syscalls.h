/* SPDX-License-Identifier: MIT */
/*
 * How many system calls the calling thread makes, counted by the kernel: the tracepoint
 * raw_syscalls:sys_enter behind a perf event of this thread (perf_event_open(2)).
 */
#ifndef BENCH_SYSCALLS_H
#define BENCH_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

/* Mounts tracefs; false, with a text on stderr, if there is no such count or if it counts wrong. */
bool syscalls_open(void);

/* So far. The difference of two results leaves out what it takes to ask. */
uint64_t syscalls_now(void);

#endif

/* SPDX-License-Identifier: MIT */
/* A set of CPUs, written as in the module's cpus=: "1-3,7". */
#ifndef CPULIST_H
#define CPULIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CPULIST_CPUS 65536u /* CPU numbers are below this */

struct cpulist {
	uint64_t bits[CPULIST_CPUS / 64];
};

#define CPULIST_ERROR_SIZE 128

/*
 * Numbers and ranges, in any order, with a comma between them; one that is named twice counts once.
 * Returns 0, or -1 with what is wrong in error and nothing in the list.
 */
int cpulist_parse(const char *text, struct cpulist *list, char error[CPULIST_ERROR_SIZE]);

/* As short as can be. An empty list writes nothing. */
void cpulist_print(const struct cpulist *list, FILE *out);

void cpulist_add(struct cpulist *list, uint32_t cpu);
bool cpulist_has(const struct cpulist *list, uint32_t cpu);
size_t cpulist_count(const struct cpulist *list);

/* The first CPU from `from' on that is in the list, or CPULIST_CPUS. */
uint32_t cpulist_next(const struct cpulist *list, uint32_t from);

#endif

/* SPDX-License-Identifier: MIT */
/* What Linux has lent to VMMs and to the module: it must all come back. */
#ifndef TESTS_VM_LIFETIME_H
#define TESTS_VM_LIFETIME_H

#include "hostile.h"

#define FILES_SLACK 64 /* slabinfo counts the free ones of a CPU's slab as well */
#define MEMORY_SLACK_KIB 8192

struct counts {
	long long pinned;
	long long references; /* of the module; -1 without one */
	long long files;
	long long lines; /* of /proc/interrupts that are the module's */
	long long available; /* KiB */
	long long slab;	     /* KiB */
};

__attribute__((unused))
static long long first_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long long value = -1;

	if (file) {
		if (fscanf(file, "%lld", &value) != 1)
			value = -1;
		fclose(file);
	}
	return value;
}

__attribute__((unused))
static long long interrupt_lines(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	long long lines = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		lines += strstr(line, "sidecar") != NULL;
	if (file)
		fclose(file);
	return lines;
}

__attribute__((unused))
static struct counts count(void)
{
	return (struct counts){
		.pinned = pinned_pages(),
		.references = first_number("/sys/module/sidecar/refcnt"),
		.files = number_in("/proc/slabinfo", "filp"),
		.lines = interrupt_lines(),
		.available = number_in("/proc/meminfo", "MemAvailable:"),
		.slab = number_in("/proc/meminfo", "SUnreclaim:"),
	};
}

#endif

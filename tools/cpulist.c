// SPDX-License-Identifier: MIT
#include "cpulist.h"

#include <ctype.h>
#include <string.h>

void cpulist_add(struct cpulist *list, uint32_t cpu)
{
	if (cpu < CPULIST_CPUS)
		list->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

bool cpulist_has(const struct cpulist *list, uint32_t cpu)
{
	return cpu < CPULIST_CPUS && list->bits[cpu / 64] >> cpu % 64 & 1;
}

size_t cpulist_count(const struct cpulist *list)
{
	size_t count = 0;

	for (size_t i = 0; i < CPULIST_CPUS / 64; i++)
		count += (size_t)__builtin_popcountll(list->bits[i]);
	return count;
}

uint32_t cpulist_next(const struct cpulist *list, uint32_t from)
{
	while (from < CPULIST_CPUS && !cpulist_has(list, from))
		from++;
	return from;
}

/* Stops counting at CPULIST_CPUS, so that no number of digits is too many. */
static const char *read_cpu(const char *at, uint32_t *cpu)
{
	if (!isdigit((unsigned char)*at))
		return NULL;
	for (*cpu = 0; isdigit((unsigned char)*at); at++) {
		*cpu = *cpu * 10 + (uint32_t)(*at - '0');
		if (*cpu > CPULIST_CPUS)
			*cpu = CPULIST_CPUS;
	}
	return at;
}

static const char *read_range(const char *at, uint32_t *first, uint32_t *last)
{
	at = read_cpu(at, first);
	*last = *first;
	return at && *at == '-' ? read_cpu(at + 1, last) : at;
}

static int refuse(struct cpulist *list, char error[CPULIST_ERROR_SIZE], const char *part,
		  const char *why)
{
	snprintf(error, CPULIST_ERROR_SIZE, "CPU list: '%.*s' %s", (int)strcspn(part, ","), part,
		 why);
	memset(list, 0, sizeof(*list));
	return -1;
}

int cpulist_parse(const char *text, struct cpulist *list, char error[CPULIST_ERROR_SIZE])
{
	const char *part = text, *end;
	uint32_t first, last;

	memset(list, 0, sizeof(*list));
	for (;; part = end + 1) {
		end = read_range(part, &first, &last);
		if (!end || (*end && *end != ','))
			return refuse(list, error, part, "is neither a number nor a range N-M");
		if (last >= CPULIST_CPUS)
			return refuse(list, error, part, "is beyond the largest CPU number, 65535");
		if (first > last)
			return refuse(list, error, part, "ends before it begins");
		for (; first <= last; first++)
			cpulist_add(list, first);
		if (!*end)
			return 0;
	}
}

void cpulist_print(const struct cpulist *list, FILE *out)
{
	uint32_t first, last;
	const char *comma = "";

	for (first = cpulist_next(list, 0); first < CPULIST_CPUS;
	     first = cpulist_next(list, last + 1)) {
		for (last = first; cpulist_has(list, last + 1); last++)
			;
		fprintf(out, "%s%u", comma, first);
		if (last > first)
			fprintf(out, "-%u", last);
		comma = ",";
	}
}

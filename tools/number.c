// SPDX-License-Identifier: MIT
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Base 8 is nobody's wish: 010 is 10. */
static int read_number(const char *text, uint64_t *number, char **end)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*number = strtoull(text, end, base);
	return errno ? -1 : 0;
}

int number_parse(const char *text, uint64_t limit, uint64_t *number)
{
	char *end;

	return read_number(text, number, &end) || *end || *number > limit ? -1 : 0;
}

int number_parse_size(const char *text, uint64_t limit, uint64_t *size)
{
	static const char units[] = "KMG";
	const char *unit;
	unsigned int shift = 0;
	char *end;

	if (read_number(text, size, &end))
		return -1;
	if (*end) {
		unit = strchr(units, *end++);
		if (!unit || *end)
			return -1;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (*size > limit >> shift)
		return -1;
	*size <<= shift;
	return 0;
}

int number_parse_seconds(const char *text, double least, double most, uint64_t *nanoseconds)
{
	double seconds;
	char *end;

	if (!isdigit((unsigned char)*text) || strpbrk(text, "xXpPeE"))
		return -1;
	seconds = strtod(text, &end);
	if (*end || !(seconds >= least && seconds <= most))
		return -1;
	*nanoseconds = (uint64_t)(seconds * 1e9 + 0.5);
	return 0;
}

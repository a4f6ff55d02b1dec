// SPDX-License-Identifier: MIT
#include "exception_table.h"

#include "image.h"

/* Distances from the fields themselves, so that the table needs no relocation. */
struct exception_entry {
	int32_t instruction;
	int32_t fixup;
};

static uint64_t resolve(const int32_t *field)
{
	return (uint64_t)field + (uint64_t)(int64_t)*field;
}

uint64_t exception_fixup(uint64_t rip)
{
	const struct exception_entry *end = (const void *)image_exceptions_end;
	const struct exception_entry *entry = (const void *)image_exceptions;

	for (; entry < end; entry++)
		if (resolve(&entry->instruction) == rip)
			return resolve(&entry->fixup);
	return 0;
}

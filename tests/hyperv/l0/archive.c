// SPDX-License-Identifier: MIT
#include "archive.h"

#define HEADER 110u
#define MAGIC "070701"
#define FIELD_SIZE 6u /* of 8 hexadecimal digits each, after the magic */
#define FIELD_NAME_SIZE 11u

static uint32_t digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) - 'a' + 10;
}

static uint64_t field(const uint8_t *header, uint32_t number)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < 8; i++)
		value = value << 4 | digit(header[6 + number * 8 + i]);
	return value;
}

static bool same(const char *a, const uint8_t *b, uint64_t size)
{
	uint64_t i;

	for (i = 0; i < size && a[i]; i++)
		if ((uint8_t)a[i] != b[i])
			return false;
	return i < size && !a[i] && !b[i];
}

static uint64_t align4(uint64_t value)
{
	return (value + 3) & ~3ull;
}

bool archive_find(const struct archive *archive, const char *name, const uint8_t **data,
		  uint64_t *size)
{
	uint64_t at = 0;

	while (at + HEADER < archive->size) {
		const uint8_t *header = archive->base + at;
		uint64_t name_size = field(header, FIELD_NAME_SIZE);
		uint64_t file_size = field(header, FIELD_SIZE);
		uint64_t begin = align4(at + HEADER + name_size);

		for (uint32_t i = 0; i < 6; i++)
			if (header[i] != (uint8_t)MAGIC[i])
				return false;
		if (begin + file_size > archive->size)
			return false;
		if (same(name, header + HEADER, name_size)) {
			*data = archive->base + begin;
			*size = file_size;
			return true;
		}
		at = align4(begin + file_size);
	}
	return false;
}

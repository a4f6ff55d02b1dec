// SPDX-License-Identifier: MIT
#include "archive.h"

#include <string.h>

/* Magic, then 13 fields of 8 hexadecimal digits, then the name with its NUL. */
#define MAGIC "070701"
#define MAGIC_SIZE 6u
#define FIELD_FILE_SIZE 6u
#define FIELD_NAME_SIZE 11u
#define HEADER_SIZE 110u
#define ALIGNMENT 4u

/* False for what is no digit. */
static bool field(const char *header, unsigned int number, uint64_t *value)
{
	const char *digits = header + MAGIC_SIZE + number * 8;

	*value = 0;
	for (unsigned int i = 0; i < 8; i++) {
		char c = digits[i];
		bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (!letter && (c < '0' || c > '9'))
			return false;
		*value = *value << 4 | (uint64_t)(letter ? (c | 0x20) - 'a' + 10 : c - '0');
	}
	return true;
}

static uint64_t align(uint64_t offset)
{
	return (offset + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

/* The entry at *at, and *at behind it. False at the end, which an archive has a file for. */
static bool next(const struct file *archive, uint64_t *at, const char **name, struct file *file)
{
	const char *header = (const char *)archive->bytes + *at;
	uint64_t name_size, size, data;

	if (*at > archive->size || archive->size - *at < HEADER_SIZE ||
	    memcmp(header, MAGIC, MAGIC_SIZE) || !field(header, FIELD_NAME_SIZE, &name_size) ||
	    !field(header, FIELD_FILE_SIZE, &size))
		return false;
	data = align(*at + HEADER_SIZE + name_size);
	if (!name_size || data > archive->size || size > archive->size - data ||
	    header[HEADER_SIZE + name_size - 1])
		return false;
	*name = header + HEADER_SIZE;
	*file = (struct file){(const char *)archive->bytes + data, size};
	*at = align(data + size);
	return true;
}

bool archive_find(const struct file *archive, const char *name, struct file *found)
{
	const char *entry;
	uint64_t at = 0;

	while (next(archive, &at, &entry, found)) {
		if (!strcmp(entry, name))
			return true;
	}
	*found = (struct file){0};
	return false;
}

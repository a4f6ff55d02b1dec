// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive.h"

static char bytes[4096];
static struct file archive, found;

static void add(const char *name, const char *content)
{
	size_t at = archive.size;

	at += (size_t)sprintf(bytes + at, "070701%048x%08zx%032x%08zx%08x", 0, strlen(content), 0,
			      strlen(name) + 1, 0);
	strcpy(bytes + at, name);
	at = (at + strlen(name) + 1 + 3) & ~(size_t)3;
	strcpy(bytes + at, content);
	archive.size = (at + strlen(content) + 3) & ~(size_t)3;
}

static int make(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	archive = (struct file){bytes, 0};
	add(".", "");
	add("kernel", "ELF");
	add("linux", "bzImage!");
	add("TRAILER!!!", "");
	return 0;
}

static void files_are_found(void **state)
{
	(void)state;
	assert_true(archive_find(&archive, "kernel", &found));
	assert_int_equal(found.size, 3);
	assert_memory_equal(found.bytes, "ELF", 3);
	assert_true(archive_find(&archive, "linux", &found));
	assert_memory_equal(found.bytes, "bzImage!", 8);
	assert_false(archive_find(&archive, "initrd", &found));
	assert_int_equal(found.size, 0);
	assert_false(archive_find(&archive, "kern", &found));
	assert_false(archive_find(&archive, "kernel2", &found));
}

/* Each copy is exactly as long as the archive, so that one byte too many is seen. */
static void a_shorter_archive_is_never_overread(void **state)
{
	struct file all = archive;
	uint64_t size;

	(void)state;
	for (size = 0; size < all.size; size++) {
		char *copy = malloc(size ? size : 1);

		memcpy(copy, bytes, size);
		archive = (struct file){copy, size};
		if (archive_find(&archive, "linux", &found))
			assert_memory_equal(found.bytes, "bzImage!", 8);
		free(copy);
	}
}

static void damage_ends_the_search(void **state)
{
	(void)state;
	bytes[110 + 2 + 6 + 8 * 6] = 'x';
	assert_false(archive_find(&archive, "linux", &found));
	make(NULL);
	bytes[0] = '1';
	assert_false(archive_find(&archive, "kernel", &found));
	make(NULL);
	memset(bytes + 6 + 8 * 6, 'f', 8);
	assert_false(archive_find(&archive, "kernel", &found));
	make(NULL);
	memset(bytes + 6 + 8 * 11, 'f', 8);
	assert_false(archive_find(&archive, "kernel", &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(files_are_found, make),
		cmocka_unit_test_setup(a_shorter_archive_is_never_overread, make),
		cmocka_unit_test_setup(damage_ends_the_search, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

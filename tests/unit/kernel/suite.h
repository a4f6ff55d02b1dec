/* SPDX-License-Identifier: MIT */
/* What every suite of this folder includes first. */
#ifndef SUITE_H
#define SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"

/* A text of known length against a string. */
#define assert_text(text, length, expected)                            \
	do {                                                           \
		assert_int_equal(length, strlen(expected));            \
		assert_memory_equal(text, expected, strlen(expected)); \
	} while (0)

#define assert_error(error, expected) assert_text((error).text, (error).length, expected)

#endif

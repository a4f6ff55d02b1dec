/* SPDX-License-Identifier: MIT */
/*
 * Writes JSON (RFC 8259) to a stream, one call after the other; commas, indentation and escapes are
 * its own. name is the member's in an object, and NULL in an array and at the top.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool filled; /* the innermost object or array has something in it */
};

void json_begin_object(struct json *json, const char *name);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *name);
void json_end_array(struct json *json);
void json_number(struct json *json, const char *name, uint64_t value);
/* Bytes that are no UTF-8 become U+FFFD. NULL becomes null. */
void json_string(struct json *json, const char *name, const char *text);
void json_null(struct json *json, const char *name);

/* The newline behind the outermost value. */
void json_end(struct json *json);

#endif

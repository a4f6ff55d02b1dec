// SPDX-License-Identifier: MIT
#include "json.h"

#include <inttypes.h>

static void new_line(struct json *json)
{
	putc('\n', json->out);
	for (unsigned int i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

/* How many bytes the character at text has, or 0 if it is none (RFC 3629, section 4). */
static unsigned int utf8_length(const unsigned char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned int length = *text < 0x80 ? 1 : *text >> 5 == 6 ? 2 : *text >> 4 == 14 ? 3 :
			      *text >> 3 == 30 ? 4 : 0;
	uint32_t point = length == 1 ? *text : *text & 0xff >> (length + 1);

	for (unsigned int i = 1; i < length; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (!length || point < least[length] || point > 0x10ffff || point >> 11 == 0x1b)
		return 0;
	return length;
}

static void put_ascii(FILE *out, unsigned char character)
{
	if (character == '"' || character == '\\')
		fprintf(out, "\\%c", character);
	else if (character < 0x20 || character == 0x7f)
		fprintf(out, "\\u%04x", character);
	else
		putc(character, out);
}

static void put_string(FILE *out, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;
	unsigned int length;

	putc('"', out);
	for (; *text; text += length ? length : 1) {
		length = utf8_length(text);
		if (length == 1)
			put_ascii(out, *text);
		else if (length)
			fwrite(text, 1, length, out);
		else
			fputs("\\ufffd", out);
	}
	putc('"', out);
}

/* What stands before every value. */
static void begin_value(struct json *json, const char *name)
{
	if (json->filled)
		putc(',', json->out);
	if (json->depth)
		new_line(json);
	json->filled = true;
	if (name) {
		put_string(json->out, name);
		fputs(": ", json->out);
	}
}

static void begin(struct json *json, const char *name, char bracket)
{
	begin_value(json, name);
	putc(bracket, json->out);
	json->depth++;
	json->filled = false;
}

static void end(struct json *json, char bracket)
{
	json->depth--;
	if (json->filled)
		new_line(json);
	putc(bracket, json->out);
	json->filled = true;
}

void json_begin_object(struct json *json, const char *name)
{
	begin(json, name, '{');
}

void json_end_object(struct json *json)
{
	end(json, '}');
}

void json_begin_array(struct json *json, const char *name)
{
	begin(json, name, '[');
}

void json_end_array(struct json *json)
{
	end(json, ']');
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	begin_value(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

void json_string(struct json *json, const char *name, const char *text)
{
	if (!text) {
		json_null(json, name);
		return;
	}
	begin_value(json, name);
	put_string(json->out, text);
}

void json_null(struct json *json, const char *name)
{
	begin_value(json, name);
	fputs("null", json->out);
}

void json_end(struct json *json)
{
	putc('\n', json->out);
}

// SPDX-License-Identifier: MIT
#include "options.h"

#include <stdio.h>
#include <string.h>

/* A word of the command line, or an item of it. */
struct word {
	const char *text;
	uint32_t length;
};

static bool is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && !memcmp(word->text, text, word->length);
}

/* The value of a word that begins with the name, '=' included. */
static bool value_of(const struct word *word, const char *name, struct word *value)
{
	uint32_t length = (uint32_t)strlen(name);

	if (word->length < length || memcmp(word->text, name, length))
		return false;
	*value = (struct word){word->text + length, word->length - length};
	return true;
}

/* Takes the text in front of the next separator off *rest. */
static bool next(struct word *rest, char separator, struct word *item)
{
	uint32_t length = 0;

	if (!rest->length)
		return false;
	while (length < rest->length && rest->text[length] != separator)
		length++;
	*item = (struct word){rest->text, length};
	length += length < rest->length;
	rest->text += length;
	rest->length -= length;
	return true;
}

static bool number(const struct word *word, uint32_t *value)
{
	uint32_t i;

	*value = 0;
	for (i = 0; i < word->length; i++) {
		if (word->text[i] < '0' || word->text[i] > '9' || i == 9)
			return false;
		*value = *value * 10 + (uint32_t)(word->text[i] - '0');
	}
	return word->length > 0;
}

static bool refuse(struct options *options, const struct word *word)
{
	snprintf(options->error, sizeof(options->error), "\"%.*s\" is not understood",
		 (int)(word->length < 60 ? word->length : 60), word->text);
	return false;
}

static bool range(const struct word *item, uint32_t *first, uint32_t *last)
{
	struct word rest = *item, part;

	if (!next(&rest, '-', &part) || !number(&part, first))
		return false;
	*last = *first;
	if (part.length == item->length)
		return true;
	return number(&rest, last) && *last >= *first;
}

/* A CPU beyond all limits is remembered as one: the plan has a rule for it. */
static bool list(struct shim_cpu_list *cpus, struct word value)
{
	uint32_t first, last;
	struct word item;

	while (next(&value, ',', &item)) {
		if (!range(&item, &first, &last))
			return false;
		if (last >= SHIM_MAX_CPUS) {
			cpus->beyond = true;
			last = SHIM_MAX_CPUS - 1;
		}
		for (; first <= last; first++)
			cpus->has[first] = 1;
	}
	return true;
}

static void sidecar(struct options *options, struct word value)
{
	struct word item;

	while (next(&value, ',', &item)) {
		if (!is(&item, "off") && !is(&item, "on") && !is(&item, "log"))
			continue;
		options->off = is(&item, "off");
		options->log = is(&item, "log");
	}
}

static bool parse_word(struct options *options, const struct word *word)
{
	struct word value;
	bool good = true;

	if (value_of(word, "OPENHCL_SIDECAR=", &value))
		sidecar(options, value);
	else if (value_of(word, "outstanding_io=", &value))
		good = list(&options->outstanding_io, value);
	else if (value_of(word, "idle_interrupts=", &value))
		good = list(&options->idle_interrupts, value);
	else if (value_of(word, "timeout_ms=", &value))
		good = number(&value, &options->timeout_ms) && options->timeout_ms;
	return good || refuse(options, word);
}

bool options_parse(struct options *options, const char *text)
{
	struct word rest = {text, (uint32_t)strlen(text)}, word;

	memset(options, 0, sizeof(*options));
	options->timeout_ms = OPTIONS_TIMEOUT_MS;
	while (next(&rest, ' ', &word)) {
		if (is(&word, "--"))
			break;
		if (!parse_word(options, &word))
			return false;
	}
	options->linux_line = rest.text;
	return true;
}

/* SPDX-License-Identifier: MIT */
/* How far a bulk operation has come: one line that is written over on a terminal, else many. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct progress {
	FILE *out;
	const char *what;
	size_t total;
	bool shown;
	bool terminal;
	bool open; /* a line waits to be written over */
};

/* Shown if out is a terminal, or if it is asked for. */
void progress_begin(struct progress *progress, FILE *out, const char *what, size_t total,
		    bool asked);
void progress_show(struct progress *progress, size_t done);
void progress_end(struct progress *progress);

#endif

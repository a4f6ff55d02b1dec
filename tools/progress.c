// SPDX-License-Identifier: MIT
#include "progress.h"

#include <unistd.h>

void progress_begin(struct progress *progress, FILE *out, const char *what, size_t total,
		    bool asked)
{
	int fd = fileno(out);

	*progress = (struct progress){
		.out = out, .what = what, .total = total, .terminal = fd >= 0 && isatty(fd)};
	progress->shown = asked || progress->terminal;
}

void progress_show(struct progress *progress, size_t done)
{
	if (!progress->shown)
		return;
	fprintf(progress->out, "%s%s: %zu of %zu CPUs%s", progress->terminal ? "\r" : "",
		progress->what, done, progress->total, progress->terminal ? "" : "\n");
	fflush(progress->out);
	progress->open = progress->terminal;
}

void progress_end(struct progress *progress)
{
	if (progress->open)
		putc('\n', progress->out);
	progress->open = false;
}

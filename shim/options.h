/* SPDX-License-Identifier: MIT */
/*
 * The shim's own words, which stand before "--" on its command line; what follows is Linux's.
 *
 *   OPENHCL_SIDECAR=off|on|log,…   the last item counts; others are ignored
 *   outstanding_io=LIST            CPUs that Linux has to start because devices wait for them
 *   idle_interrupts=LIST           the same for CPUs with an interrupt that nothing waits for
 *   timeout_ms=N                   until every sidecar CPU is idle
 *
 * A LIST is N or N-M, separated by commas. OpenHCL's shim has both lists from saved state.
 */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

#define OPTIONS_TIMEOUT_MS 5000u

struct options {
	bool off;
	bool log;
	uint32_t timeout_ms;
	struct shim_cpu_list outstanding_io;
	struct shim_cpu_list idle_interrupts;
	const char *linux_line; /* in the text that was parsed */
	char error[96];
};

/* False with a text for a value that makes no sense; a word that is unknown is ignored. */
bool options_parse(struct options *options, const char *text);

#endif

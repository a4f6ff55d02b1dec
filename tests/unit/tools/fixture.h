/* SPDX-License-Identifier: MIT */
/* A command's surroundings: an own root folder, and what it writes as texts. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl.h"

struct fixture {
	struct ctl ctl;
	char root[64];
	char *out;
	char *err;
	size_t out_size, err_size;
};

/* A root with no file in it. */
struct fixture *fixture_make(const char *command);
void fixture_drop(struct fixture *f);

/* A node whose sidecar CPUs are first to last, idle, with all counters 0. */
void fixture_add_node(struct fixture *f, unsigned int node, unsigned int first, unsigned int last);

/* path is below the root; its folders are made. */
void fixture_write(struct fixture *f, const char *path, const char *text);

/* What has been written so far; valid until the next call. */
const char *fixture_out(struct fixture *f);
const char *fixture_err(struct fixture *f);

/* Runs it with the arguments, a NULL behind the last. */
int fixture_run(struct fixture *f, ctl_command *command, ...);

#endif

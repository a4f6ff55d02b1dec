/* SPDX-License-Identifier: MIT */
/*
 * sidecarctl: what its commands share. Answers go to out, everything else to err; a function that
 * fails has told why in err and returns the exit status.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stdio.h>

struct device;

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1, /* some CPU was refused, or it could not be done */
	CTL_USAGE = 2,
	CTL_ABSENT = 3,	     /* no driver, or no such part of it */
	CTL_DENIED = 4,	     /* permission */
	CTL_INTERRUPTED = 5, /* by a signal */
	CTL_UNKNOWN = 6,     /* the driver does not know the operation */
	/* How the guest of `run' ended when it did not halt. */
	CTL_DEADLINE = 10,
	CTL_TRIPLE_FAULT = 11,
	CTL_NOT_SERVED = 12,
	CTL_CPU_LOST = 13
};

struct ctl {
	const char *root; /* of the file system, before "/sys" and "/dev": "" */
	const struct device *device;
	FILE *out;
	FILE *err;
	const char *command; /* the name of the one that runs */
};

typedef int ctl_command(struct ctl *ctl, int argc, char **argv);

ctl_command log_command, run_command, status_command, top_command;
ctl_command give_command, reset_command, take_command;

/* "sidecarctl: COMMAND: TEXT", a line. */
__attribute__((format(printf, 2, 3))) void ctl_error(struct ctl *ctl, const char *format, ...);

/* The same with an errno value's text behind it. Returns CTL_DENIED, CTL_ABSENT or CTL_FAILED. */
int ctl_errno(struct ctl *ctl, int error, const char *what);

/* Says that the arguments are wrong, and where help is. Returns CTL_USAGE. */
int ctl_usage(struct ctl *ctl);

#endif

// SPDX-License-Identifier: MIT
#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void ctl_error(struct ctl *ctl, const char *format, ...)
{
	va_list arguments;

	fprintf(ctl->err, "sidecarctl: %s: ", ctl->command);
	va_start(arguments, format);
	vfprintf(ctl->err, format, arguments);
	va_end(arguments);
	putc('\n', ctl->err);
}

int ctl_errno(struct ctl *ctl, int error, const char *what)
{
	ctl_error(ctl, "%s: %s", what, strerror(error));
	switch (error) {
	case EACCES:
	case EPERM:
		return CTL_DENIED;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return CTL_ABSENT;
	default:
		return CTL_FAILED;
	}
}

int ctl_usage(struct ctl *ctl)
{
	fprintf(ctl->err, "usage: see sidecarctl --help, or sidecarctl(8)\n");
	return CTL_USAGE;
}

/* SPDX-License-Identifier: MIT */
/* The seam below the commands that move CPUs: tests put a machine of their own there. */
#ifndef DEVICE_H
#define DEVICE_H

#include <sidecar/ioctl.h>

struct device {
	/* A descriptor, or a negative errno value. */
	int (*open)(const char *path);
	void (*close)(int fd);
	/* SIDECAR_IOC_TAKE, GIVE or RESET; 0 or a negative errno value. */
	int (*move)(int fd, unsigned long request, struct sidecar_ioctl_move *move);
};

extern const struct device device_driver;

#endif

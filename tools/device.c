// SPDX-License-Identifier: MIT
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int driver_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void driver_close(int fd)
{
	close(fd);
}

static int driver_move(int fd, unsigned long request, struct sidecar_ioctl_move *move)
{
	return ioctl(fd, request, move) ? -errno : 0;
}

const struct device device_driver = {
	.open = driver_open,
	.close = driver_close,
	.move = driver_move,
};

/* SPDX-License-Identifier: MIT */
/* For the tests of TAKE, GIVE and RESET: one call, and what it says of each CPU. */
#ifndef TESTS_VM_MOVE_H
#define TESTS_VM_MOVE_H

#include "device.h"

#define MAX_MOVES 8

/* The errno of the call for these entries; each entry has its own afterwards. */
__attribute__((unused))
static int move_cpus(int fd, unsigned long request, struct sidecar_move *moves, unsigned int count)
{
	struct sidecar_ioctl_move argument = {
		.size = sizeof(argument),
		.count = count,
		.moves = (uintptr_t)moves,
	};

	return control(fd, request, (unsigned long)&argument);
}

/* One CPU: the call's errno, or the entry's. */
__attribute__((unused))
static int move_cpu(struct device *device, unsigned long request, unsigned int cpu)
{
	struct sidecar_move move = { .cpu = cpu, .error = 9999 };
	int error = move_cpus(device->fd, request, &move, 1);

	return error ? error : move.error;
}

/* Each CPU from first to last: the first errno that is not 0. */
__attribute__((unused))
static int move_range(struct device *device, unsigned long request, unsigned int first,
		      unsigned int last)
{
	struct sidecar_move moves[MAX_MOVES];
	unsigned int i, count = last - first + 1;
	int error;

	for (i = 0; i < count; i++)
		moves[i] = (struct sidecar_move){ .cpu = first + i, .error = 9999 };
	error = move_cpus(device->fd, request, moves, count);
	for (i = 0; i < count && !error; i++)
		error = moves[i].error;
	return error;
}

/* 0 or errno of the write of "0" or "1". */
__attribute__((unused))
static int set_online(unsigned int cpu, const char *text)
{
	char path[64];
	int fd, error;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY);
	error = write(fd, text, 1) == 1 ? 0 : errno;
	close(fd);
	return error;
}

/* A file's first line without its end. */
__attribute__((unused))
static const char *first_line(const char *path)
{
	static char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[size > 0 ? size : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return text;
}

__attribute__((unused))
static void tap_line(const char *path, const char *wanted, const char *name)
{
	const char *got = first_line(path);

	if (!tap_check(!strcmp(got, wanted), "%s", name))
		tap_note("%s: '%s', wanted '%s'", path, got, wanted);
}

__attribute__((unused))
static void tap_online(const char *wanted, const char *name)
{
	tap_line("/sys/devices/system/cpu/online", wanted, name);
}

#endif

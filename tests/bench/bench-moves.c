// SPDX-License-Identifier: MIT
/*
 * How long CPUs take from Linux into the sidecar and back, beside Linux's own offline and online of
 * the same CPUs in the same VM run; and how long close(2) takes while every VP runs a guest.
 *
 *   bench-moves COUNT      CPUs 1 to COUNT, all in the sidecar
 *
 * A round goes in a circle: GIVE, Linux's offline, Linux's online, TAKE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sidecar/abi.h>
#include <sidecar/ioctl.h>

#include "samples.h"

#define DEVICE "/dev/" SIDECAR_DEVICE_PREFIX "0"
#define ROUNDS_OF_ONE 5u
#define ROUNDS_OF_ALL 1u
#define CLOSES 5u
#define MAX_CPUS 255u
#define RESET_PAGE 0xfffff000ull
#define RESET_OFFSET 0xff0u
#define RUNNING_US 100000 /* until every VP has entered its guest */

static struct samples give, linux_offline, linux_online, take, closing;

static bool failed(const char *what, int error)
{
	fprintf(stderr, "bench-moves: %s: %s\n", what, strerror(error));
	return false;
}

/* ---- moves ----------------------------------------------------------------------------------- */

static bool move(int fd, unsigned long request, unsigned int count, struct samples *samples)
{
	struct sidecar_move moves[MAX_CPUS];
	struct sidecar_ioctl_move argument = {
		.size = sizeof(argument),
		.count = count,
		.moves = (uintptr_t)moves,
	};
	uint64_t begin;

	for (unsigned int i = 0; i < count; i++)
		moves[i] = (struct sidecar_move){ .cpu = i + 1 };
	begin = clock_now();
	if (ioctl(fd, request, &argument))
		return failed("move", errno);
	samples_add(samples, clock_now() - begin);
	for (unsigned int i = 0; i < count; i++)
		if (moves[i].error)
			return failed("move of a CPU", moves[i].error);
	return true;
}

static bool set_online(unsigned int cpu, const char *text)
{
	char path[64];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(path, errno);
	good = write(fd, text, 1) == 1 || failed(path, errno);
	close(fd);
	return good;
}

static bool linux_moves(const char *text, unsigned int count, struct samples *samples)
{
	uint64_t begin = clock_now();

	for (unsigned int cpu = 1; cpu <= count; cpu++)
		if (!set_online(cpu, text))
			return false;
	samples_add(samples, clock_now() - begin);
	return true;
}

static bool circle(int fd, unsigned int count)
{
	return move(fd, SIDECAR_IOC_GIVE, count, &give) &&
	       linux_moves("0", count, &linux_offline) && linux_moves("1", count, &linux_online) &&
	       move(fd, SIDECAR_IOC_TAKE, count, &take);
}

static void print_row(unsigned int count, const char *name, struct samples *samples,
		      struct samples *plain)
{
	double ms = (double)samples_percentile(samples, 50) / 1e6;
	double plain_ms = (double)samples_percentile(plain, 50) / 1e6;

	printf("%3u CPUs %-37s %12.3f ms %10.2fx\n", count, name, ms, ms / plain_ms);
	fflush(stdout);
}

static bool measure_moves(unsigned int count, unsigned int rounds)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	bool good = fd >= 0 || failed(DEVICE, errno);

	give.count = linux_offline.count = linux_online.count = take.count = 0;
	for (unsigned int i = 0; good && i < rounds; i++)
		good = circle(fd, count);
	close(fd);
	if (!good)
		return false;
	print_row(count, "TAKE, from Linux", &take, &linux_offline);
	print_row(count, "Linux's own offline, one by one", &linux_offline, &linux_offline);
	print_row(count, "GIVE, to Linux", &give, &linux_online);
	print_row(count, "Linux's own online, one by one", &linux_online, &linux_online);
	return true;
}

/* ---- close ----------------------------------------------------------------------------------- */

static void *map_shared(int fd, unsigned int count)
{
	size_t size = (size_t)(count + 1) * SIDECAR_PER_CPU_SHMEM;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static bool give_guest(int fd, int partition)
{
	static _Alignas(SIDECAR_PAGE_SIZE) uint8_t page[SIDECAR_PAGE_SIZE];
	struct sidecar_ioctl_map map = {
		.size = sizeof(map),
		.flags = SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE,
		.gpa = RESET_PAGE,
		.user = (uintptr_t)page,
		.length = sizeof(page),
	};

	memcpy(page + RESET_OFFSET, "\xeb\xfe", 2); /* jmp $ */
	return (!ioctl(partition, SIDECAR_IOC_PARTITION_MAP, &map) &&
		!ioctl(fd, SIDECAR_IOC_PARTITION_ATTACH, partition)) ||
	       failed("guest", errno);
}

static bool start_all(int fd, uint8_t *shared, unsigned int count)
{
	for (unsigned int cpu = 1; cpu <= count; cpu++) {
		struct sidecar_command_page *page =
			(void *)(shared + (size_t)cpu * SIDECAR_PER_CPU_SHMEM);

		if (ioctl(fd, SIDECAR_IOC_CLAIM, cpu))
			return failed("CLAIM", errno);
		page->command = SIDECAR_COMMAND_RUN_VP;
		if (ioctl(fd, SIDECAR_IOC_START, cpu))
			return failed("START", errno);
	}
	return true;
}

static bool close_running(unsigned int count)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), partition;
	uint8_t *shared = fd < 0 ? NULL : map_shared(fd, count);
	uint64_t begin;

	if (!shared)
		return failed(DEVICE, errno);
	partition = ioctl(fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	if (partition < 0)
		return failed("partition", errno);
	if (!give_guest(fd, partition) || !start_all(fd, shared, count))
		return false;
	usleep(RUNNING_US);
	begin = clock_now();
	close(fd);
	samples_add(&closing, clock_now() - begin);
	munmap(shared, (size_t)(count + 1) * SIDECAR_PER_CPU_SHMEM);
	close(partition);
	return true;
}

static bool measure_close(unsigned int count)
{
	for (unsigned int i = 0; i < CLOSES; i++)
		if (!close_running(count))
			return false;
	printf("%3u VPs  %-37s %12.3f ms\n", count, "close(2) while each runs a guest",
	       (double)samples_percentile(&closing, 50) / 1e6);
	return true;
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 2 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;

	if (!count || count > MAX_CPUS) {
		fprintf(stderr, "usage: bench-moves COUNT (1 to %u)\n", MAX_CPUS);
		return 2;
	}
	printf("%-46s %12s    %11s\n", "until the call returns, median", "time", "plain Linux");
	return !measure_close(count) || !measure_moves(1, ROUNDS_OF_ONE) ||
	       !measure_moves(count, ROUNDS_OF_ALL);
}

// SPDX-License-Identifier: MIT
/*
 * How long it takes until CPUs are of use: into the sidecar, and, in the same VM run, into Linux.
 *
 *   bench-bringup MODULE COUNT      CPUs 1 to COUNT, all offline
 *
 * "insmod" is the whole system call: the driver's plan, the firmware file, memory, the CPUs, the
 * device. "CPUs" is what the driver itself says of the CPUs alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "samples.h"

#define ROUNDS 5u
#define LOG_SIZE (1u << 20)
#define KLOG_READ_ALL 3

struct times {
	struct samples insmod; /* ns */
	struct samples driver; /* us */
};

static bool failed(const char *what)
{
	fprintf(stderr, "bench-bringup: %s: %s\n", what, strerror(errno));
	return false;
}

/* The last line of the kind "sidecar: 63 CPUs in 1 nodes started in 5123 us". */
static bool driver_time(unsigned int *cpus, unsigned long long *us)
{
	static char log[LOG_SIZE];
	int length = klogctl(KLOG_READ_ALL, log, sizeof(log) - 1);
	char *line = log;
	bool found = false;
	unsigned int nodes;

	if (length < 0)
		return failed("kernel log");
	log[length] = 0;
	while ((line = strstr(line, "sidecar: ")) != NULL) {
		line += strlen("sidecar: ");
		found |= sscanf(line, "%u CPUs %*s %u nodes started in %llu us", cpus, &nodes,
				us) == 3;
	}
	return found;
}

static bool load(const char *module, unsigned int count, struct times *times)
{
	unsigned long long us;
	char parameters[64];
	unsigned int cpus;
	int fd = open(module, O_RDONLY | O_CLOEXEC);
	uint64_t begin;

	if (fd < 0)
		return failed(module);
	snprintf(parameters, sizeof(parameters), "cpus=1-%u node_size=%u", count, count + 1);
	begin = clock_now();
	if (syscall(SYS_finit_module, fd, parameters, 0) != 0)
		return failed("insmod");
	samples_add(&times->insmod, clock_now() - begin);
	close(fd);
	if (!driver_time(&cpus, &us) || cpus != count) {
		fprintf(stderr, "bench-bringup: the driver does not say that it started %u CPUs\n",
			count);
		return false;
	}
	samples_add(&times->driver, us);
	return true;
}

static bool unload(void)
{
	return syscall(SYS_delete_module, "sidecar", 0) == 0 || failed("rmmod");
}

static bool online(unsigned int cpu)
{
	char path[64];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(path);
	good = write(fd, "1", 1) == 1 || failed(path);
	close(fd);
	return good;
}

static bool into_linux(unsigned int count, uint64_t *ns)
{
	uint64_t begin = clock_now();

	for (unsigned int cpu = 1; cpu <= count; cpu++)
		if (!online(cpu))
			return false;
	*ns = clock_now() - begin;
	return true;
}

static void print_row(unsigned int count, const char *name, double ms, double linux_ms)
{
	printf("%3u CPUs %-37s %12.3f ms %10.1fx\n", count, name, ms, linux_ms / ms);
}

static void print_table(unsigned int count, struct times *times, uint64_t linux_ns)
{
	double linux_ms = (double)linux_ns / 1e6;
	double first = (double)times->insmod.value[0] / 1e6; /* before the sort */
	double first_driver = (double)times->driver.value[0] / 1e3;

	printf("%-46s %12s    %11s\n", "until the CPUs are of use", "time", "faster");
	print_row(count, "into the sidecar: CPUs, first", first_driver, linux_ms);
	print_row(count, "into the sidecar: CPUs, median of 5",
		  (double)samples_percentile(&times->driver, 50) / 1e3, linux_ms);
	print_row(count, "into the sidecar: insmod, first", first, linux_ms);
	print_row(count, "into the sidecar: insmod, median of 5",
		  (double)samples_percentile(&times->insmod, 50) / 1e6, linux_ms);
	print_row(count, "into Linux, one after another", linux_ms, linux_ms);
}

int main(int argc, char **argv)
{
	static struct times times;
	uint64_t linux_ns;
	unsigned int count;

	if (argc != 3) {
		fprintf(stderr, "usage: bench-bringup MODULE COUNT\n");
		return 2;
	}
	count = (unsigned int)strtoul(argv[2], NULL, 10);
	for (unsigned int i = 0; i < ROUNDS; i++)
		if (!load(argv[1], count, &times) || !unload())
			return 1;
	if (!into_linux(count, &linux_ns))
		return 1;
	print_table(count, &times, linux_ns);
	return 0;
}

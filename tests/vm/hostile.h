/* SPDX-License-Identifier: MIT */
/*
 * For the tests of VMMs that mean harm or die: random numbers whose seed is printed, how much is
 * to be done, and what must be true of every CPU afterwards.
 */
#ifndef TESTS_VM_HOSTILE_H
#define TESTS_VM_HOSTILE_H

#include <grp.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "device.h"

#define CPU_FIRST 1u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALL_RIGHTS (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE)
#define DEVICE_GROUP 1000u

static uint64_t seed = 88172645463325252ull;

/* xorshift64 (Marsaglia 2003). */
__attribute__((unused))
static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

__attribute__((unused))
static unsigned int random_below(unsigned int limit)
{
	return (unsigned int)((random64() >> 11) % limit);
}

#define PICK(...)                                                                  \
	({                                                                         \
		static const uint64_t pick_values[] = {__VA_ARGS__};               \
		pick_values[random_below(COUNT(pick_values))];                     \
	})

__attribute__((unused))
static unsigned long environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

/* How often: ROUNDS, or what a long run does, or what every run does. SEED begins elsewhere. */
__attribute__((unused))
static unsigned long rounds_of(const char *what, unsigned long normal, unsigned long longer)
{
	unsigned long rounds = environment("SIDECAR_TEST_LONG", 0) ? longer : normal;

	rounds = environment("ROUNDS", rounds);
	seed = environment("SEED", (unsigned long)seed);
	tap_note("%s: SEED=%llu ROUNDS=%lu", what, (unsigned long long)seed, rounds);
	return rounds;
}

/* ---- files of Linux's ------------------------------------------------------------------------ */

/* The number behind a word at the beginning of a line; -1 when there is none. */
__attribute__((unused))
static long long number_in(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	long long value, found = -1;
	char line[512], name[64];

	while (file && found < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %lld", name, &value) == 2 && strcmp(name, word) == 0)
			found = value;
	}
	if (file)
		fclose(file);
	return found;
}

/* Pages that drivers have pinned now; there are none but this one's. Only for root. */
__attribute__((unused))
static long long pinned_pages(void)
{
	int refresh = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	/* Each CPU counts for itself, and the sum is a second old otherwise. */
	if (refresh < 0 || write(refresh, "1", 1) != 1)
		return -1;
	close(refresh);
	return number_in("/proc/vmstat", "nr_foll_pin_acquired") -
	       number_in("/proc/vmstat", "nr_foll_pin_released");
}

__attribute__((unused))
static bool file_says(const char *path, const char *wanted)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[size > 0 ? size - 1 : 0] = 0;
	if (strcmp(text, wanted) == 0)
		return true;
	tap_note("%s: '%s', wanted '%s'", path, text, wanted);
	return false;
}

/* ---- every CPU ------------------------------------------------------------------------------- */

/* No report of a fault, no failure; only for root. */
__attribute__((unused))
static bool has_no_fault(unsigned int cpu)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/sidecar/node0/cpu%u/fault", cpu);
	if (!file_says(path, "none"))
		return false;
	snprintf(path, sizeof(path), "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu%u/last_error",
		 cpu);
	return file_says(path, "none");
}

/* 0 when the CPU is nobody's, takes a claim and a command, and runs a guest until its HLT. */
__attribute__((unused))
static int guest_works(unsigned int cpu)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, halting_guest);
	int error = control(device.fd, SIDECAR_IOC_CLAIM, cpu);

	if (!error)
		error = run(&device, cpu, SIDECAR_COMMAND_NONE);
	if (!error)
		error = run(&device, cpu, SIDECAR_COMMAND_RUN_VP);
	if (!error && command_page(&device, cpu)->intercept_message.header.type != HV_MESSAGE_HALT)
		error = EPROTO;
	close(partition);
	device_close(&device);
	return error;
}

static int guest_works_in_child(void *cpu)
{
	return guest_works(*(unsigned int *)cpu);
}

/* The same, used from another process; how many CPUs do not. */
__attribute__((unused))
static unsigned int count_lost(void)
{
	unsigned int cpu, lost = 0;

	for (cpu = CPU_FIRST; cpu < CPUS; cpu++) {
		int error = in_child(guest_works_in_child, &cpu);

		if (error)
			tap_note("CPU %u: %s", cpu, error < 1000 ? strerror(error) : "killed");
		lost += error != 0;
	}
	return lost;
}

__attribute__((unused))
static void check_cpus(const char *after)
{
	unsigned int cpu, faults = 0;

	tap_check(count_lost() == 0, "%s: every CPU runs a guest", after);
	for (cpu = CPU_FIRST; cpu < CPUS; cpu++)
		faults += !has_no_fault(cpu);
	tap_check(faults == 0, "%s: no CPU has taken a fault", after);
}

/* ---- who ------------------------------------------------------------------------------------- */

/* A user without any privilege, whose group has the device, as udev would arrange it. */
__attribute__((unused))
static bool become_ordinary(void)
{
	static const gid_t group = DEVICE_GROUP;

	return chown(DEVICE, 0, DEVICE_GROUP) == 0 && chmod(DEVICE, 0660) == 0 &&
	       setgroups(1, &group) == 0 && setresgid(group, group, group) == 0 &&
	       setresuid(group, group, group) == 0;
}

#endif

// SPDX-License-Identifier: MIT
/* The files of a CPU in sysfs: what they say against what was done to the CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broadcast.h"
#include "tap.h"
#include "vmm.h"

#define FILES "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/"
#define RUN_MS 300u
#define MS 1000000ull

static struct vmm vmm;

/* What a file of a CPU holds, with its last newline; empty when it cannot be read. */
static char *file_of(unsigned int cpu, const char *name)
{
	static char text[8192];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), FILES "cpu%u/%s", cpu, name);
	memset(text, 0, sizeof(text));
	file = fopen(path, "r");
	if (!file)
		return text;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static unsigned long long number(unsigned int cpu, const char *name)
{
	return strtoull(file_of(cpu, name), NULL, 10);
}

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

/* ---- who it is ------------------------------------------------------------------------------- */

/* QEMU gives CPU n the APIC ID n; Linux says the same of a CPU that it has. */
static void test_apic_id(void)
{
	for (unsigned int cpu = 1; cpu <= 2; cpu++) {
		char wanted[16];

		snprintf(wanted, sizeof(wanted), "%u\n", cpu);
		tap_check(strcmp(file_of(cpu, "apic_id"), wanted) == 0, "CPU %u has APIC ID %u",
			  cpu, cpu);
	}
}

static void test_owner(void)
{
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "%d\n", getpid());
	tap_check(strcmp(file_of(1, "owner"), wanted) == 0, "the owner is this process");
	tap_check(strcmp(file_of(2, "owner"), "none\n") == 0, "another CPU has none");
	tap_check(strcmp(file_of(1, "last_error"), "none\n") == 0, "and no error");
}

/* ---- time in the guest ----------------------------------------------------------------------- */

/* A guest that spins is in the guest nearly all of the time; the bounds are of what is possible. */
static void test_guest_ns(void)
{
	unsigned long long start, outside, before = number(1, "guest_ns"), inside;

	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	start = now_ns();
	tap_check(vmm_still_runs(&vmm, RUN_MS), "a guest spins for %u ms", RUN_MS);
	outside = now_ns() - start;
	inside = number(1, "guest_ns") - before;
	if (!tap_check(inside > 0 && inside <= outside + outside / 50,
		       "guest_ns rises, and not by more than has passed"))
		tap_note("%llu ns of %llu", inside, outside);
	if (!tap_check(inside >= RUN_MS * MS / 2, "by most of what has passed"))
		tap_note("%llu ns of %llu", inside, outside);
	tap_equal(number(2, "guest_ns"), 0, "a CPU without a guest has none");
	before = number(1, "guest_ns");
	usleep(50000);
	tap_equal(number(1, "guest_ns"), before, "and it stands still while no guest runs");
}

/* A VP that is suspended is waited for outside of the guest. */
static void test_suspended(void)
{
	unsigned long long before;

	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_STARTUP_SUSPEND);
	before = number(1, "guest_ns");
	tap_check(vmm_still_runs(&vmm, 100), "a suspended VP waits");
	tap_equal(number(1, "guest_ns"), before, "which is no time in the guest");
	vmm_set(&vmm, HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0);
}

/* ---- strangers' interrupts ------------------------------------------------------------------- */

struct strangers {
	unsigned long long vectors[256], total, sum;
};

/* False when the file has a line of another form. */
static bool read_strangers(unsigned int cpu, struct strangers *strangers)
{
	char *text = file_of(cpu, "foreign_interrupts"), *line, *rest = NULL;
	unsigned long long count;
	unsigned int vector;

	memset(strangers, 0, sizeof(*strangers));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "total %llu", &strangers->total) == 1)
			return !rest || !*rest;
		if (sscanf(line, "%u %llu", &vector, &count) != 2 || vector > 255 || !count)
			return false;
		strangers->vectors[vector] = count;
		strangers->sum += count;
	}
	return false;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		tap_note("%s cannot be written", path);
}

static void set_online(unsigned int cpu, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	write_file(path, value);
}

static void broadcast(unsigned int times)
{
	int error = 0;

	while (times-- && !error)
		error = broadcast_once();
	if (error)
		tap_note("no broadcast: %s", strerror(-error));
}

/* Three CPUs Linux's, and every CPU once. */
static void prepare_broadcasts(void)
{
	for (unsigned int cpu = 1; cpu <= 4; cpu++)
		set_online(cpu, "1");
	for (unsigned int cpu = 1; cpu <= 2; cpu++)
		set_online(cpu, "0");
}

static void insert_module(void)
{
	struct utsname name;
	char command[256];

	uname(&name);
	snprintf(command, sizeof(command), "insmod /lib/modules/%s/sidecar.ko cpus=1-2",
		 name.release);
	if (system(command) != 0) {
		printf("Bail out! %s\n", command);
		exit(1);
	}
}

/* True when CPU 1's table is whole and has more than before. */
static bool more_strangers(struct strangers *strangers)
{
	struct strangers before = *strangers;

	for (unsigned int i = 0; i < 500; i++) {
		if (!read_strangers(1, strangers) || strangers->sum != strangers->total)
			return false;
		if (strangers->total > before.total)
			return true;
		usleep(10000);
	}
	return false;
}

static void test_strangers(void)
{
	struct strangers idle, running;

	tap_check(read_strangers(1, &idle) && idle.sum == idle.total,
		  "foreign_interrupts is a table of vectors and its sum");
	broadcast(10);
	tap_check(more_strangers(&idle), "a broadcast of Linux's is in it");
	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	if (fork() == 0) {
		usleep(50000);
		broadcast(10);
		_exit(0);
	}
	tap_check(vmm_still_runs(&vmm, RUN_MS), "a guest goes on under them");
	wait(NULL);
	running = idle;
	tap_check(more_strangers(&running), "and those that came meanwhile are in it, too");
	tap_equal(running.vectors[SIDECAR_REQUEST_VECTOR], 0, "requests are not");
	for (unsigned int vector = 0; vector < 256; vector++)
		if (running.vectors[vector])
			tap_note("vector %u: %llu", vector, running.vectors[vector]);
}

int main(void)
{
	prepare_broadcasts();
	insert_module();
	vmm_open(&vmm, 1);
	test_apic_id();
	test_owner();
	test_guest_ns();
	test_suspended();
	/* In x2APIC mode Linux names those that it sends to. */
	if (!getenv("SIDECAR_TEST_X2APIC"))
		test_strangers();
	vmm_close(&vmm);
	return tap_done();
}

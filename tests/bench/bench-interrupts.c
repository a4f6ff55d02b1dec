// SPDX-License-Identifier: MIT
/*
 * What disturbs a CPU that computes: interrupts that a sidecar CPU takes while its guest runs, and
 * those that a Linux CPU takes in the same time, under a process that does nothing but compute.
 * Twice: while the rest of Linux is idle, and while it broadcasts: ten times a second a module comes
 * and goes.
 *
 *   bench-interrupts SECONDS      CPU 1 is the sidecar's, CPU 2 Linux's
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sidecar/sidecar.h>

#include "../vm/broadcast.h"
#include "guest.h"
#include "samples.h"

#define FILES "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu1/"
#define SIDECAR_CPU 1u
#define LINUX_CPU 2u
#define MAX_KINDS 64u
#define NS 1000000000ull

/* Of the sidecar CPU, by vector; the last is the sum. */
struct foreign {
	unsigned long long vectors[257];
};

/* Of a Linux CPU: the lines of /proc/interrupts. */
struct kinds {
	unsigned int count;
	struct {
		char name[16], text[64];
		unsigned long long taken;
	} kind[MAX_KINDS];
};

static int failed(const char *what, const char *why)
{
	fprintf(stderr, "bench-interrupts: %s: %s\n", what, why);
	return 1;
}

/* ---- counters -------------------------------------------------------------------------------- */

static bool read_foreign(struct foreign *foreign)
{
	FILE *file = fopen(FILES "foreign_interrupts", "re");
	unsigned long long count;
	char name[16];

	memset(foreign, 0, sizeof(*foreign));
	while (file && fscanf(file, "%15s %llu", name, &count) == 2)
		foreign->vectors[strcmp(name, "total") ? strtoul(name, NULL, 10) % 256 : 256] =
			count;
	if (file)
		fclose(file);
	return file;
}

static unsigned long long read_number(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = 0;
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, word, &value) == 1)
			break;
	if (file)
		fclose(file);
	return value;
}

/* " NMI:   0   0   0   Non-maskable interrupts"; a line without a column is of the machine. */
static void read_line(struct kinds *kinds, char *line, unsigned int column)
{
	char *at = strchr(line, ':'), *end;
	unsigned long long value = 0;

	if (!at || kinds->count == MAX_KINDS)
		return;
	*at++ = '\0';
	for (unsigned int i = 0; i <= column; i++, at = end) {
		value = strtoull(at, &end, 10);
		if (end == at)
			return;
	}
	while (strtoull(at, &end, 10), end != at)
		at = end;
	line += strspn(line, " ");
	at += strspn(at, " ");
	snprintf(kinds->kind[kinds->count].name, sizeof(kinds->kind->name), "%.15s", line);
	snprintf(kinds->kind[kinds->count].text, sizeof(kinds->kind->text), "%.*s",
		 (int)strcspn(at, "\n"), at);
	kinds->kind[kinds->count++].taken = value;
}

static unsigned int column_of(const char *header, unsigned int cpu)
{
	unsigned int column = 0, number;
	const char *at = header;

	while ((at = strstr(at, "CPU")) && sscanf(at, "CPU%u", &number) == 1 && number != cpu) {
		column++;
		at += 3;
	}
	return column;
}

static void read_kinds(struct kinds *kinds)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[512];
	unsigned int column;

	kinds->count = 0;
	if (!file || !fgets(line, sizeof(line), file))
		exit(failed("/proc/interrupts", strerror(errno)));
	column = column_of(line, LINUX_CPU);
	while (fgets(line, sizeof(line), file))
		read_line(kinds, line, column);
	fclose(file);
}

/* ---- work ------------------------------------------------------------------------------------ */

static pid_t compute_on(unsigned int cpu)
{
	pid_t child = fork();
	cpu_set_t set;

	if (child)
		return child;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		_exit(failed("affinity", strerror(errno)));
	for (volatile uint64_t n = 0;; n++)
		;
}

static pid_t broadcast(void)
{
	pid_t child = fork();

	if (child)
		return child;
	for (;;) {
		int error = broadcast_once();

		if (error)
			_exit(failed("a module", strerror(-error)));
		usleep(100000);
	}
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static struct sidecar_vp *new_guest(struct sidecar *client)
{
	static const uint8_t endless[] = {0xeb, 0xfe};
	uint8_t *page = mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sidecar_partition *partition;
	struct sidecar_vp *vp;

	memcpy(page + GUEST_CODE_OFFSET, endless, sizeof(endless));
	if (sidecar_partition_create(client, &partition) != 0 ||
	    sidecar_partition_map(partition, GUEST_PAGE_GPA, page, GUEST_PAGE_SIZE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_EXECUTE) != 0 ||
	    sidecar_vp_create(client, SIDECAR_CPU, partition, &vp) != 0)
		exit(failed("guest", sidecar_error(client)->text));
	return vp;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_line(const char *who, const char *what, unsigned long long count, double seconds)
{
	printf("%-14s %-40.40s %9llu %11.2f\n", who, what, count, (double)count / seconds);
}

static void print_foreign(const struct foreign *before, const struct foreign *after, double seconds)
{
	char name[32];

	for (unsigned int vector = 0; vector < 256; vector++) {
		if (after->vectors[vector] == before->vectors[vector])
			continue;
		snprintf(name, sizeof(name), "vector %u", vector);
		print_line("sidecar CPU 1", name, after->vectors[vector] - before->vectors[vector],
			   seconds);
	}
	print_line("sidecar CPU 1", "all of them", after->vectors[256] - before->vectors[256],
		   seconds);
}

static void print_kinds(const struct kinds *before, const struct kinds *after, double seconds)
{
	unsigned long long all = 0;
	char name[96];

	for (unsigned int i = 0; i < after->count && i < before->count; i++) {
		unsigned long long taken = after->kind[i].taken - before->kind[i].taken;

		if (!taken || taken > after->kind[i].taken)
			continue;
		snprintf(name, sizeof(name), "%s %s", after->kind[i].name, after->kind[i].text);
		print_line("Linux CPU 2", name, taken, seconds);
		all += taken;
	}
	print_line("Linux CPU 2", "all of them", all, seconds);
}

/* What is counted, at one moment. */
struct moment {
	struct kinds kinds;
	struct foreign foreign;
	unsigned long long guest_ns, ended;
	uint64_t at;
};

static void read_moment(struct moment *moment)
{
	read_kinds(&moment->kinds);
	if (!read_foreign(&moment->foreign))
		exit(failed(FILES "foreign_interrupts", strerror(errno)));
	moment->guest_ns = read_number(FILES "guest_ns", "%llu");
	moment->ended = read_number(FILES "exits", "interrupt %llu");
	moment->at = clock_now();
}

static void print_moments(const struct moment *before, const struct moment *after)
{
	double seconds = (double)(after->at - before->at) / (double)NS;

	print_foreign(&before->foreign, &after->foreign, seconds);
	print_line("sidecar CPU 1", "exits by them and the STOP", after->ended - before->ended,
		   seconds);
	print_kinds(&before->kinds, &after->kinds, seconds);
	printf("in the guest: %.3f s of %.3f s\n",
	       (double)(after->guest_ns - before->guest_ns) / (double)NS, seconds);
}

static void measure(struct sidecar_vp *vp, unsigned int seconds, const char *title)
{
	static struct moment before, after;
	struct sidecar_event event;
	pid_t worker = compute_on(LINUX_CPU);

	read_moment(&before);
	if (sidecar_vp_run(vp, before.at + seconds * NS, &event) != 0 ||
	    event.kind != SIDECAR_EVENT_CANCELLED)
		exit(failed("run", sidecar_vp_error(vp)->text));
	read_moment(&after);
	end(worker);
	printf("%-55s %9s %11s\n", title, "taken", "a second");
	print_moments(&before, &after);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 60;
	struct sidecar *client;
	struct sidecar_vp *vp;
	pid_t noise;

	if (sidecar_open(NULL, &client) != 0)
		return failed("open", "there is no sidecar");
	vp = new_guest(client);
	measure(vp, seconds, "interrupts while Linux is idle");
	noise = broadcast();
	measure(vp, seconds, "interrupts while Linux broadcasts ten times a second");
	end(noise);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Runs a guest of guests/ on a sidecar CPU and serves its port I/O. Exit status: 0 the guest
 * halted; 1 it could not be started; 2 usage; 3 the guest did what is not served, or broke down;
 * 4 cancelled, by a signal or --timeout-ms; 5 it counted other exits than were seen.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

enum { EXIT_START = 1, EXIT_USAGE, EXIT_GUEST, EXIT_CANCELLED, EXIT_COUNT };

#define ANY_CPU UINT64_MAX

static const char usage[] =
	"usage: run-vp [--cpu N] [--memory SIZE] [--input FILE] [--timeout-ms N] [--corrupt] "
	"GUEST\n"
	"  --cpu N         on that CPU; without it, on the first that is free\n"
	"  --memory SIZE   of the guest, with K, M or G; without it, as much as it takes\n"
	"  --input FILE    the guest's input; without it, it is empty\n"
	"  --timeout-ms N  cancels the guest then\n"
	"  --corrupt       flips a bit of the input in the guest's memory\n";

static struct guest guest;

/* Cancel is legal in a signal handler, and not lost when no run is in flight. */
static void on_signal(int signal)
{
	(void)signal;
	if (guest.vp)
		sidecar_vp_cancel(guest.vp);
}

static int read_options(int argc, char **argv, struct guest_options *options, uint64_t *cpu,
			uint64_t *timeout)
{
	static const struct option names[] = {
		{"cpu", required_argument, NULL, 'c'},	   {"memory", required_argument, NULL, 'm'},
		{"input", required_argument, NULL, 'i'},   {"corrupt", no_argument, NULL, 'x'},
		{"timeout-ms", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
	};
	int option, bad = 0;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1 && !bad) {
		if (option == 'c')
			bad = parse_number(optarg, UINT32_MAX - 1, cpu);
		else if (option == 'm')
			bad = parse_size(optarg, &options->memory) || !options->memory;
		else if (option == 'i')
			options->input = optarg;
		else if (option == 't')
			bad = parse_number(optarg, UINT32_MAX, timeout);
		else if (option == 'x')
			options->corrupt = 1;
		else
			return -1;
		if (bad)
			fprintf(stderr, "run-vp: '%s' is not a number that is possible here\n",
				optarg);
	}
	if (bad || optind != argc - 1)
		return -1;
	options->image = argv[optind];
	return 0;
}

static int open_client(struct sidecar **client)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	int result = sidecar_open(&options, client);

	if (result == SIDECAR_ABSENT)
		fprintf(stderr, "no sidecar on this machine: /dev/%s0 does not exist\n",
			SIDECAR_DEVICE_PREFIX);
	else if (result)
		fprintf(stderr, "%s\n", error.text);
	return result ? -1 : 0;
}

/* The first CPU that is in the sidecar and nobody's. */
static int free_cpu(struct sidecar *client, uint64_t *cpu)
{
	struct sidecar_node_info node;
	struct sidecar_cpu_info info;

	for (uint32_t i = 0; sidecar_node_info(client, i, &node) == 0; i++)
		for (*cpu = node.base_cpu + 1; *cpu < node.base_cpu + node.cpu_count; ++*cpu)
			if (!sidecar_cpu_info(client, (uint32_t)*cpu, &info) && !info.owned &&
			    info.state == SIDECAR_CPU_STATE_IDLE)
				return 0;
	fprintf(stderr, "no CPU is free in the %u nodes of this machine\n",
		sidecar_node_count(client));
	return -1;
}

/* Runs until the guest halts; its exit status. */
static int run(uint64_t timeout)
{
	uint64_t deadline = deadline_in(timeout);
	enum guest_state state = GUEST_GOES_ON;
	struct sidecar_event event;

	while (state == GUEST_GOES_ON) {
		if (sidecar_vp_run(guest.vp, deadline, &event) < 0) {
			fprintf(stderr, "%s\n", sidecar_vp_error(guest.vp)->text);
			return EXIT_GUEST;
		}
		if (event.kind == SIDECAR_EVENT_CANCELLED) {
			fprintf(stderr, "cancelled by %s\n", event.error ? "its deadline" : "a signal");
			return EXIT_CANCELLED;
		}
		state = guest_serve(&guest);
	}
	return state == GUEST_HALTED ? 0 : EXIT_GUEST;
}

static int report(int status)
{
	const struct guest_exits *exits = &guest.exits;

	fflush(stdout);
	fprintf(stderr, "exits: total=%llu io=%llu halt=%llu memory=%llu cpuid=%llu other=%llu\n",
		(unsigned long long)exits->total, (unsigned long long)exits->io,
		(unsigned long long)exits->halt, (unsigned long long)exits->memory,
		(unsigned long long)exits->cpuid, (unsigned long long)exits->other);
	if (!guest.counted)
		return status;
	fprintf(stderr, "guest counted %llu\n", (unsigned long long)guest.counted);
	return !status && guest.counted != exits->total ? EXIT_COUNT : status;
}

int main(int argc, char **argv)
{
	struct guest_options options = {0};
	struct sigaction action = {.sa_handler = on_signal};
	uint64_t cpu = ANY_CPU, timeout = 0;
	struct sidecar *client = NULL;
	int status = EXIT_START;

	if (read_options(argc, argv, &options, &cpu, &timeout)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!guest_load(&guest, &options) && !open_client(&client) &&
	    (cpu != ANY_CPU || !free_cpu(client, &cpu)) &&
	    !guest_start(&guest, client, (uint32_t)cpu)) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		status = report(run(timeout));
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
	}
	guest_destroy(&guest);
	sidecar_close(client);
	return status;
}

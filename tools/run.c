// SPDX-License-Identifier: MIT
/* sidecarctl run: a flat guest on a sidecar CPU; what it prints is the answer. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <time.h>

#include <ports.h>

#include "guest.h"
#include "interrupt.h"
#include "number.h"

#define ANY_CPU UINT64_MAX
#define DEADLINE_MAX 1e9 /* seconds */

struct run {
	struct guest_options options;
	uint64_t cpu;	   /* or ANY_CPU */
	uint64_t deadline; /* ns from the start; 0: none */
	struct sidecar *client;
	struct guest guest;
};

/* ---- options --------------------------------------------------------------------------------- */

static int bad_value(struct ctl *ctl, const char *name, const char *value, const char *rule)
{
	ctl_error(ctl, "--%s '%s': it must be %s", name, value, rule);
	return ctl_usage(ctl);
}

static int set_option(struct ctl *ctl, struct run *run, int option)
{
	switch (option) {
	case 'c':
		return number_parse(optarg, UINT32_MAX, &run->cpu) ?
			bad_value(ctl, "cpu", optarg, "a CPU number") : CTL_OK;
	case 'm':
		return number_parse_size(optarg, GUEST_MEMORY_MAX, &run->options.memory) ||
				!run->options.memory || run->options.memory % SIDECAR_PAGE_SIZE ?
			bad_value(ctl, "memory", optarg, "a multiple of 4K, up to 3G") : CTL_OK;
	case 'l':
		return number_parse(optarg, GUEST_LOAD_MAX, &run->options.load) ||
				run->options.load % 16 ?
			bad_value(ctl, "load", optarg, "a multiple of 16, up to 0xffff0") : CTL_OK;
	case 'e':
		return number_parse(optarg, UINT32_MAX, &run->options.entry) ?
			bad_value(ctl, "entry", optarg, "a guest address") : CTL_OK;
	case 'd':
		return number_parse_seconds(optarg, 0.001, DEADLINE_MAX, &run->deadline) ?
			bad_value(ctl, "deadline", optarg, "0.001 to 1000000000 seconds") : CTL_OK;
	case 'i':
		run->options.input = optarg;
		return CTL_OK;
	default:
		return ctl_usage(ctl);
	}
}

static int check_entry(struct ctl *ctl, struct guest_options *options)
{
	if (options->entry == UINT64_MAX)
		options->entry = options->load;
	if (options->entry >= options->load && options->entry - options->load < GUEST_ENTRY_REACH)
		return CTL_OK;
	ctl_error(ctl, "entry %#" PRIx64 ": it must be within 64 KiB of the load address %#" PRIx64,
		  options->entry, options->load);
	return ctl_usage(ctl);
}

static int read_options(struct ctl *ctl, int argc, char **argv, struct run *run)
{
	static const struct option names[] = {
		{"cpu", required_argument, NULL, 'c'},	 {"memory", required_argument, NULL, 'm'},
		{"load", required_argument, NULL, 'l'},	 {"entry", required_argument, NULL, 'e'},
		{"input", required_argument, NULL, 'i'}, {"deadline", required_argument, NULL, 'd'},
		{0},
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		status = set_option(ctl, run, option);
		if (status)
			return status;
	}
	if (optind != argc - 1) {
		ctl_error(ctl, "one guest image is needed; there are %d", argc - optind);
		return ctl_usage(ctl);
	}
	run->options.image = argv[optind];
	return check_entry(ctl, &run->options);
}

/* ---- a CPU for it ---------------------------------------------------------------------------- */

static int status_of(int code)
{
	return code == -EACCES || code == -EPERM ? CTL_DENIED : CTL_FAILED;
}

static int open_client(struct ctl *ctl, struct sidecar **client)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	int result = sidecar_open(&options, client);

	if (!result)
		return CTL_OK;
	if (result == SIDECAR_ABSENT) {
		ctl_error(ctl, "no sidecar on this machine: /dev/" SIDECAR_DEVICE_PREFIX
			       "0 does not exist");
		return CTL_ABSENT;
	}
	ctl_error(ctl, "%s", error.text);
	return status_of(result);
}

static bool is_free(struct sidecar *client, uint32_t cpu)
{
	struct sidecar_cpu_info info;

	return !sidecar_cpu_info(client, cpu, &info) && !info.owned &&
	       info.state == SIDECAR_CPU_STATE_IDLE;
}

/* The node, in the library's order, that has the CPU; the first one if any CPU will do. */
static uint32_t node_for(struct sidecar *client, uint64_t cpu)
{
	struct sidecar_node_info node;
	uint32_t i;

	for (i = 0; cpu != ANY_CPU && !sidecar_node_info(client, i, &node); i++)
		if (cpu >= node.base_cpu && cpu - node.base_cpu < node.cpu_count)
			return i;
	return 0;
}

static int claim(struct ctl *ctl, struct run *run, uint32_t cpu)
{
	int error = sidecar_vp_create(run->client, cpu, run->guest.partition, &run->guest.vp);

	if (error)
		ctl_error(ctl, "%s", sidecar_error(run->client)->text);
	return error ? status_of(error) : CTL_OK;
}

/* One that was free may be somebody's by now: then it is the next one's turn. */
static int claim_any(struct ctl *ctl, struct run *run)
{
	struct sidecar_node_info node;
	uint32_t cpu;

	for (uint32_t i = 0; !sidecar_node_info(run->client, i, &node); i++)
		for (cpu = node.base_cpu + 1; cpu < node.base_cpu + node.cpu_count; cpu++)
			if (is_free(run->client, cpu) &&
			    sidecar_vp_create(run->client, cpu, run->guest.partition,
					      &run->guest.vp) != -EBUSY)
				return run->guest.vp ? CTL_OK : claim(ctl, run, cpu);
	ctl_error(ctl, "no CPU is free in the %" PRIu32 " nodes of this machine",
		  sidecar_node_count(run->client));
	return CTL_FAILED;
}

static int make_partition(struct ctl *ctl, struct run *run)
{
	struct guest *guest = &run->guest;

	if (sidecar_partition_create(run->client, &guest->partition)) {
		ctl_error(ctl, "%s", sidecar_error(run->client)->text);
		return CTL_FAILED;
	}
	if (!sidecar_partition_map(guest->partition, 0, guest->memory, guest->size,
				   SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE))
		return CTL_OK;
	ctl_error(ctl, "%s", sidecar_partition_error(guest->partition)->text);
	return CTL_FAILED;
}

static int prepare(struct ctl *ctl, struct run *run)
{
	int status = open_client(ctl, &run->client);

	if (!status)
		status = guest_load(ctl, &run->guest, &run->options, run->client,
				    node_for(run->client, run->cpu));
	status = status ? status : make_partition(ctl, run);
	if (status)
		return status;
	status = run->cpu == ANY_CPU ? claim_any(ctl, run) : claim(ctl, run, (uint32_t)run->cpu);
	return status ? status : guest_start(ctl, &run->guest, &run->options);
}

/* ---- the run --------------------------------------------------------------------------------- */

static struct sidecar_vp *running; /* for the signal handler */

static void cancel(void)
{
	sidecar_vp_cancel(running);
}

static uint64_t deadline_after(uint64_t nanoseconds)
{
	struct timespec now;

	if (!nanoseconds)
		return SIDECAR_NO_DEADLINE;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + nanoseconds;
}

static int cancelled(struct ctl *ctl, const struct run *run, const struct sidecar_event *event)
{
	if (!event->error) {
		ctl_error(ctl, "the guest was stopped by a signal");
		return CTL_INTERRUPTED;
	}
	ctl_error(ctl, "the guest was stopped at its deadline of %g s",
		  (double)run->deadline / 1e9);
	return CTL_DEADLINE;
}

static int serve(struct ctl *ctl, struct run *run)
{
	uint64_t deadline = deadline_after(run->deadline);
	enum guest_state state = GUEST_GOES_ON;
	struct sidecar_event event;
	int status = CTL_OK;

	while (state == GUEST_GOES_ON) {
		if (sidecar_vp_run(run->guest.vp, deadline, &event) < 0) {
			ctl_error(ctl, "%s", sidecar_vp_error(run->guest.vp)->text);
			return CTL_CPU_LOST;
		}
		if (event.kind == SIDECAR_EVENT_CANCELLED)
			return cancelled(ctl, run, &event);
		state = guest_serve(ctl, &run->guest, &status);
	}
	return status;
}

int run_command(struct ctl *ctl, int argc, char **argv)
{
	struct run run = {
		.options = {.load = GUEST_BASE, .entry = UINT64_MAX}, .cpu = ANY_CPU};
	int status = read_options(ctl, argc, argv, &run);

	status = status ? status : prepare(ctl, &run);
	if (!status) {
		running = run.guest.vp;
		interrupt_catch(cancel);
		status = serve(ctl, &run);
		interrupt_forget();
	}
	guest_destroy(&run.guest);
	sidecar_close(run.client);
	return status;
}

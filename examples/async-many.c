// SPDX-License-Identifier: MIT
/*
 * One guest on every CPU of the sidecar, all from this one thread through one queue. VP i takes
 * the inputs by turns. One line a VP, and a last one with the sums. Exit status: 0 all halted and
 * counted what was seen; 1 start; 2 usage; 3 a guest broke down; 4 cancelled; 5 miscounted.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

enum { EXIT_START = 1, EXIT_USAGE, EXIT_GUEST, EXIT_CANCELLED, EXIT_COUNT };

#define MAX_INPUTS 64
#define EVENTS 32

struct vp {
	struct guest guest;
	uint32_t cpu;
	const char *input;
	char *text; /* what the guest printed */
	size_t length;
	int status;
};

static struct vp *vps;
static uint32_t vp_count;
static const char *image, *inputs[MAX_INPUTS];
static unsigned int input_count;
static uint64_t timeout;
static bool cancelled;

static const char usage[] =
	"usage: async-many --guest FILE [--input FILE]... [--timeout-ms N]\n";

static int read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"guest", required_argument, NULL, 'g'},
		{"input", required_argument, NULL, 'i'},
		{"timeout-ms", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'g')
			image = optarg;
		else if (option == 'i' && input_count < MAX_INPUTS)
			inputs[input_count++] = optarg;
		else if (option != 't' || parse_number(optarg, UINT32_MAX, &timeout))
			return -1;
	}
	return image && optind == argc ? 0 : -1;
}

static int start_vp(struct sidecar *client, struct sidecar_queue *queue, uint32_t cpu)
{
	struct vp *vp = &vps[vp_count];
	struct guest_options options = {.image = image};

	vp->cpu = cpu;
	vp->input = input_count ? inputs[vp_count % input_count] : NULL;
	options.input = vp->input;
	vp->guest.out = open_memstream(&vp->text, &vp->length);
	vp_count++;
	if (!vp->guest.out || guest_load(&vp->guest, &options) ||
	    guest_start(&vp->guest, client, cpu))
		return -1;
	if (sidecar_queue_attach(queue, vp->guest.vp) ||
	    sidecar_queue_prepare_run(queue, vp->guest.vp, (uintptr_t)vp)) {
		fprintf(stderr, "cpu %u: %s\n", cpu, sidecar_queue_error(queue)->text);
		return -1;
	}
	return 0;
}

/* Every CPU that is in the sidecar now; one that is somebody's is an error. */
static int start_all(struct sidecar *client, struct sidecar_queue *queue)
{
	struct sidecar_node_info node;
	struct sidecar_cpu_info info;
	uint32_t total = 0;

	for (uint32_t i = 0; !sidecar_node_info(client, i, &node); i++)
		total += node.cpu_count;
	vps = calloc(total, sizeof(*vps));
	for (uint32_t i = 0; vps && !sidecar_node_info(client, i, &node); i++)
		for (uint32_t n = 1; n < node.cpu_count; n++)
			if (!sidecar_cpu_info(client, node.base_cpu + n, &info) &&
			    info.state != SIDECAR_CPU_STATE_REMOVED &&
			    start_vp(client, queue, node.base_cpu + n))
				return -1;
	if (!vp_count)
		fprintf(stderr, "no CPU is in the sidecar\n");
	return vp_count ? 0 : -1;
}

/* True when the VP is to run again. */
static bool handle(struct sidecar_queue *queue, const struct sidecar_event *event)
{
	struct vp *vp = (struct vp *)(uintptr_t)event->user;
	enum guest_state state;

	if (event->kind == SIDECAR_EVENT_CANCELLED) {
		vp->status = EXIT_CANCELLED;
		return false;
	}
	if (event->kind != SIDECAR_EVENT_INTERCEPT) {
		fprintf(stderr, "cpu %u: %s\n", vp->cpu, sidecar_vp_error(event->vp)->text);
		vp->status = EXIT_GUEST;
		return false;
	}
	state = guest_serve(&vp->guest);
	vp->status = state == GUEST_FAILED ? EXIT_GUEST : 0;
	return state == GUEST_GOES_ON &&
	       !sidecar_queue_prepare_run(queue, vp->guest.vp, event->user);
}

static void cancel_all(void)
{
	cancelled = true;
	for (uint32_t i = 0; i < vp_count; i++)
		sidecar_vp_cancel(vps[i].guest.vp);
}

/* Until every guest has ended. */
static int serve(struct sidecar_queue *queue)
{
	struct sidecar_event events[EVENTS];
	uint64_t deadline = deadline_in(timeout);
	uint32_t running = vp_count;
	int count = sidecar_queue_submit(queue);

	while (running && count >= 0) {
		count = sidecar_queue_wait(queue, events, EVENTS, 1,
					   cancelled ? SIDECAR_NO_DEADLINE : deadline);
		if (!count && !cancelled)
			cancel_all();
		for (int i = 0; i < count; i++)
			running -= !handle(queue, &events[i]);
		if (count >= 0)
			count = sidecar_queue_submit(queue);
	}
	if (count < 0)
		fprintf(stderr, "%s\n", sidecar_queue_error(queue)->text);
	return count < 0 ? EXIT_GUEST : 0;
}

static int report(void)
{
	unsigned long long exits = 0;
	int status = 0;

	for (uint32_t i = 0; i < vp_count; i++) {
		struct vp *vp = &vps[i];
		unsigned long long total = vp->guest.exits.total;

		fflush(vp->guest.out);
		if (!vp->status && vp->guest.counted && vp->guest.counted != total)
			vp->status = EXIT_COUNT;
		printf("cpu %u: status=%d exits=%llu counted=%llu input=%s: %.*s\n", vp->cpu,
		       vp->status, total, (unsigned long long)vp->guest.counted,
		       vp->input ? vp->input : "", (int)strcspn(vp->text, "\n"), vp->text);
		exits += total;
		status = status ? status : vp->status;
	}
	printf("vps=%u exits=%llu\n", vp_count, exits);
	return status;
}

static void destroy_all(void)
{
	for (uint32_t i = 0; i < vp_count; i++) {
		FILE *out = vps[i].guest.out;

		guest_destroy(&vps[i].guest);
		if (out)
			fclose(out);
		free(vps[i].text);
	}
	free(vps);
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar_queue *queue = NULL;
	struct sidecar *client;
	int status = EXIT_START, result;

	if (read_options(argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	result = sidecar_open(&options, &client);
	if (result) {
		fprintf(stderr, "%s\n", result == SIDECAR_ABSENT ? "no sidecar on this machine"
								 : error.text);
		return EXIT_START;
	}
	if (sidecar_queue_create(client, NULL, &queue))
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
	else if (!start_all(client, queue)) {
		status = serve(queue);
		status = status ? status : report();
	}
	destroy_all();
	sidecar_queue_close(queue);
	sidecar_close(client);
	return status;
}

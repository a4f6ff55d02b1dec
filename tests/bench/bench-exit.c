// SPDX-License-Identifier: MIT
/*
 * What a port-I/O exit costs the VMM: from the call that runs the guest to the message in hand,
 * and RIP behind the instruction. Blocking, asynchronous, all VPs at once, and KVM_RUN in the same
 * VM for comparison.
 *
 *   bench-exit [--instructions] [--no-kvm]
 *
 * --instructions: the VM counts instructions (scripts/vm --icount), so a tick is an instruction, of
 * any CPU. Prints a table; exit status 1 only if something could not be measured.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <sidecar/sidecar.h>

#include "guest.h"
#include "kvm.h"
#include "samples.h"

#define EXITS 2000u
#define WARM_UP 200u
#define MAX_VPS 3u

struct bench {
	struct sidecar *client;
	struct sidecar_partition *partition;
	struct sidecar_queue *queue;
	struct sidecar_vp *vp[MAX_VPS];
	uint32_t vp_count;
	struct kvm_guest kvm;
	uint32_t at_once; /* VPs of one round of the asynchronous form */
	double ticks_per_unit;
	const char *unit;
};

static struct samples samples;

/* One exit, or one round of exits. */
typedef bool (*measured)(struct bench *bench);

static bool failed(const char *what, const struct sidecar_error *error)
{
	fprintf(stderr, "bench-exit: %s: %s\n", what, error->text);
	return false;
}

/* What a VMM does with an OUT whose value it does not want. */
static bool serve(struct sidecar_vp *vp)
{
	const struct hv_message *message = sidecar_vp_message(vp);
	const struct hv_io_message *io = (const void *)message->payload;
	struct hv_register_page *page = sidecar_vp_register_page(vp);

	if (message->header.type != HV_MESSAGE_IO_PORT_INTERCEPT || io->port_number != GUEST_PORT) {
		fprintf(stderr, "bench-exit: message %#x (%s), wanted a write to port %#x\n",
			message->header.type, sidecar_message_name(message->header.type),
			GUEST_PORT);
		return false;
	}
	page->rip =
		io->header.rip + (io->header.instruction_length_and_cr8 & HV_INTERCEPT_LENGTH_MASK);
	page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
	return true;
}

static bool empty_command(struct bench *bench)
{
	return sidecar_vp_test(bench->vp[0]) == 0 || failed("test", sidecar_vp_error(bench->vp[0]));
}

static bool blocking_exit(struct bench *bench)
{
	struct sidecar_vp *vp = bench->vp[0];

	if (sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL) != 0)
		return failed("run", sidecar_vp_error(vp));
	return serve(vp);
}

static bool serve_events(const struct sidecar_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		if (events[i].kind != SIDECAR_EVENT_INTERCEPT) {
			fprintf(stderr, "bench-exit: event %s, wanted an intercept\n",
				sidecar_event_kind_name(events[i].kind));
			return false;
		}
		if (!serve(events[i].vp))
			return false;
	}
	return true;
}

static bool queued_exits(struct bench *bench)
{
	struct sidecar_event events[MAX_VPS];
	uint32_t n = bench->at_once;

	for (uint32_t i = 0; i < n; i++)
		if (sidecar_queue_prepare_run(bench->queue, bench->vp[i], i) != 0)
			return failed("prepare", sidecar_queue_error(bench->queue));
	if (sidecar_queue_submit(bench->queue) != (int)n)
		return failed("submit", sidecar_queue_error(bench->queue));
	if (sidecar_queue_wait(bench->queue, events, n, n, SIDECAR_NO_DEADLINE) != (int)n)
		return failed("wait", sidecar_queue_error(bench->queue));
	return serve_events(events, (int)n);
}

static bool kvm_exit(struct bench *bench)
{
	return kvm_guest_exit(&bench->kvm);
}

static void print_row(const struct bench *bench, const char *name, unsigned int exits)
{
	double median = (double)samples_percentile(&samples, 50) / bench->ticks_per_unit / exits;
	double p99 = (double)samples_percentile(&samples, 99) / bench->ticks_per_unit / exits;

	printf("%-46s %10.1f %10.1f %8zu  %s\n", name, median, p99, samples.count, bench->unit);
	fflush(stdout);
}

/* exits: how many one call of measure has; the table tells the share of one. */
static bool measure(struct bench *bench, const char *name, measured measure, unsigned int exits)
{
	uint64_t begin;

	samples.count = 0;
	for (unsigned int i = 0; i < WARM_UP + EXITS; i++) {
		begin = ticks_now();
		if (!measure(bench)) {
			printf("%-46s could not be measured\n", name);
			return false;
		}
		if (i >= WARM_UP)
			samples_add(&samples, ticks_now() - begin);
	}
	print_row(bench, name, exits);
	return true;
}

static bool add_vps(struct bench *bench)
{
	struct sidecar_node_info info;
	uint32_t cpu;

	if (sidecar_node_info(bench->client, 0, &info) != 0)
		return failed("node 0", sidecar_error(bench->client));
	for (cpu = info.base_cpu + 1; cpu < info.base_cpu + info.cpu_count; cpu++) {
		if (bench->vp_count == MAX_VPS)
			break;
		if (sidecar_vp_create(bench->client, cpu, bench->partition,
				      &bench->vp[bench->vp_count]) != 0)
			return failed("VP", sidecar_error(bench->client));
		bench->vp_count++;
	}
	return bench->vp_count > 0;
}

static bool open_sidecar(struct bench *bench, void *page)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	int status = sidecar_open(&options, &bench->client);

	if (status == SIDECAR_ABSENT) {
		fprintf(stderr, "bench-exit: this machine has no sidecar\n");
		return false;
	}
	if (status != 0)
		return failed("open", &error);
	if (sidecar_partition_create(bench->client, &bench->partition) != 0)
		return failed("partition", sidecar_error(bench->client));
	if (sidecar_partition_map(bench->partition, GUEST_PAGE_GPA, page, GUEST_PAGE_SIZE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE) != 0)
		return failed("map", sidecar_partition_error(bench->partition));
	return add_vps(bench);
}

static bool attach_all(struct bench *bench)
{
	if (sidecar_queue_create(bench->client, NULL, &bench->queue) != 0)
		return failed("queue", sidecar_error(bench->client));
	for (uint32_t i = 0; i < bench->vp_count; i++)
		if (sidecar_queue_attach(bench->queue, bench->vp[i]) != 0)
			return failed("attach", sidecar_queue_error(bench->queue));
	return true;
}

static bool close_sidecar(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->vp_count; i++)
		if (sidecar_vp_destroy(bench->vp[i]) != 0)
			return failed("destroy", sidecar_vp_error(bench->vp[i]));
	return sidecar_queue_close(bench->queue) == 0 &&
	       sidecar_partition_close(bench->partition) == 0 && sidecar_close(bench->client) == 0;
}

static bool measure_sidecar(struct bench *bench)
{
	char name[64];
	bool good = true;

	good &= measure(bench, "sidecar: empty command, blocking", empty_command, 1);
	good &= measure(bench, "sidecar: exit, blocking run", blocking_exit, 1);
	if (!good || !attach_all(bench))
		return false;
	bench->at_once = 1;
	good &= measure(bench, "sidecar: exit, asynchronous run", queued_exits, 1);
	bench->at_once = bench->vp_count;
	snprintf(name, sizeof(name), "sidecar: exit, %u VPs at once, share of one",
		 bench->vp_count);
	return good && measure(bench, name, queued_exits, bench->vp_count);
}

static void *new_page(void)
{
	void *page = mmap(NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	memcpy((char *)page + GUEST_CODE_OFFSET, guest_code, sizeof(guest_code));
	return page;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	bool kvm = true, good = true;
	void *page = new_page();

	bench.ticks_per_unit = ticks_per_us();
	bench.unit = "us";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--instructions") == 0) {
			bench.ticks_per_unit = 1;
			bench.unit = "instructions";
		}
		kvm = kvm && strcmp(argv[i], "--no-kvm") != 0;
	}
	printf("%-46s %10s %10s %8s\n", "port-I/O exit seen by the VMM", "median", "p99",
	       "samples");
	if (!page || !open_sidecar(&bench, page))
		return 1;
	if (kvm)
		good = kvm_guest_open(&bench.kvm, page) &&
		       measure(&bench, "KVM_RUN: exit", kvm_exit, 1);
	good &= measure_sidecar(&bench);
	return good && close_sidecar(&bench) ? 0 : 1;
}

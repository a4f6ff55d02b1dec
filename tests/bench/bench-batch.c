// SPDX-License-Identifier: MIT
/*
 * What a completed run costs one thread that has many VPs: system calls, as the kernel counts them
 * and as the queue's own counters say, and ticks. All VPs through a queue with wait(min=16), one
 * blocking run after another, and KVM_RUN of as many VMs by turns.
 *
 *   bench-batch [--instructions]
 *
 * --instructions: the VM counts instructions (scripts/vm --icount), so a tick is an instruction, of
 * any CPU. Prints a table; exit status 1 only if something could not be measured.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "kvm.h"
#include "samples.h"
#include "syscalls.h"
#include "vps.h"

#define MIN_EVENTS 16u
#define RUNS 8000u
#define WARM_UP 800u

struct bench {
	struct vps vps;
	struct kvm_guest kvm[VPS_MAX];
	uint32_t guests; /* of the way that is measured */
	uint32_t next;
	double ticks_per_unit;
	const char *unit;
};

/* At least so many runs; 0 = one has failed. */
typedef uint64_t (*measured)(struct bench *bench, uint64_t runs);

/* Submission and wait are one call; what comes back goes out again with the next one. */
static uint64_t batched_runs(struct bench *bench, uint64_t runs)
{
	struct sidecar_queue *queue = bench->vps.queue;
	struct sidecar_event events[VPS_MAX];
	uint64_t done = 0;
	int count;

	while (done < runs) {
		count = sidecar_queue_wait(queue, events, VPS_MAX, MIN_EVENTS, SIDECAR_NO_DEADLINE);
		if (count < (int)MIN_EVENTS) {
			vps_failed("wait", sidecar_queue_error(queue));
			return 0;
		}
		for (int i = 0; i < count; i++)
			if (!vps_serve_event(&events[i]) ||
			    sidecar_queue_prepare_run(queue, events[i].vp, 0) != 0)
				return 0;
		done += (uint64_t)count;
	}
	return done;
}

static uint64_t blocking_runs(struct bench *bench, uint64_t runs)
{
	struct sidecar_vp *vp;

	for (uint64_t i = 0; i < runs; i++) {
		vp = bench->vps.vp[bench->next++ % bench->guests];
		if (sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL) != 0) {
			vps_failed("run", sidecar_vp_error(vp));
			return 0;
		}
		if (!vps_serve(vp))
			return 0;
	}
	return runs;
}

static uint64_t kvm_runs(struct bench *bench, uint64_t runs)
{
	for (uint64_t i = 0; i < runs; i++)
		if (!kvm_guest_exit(&bench->kvm[bench->next++ % bench->guests]))
			return 0;
	return runs;
}

/* System calls by the library's own count; 0 without a queue. */
static uint64_t queue_calls(const struct bench *bench)
{
	struct sidecar_queue_counters counters;

	if (!bench->vps.queue)
		return 0;
	sidecar_queue_counters(bench->vps.queue, &counters);
	return counters.sleeps + counters.submits + counters.fetches;
}

static void print_row(const struct bench *bench, const char *name, uint64_t runs, uint64_t calls,
		      uint64_t own, uint64_t ticks)
{
	char text[16] = "-";

	if (own)
		snprintf(text, sizeof(text), "%.4f", (double)own / (double)runs);
	printf("%-40s %12.4f %12s %10.1f %8llu  %s\n", name, (double)calls / (double)runs, text,
	       (double)ticks / bench->ticks_per_unit / (double)runs, (unsigned long long)runs,
	       bench->unit);
	fflush(stdout);
}

static bool measure(struct bench *bench, const char *name, measured run, uint32_t guests)
{
	uint64_t runs, calls, own, ticks;

	bench->guests = guests;
	if (!run(bench, WARM_UP))
		return false;
	own = queue_calls(bench);
	calls = syscalls_now();
	ticks = ticks_now();
	runs = run(bench, RUNS);
	ticks = ticks_now() - ticks;
	calls = syscalls_now() - calls;
	own = queue_calls(bench) - own;
	if (runs)
		print_row(bench, name, runs, calls, own, ticks);
	else
		printf("%-40s could not be measured\n", name);
	return runs != 0;
}

static bool measure_kvm(struct bench *bench, void *page)
{
	for (uint32_t i = 0; i < bench->vps.count; i++)
		if (!kvm_guest_open(&bench->kvm[i], page))
			return false;
	return measure(bench, "KVM_RUN: one VM", kvm_runs, 1) &&
	       measure(bench, "KVM_RUN: 31 VMs by turns", kvm_runs, bench->vps.count);
}

static bool measure_batched(struct bench *bench)
{
	if (!vps_attach(&bench->vps))
		return false;
	for (uint32_t i = 0; i < bench->vps.count; i++)
		if (sidecar_queue_prepare_run(bench->vps.queue, bench->vps.vp[i], 0) != 0)
			return vps_failed("prepare", sidecar_queue_error(bench->vps.queue));
	return measure(bench, "sidecar: 31 VPs at once, wait(min=16)", batched_runs,
		       bench->vps.count);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	bool instructions = argc > 1 && strcmp(argv[1], "--instructions") == 0;
	void *page = vps_new_page();

	bench.ticks_per_unit = instructions ? 1 : ticks_per_us();
	bench.unit = instructions ? "instructions" : "us";
	if (!page || !syscalls_open() || !vps_open(&bench.vps, page, VPS_MAX))
		return 1;
	if (bench.vps.count != VPS_MAX) {
		fprintf(stderr, "bench-batch: %u VPs, wanted %u\n", bench.vps.count, VPS_MAX);
		return 1;
	}
	printf("%-40s %12s %12s %10s %8s\n", "a run, from one thread: shares of one",
	       "system calls", "queue's count", "cost", "runs");
	return measure_kvm(&bench, page) &&
		       measure(&bench, "sidecar: blocking run of one VP", blocking_runs, 1) &&
		       measure(&bench, "sidecar: blocking runs, 31 VPs by turns", blocking_runs,
			       VPS_MAX) &&
		       measure_batched(&bench) && vps_close(&bench.vps) ?
	       0 : 1;
}

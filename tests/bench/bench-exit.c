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

#include "guest.h"
#include "kvm.h"
#include "samples.h"
#include "vps.h"

#define EXITS 2000u
#define WARM_UP 200u
#define MAX_VPS 3u

struct bench {
	struct vps vps;
	struct kvm_guest kvm;
	uint32_t at_once; /* VPs of one round of the asynchronous form */
	double ticks_per_unit;
	const char *unit;
};

static struct samples samples;

/* One exit, or one round of exits. */
typedef bool (*measured)(struct bench *bench);

static bool empty_command(struct bench *bench)
{
	struct sidecar_vp *vp = bench->vps.vp[0];

	return sidecar_vp_test(vp) == 0 || vps_failed("test", sidecar_vp_error(vp));
}

static bool blocking_exit(struct bench *bench)
{
	struct sidecar_vp *vp = bench->vps.vp[0];

	if (sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, NULL) != 0)
		return vps_failed("run", sidecar_vp_error(vp));
	return vps_serve(vp);
}

static bool queued_exits(struct bench *bench)
{
	struct sidecar_event events[MAX_VPS];
	uint32_t n = bench->at_once;

	for (uint32_t i = 0; i < n; i++)
		if (sidecar_queue_prepare_run(bench->vps.queue, bench->vps.vp[i], i) != 0)
			return vps_failed("prepare", sidecar_queue_error(bench->vps.queue));
	if (sidecar_queue_submit(bench->vps.queue) != (int)n)
		return vps_failed("submit", sidecar_queue_error(bench->vps.queue));
	if (sidecar_queue_wait(bench->vps.queue, events, n, n, SIDECAR_NO_DEADLINE) != (int)n)
		return vps_failed("wait", sidecar_queue_error(bench->vps.queue));
	for (uint32_t i = 0; i < n; i++)
		if (!vps_serve_event(&events[i]))
			return false;
	return true;
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

static bool measure_sidecar(struct bench *bench)
{
	char name[64];
	bool good = true;

	good &= measure(bench, "sidecar: empty command, blocking", empty_command, 1);
	good &= measure(bench, "sidecar: exit, blocking run", blocking_exit, 1);
	if (!good || !vps_attach(&bench->vps))
		return false;
	bench->at_once = 1;
	good &= measure(bench, "sidecar: exit, asynchronous run", queued_exits, 1);
	bench->at_once = bench->vps.count;
	snprintf(name, sizeof(name), "sidecar: exit, %u VPs at once, share of one",
		 bench->vps.count);
	return good && measure(bench, name, queued_exits, bench->vps.count);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	bool kvm = true, good = true;
	void *page = vps_new_page();

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
	if (!page || !vps_open(&bench.vps, page, MAX_VPS))
		return 1;
	if (kvm)
		good = kvm_guest_open(&bench.kvm, page) &&
		       measure(&bench, "KVM_RUN: exit", kvm_exit, 1);
	good &= measure_sidecar(&bench);
	return good && vps_close(&bench.vps) ? 0 : 1;
}

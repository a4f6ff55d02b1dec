// SPDX-License-Identifier: MIT
/*
 * The library's own path of one run, for count: 100 runs to warm up and 1,000 to be measured, over
 * a fake driver. Each measured run is a call of one of these functions, whose instructions
 * callgrind counts; a batch is a call for several runs, and their share is counted.
 *
 * Under valgrind no thread may sleep in io_uring_enter(): all others would stand still. So a
 * command is over when its submission is made, and that is a NOP whose completion is the command's.
 * The real driver's function fills the submission first, to be counted.
 */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>

#include <sidecar/sidecar.h>

#include "driver.h"
#include "fake.h"

#define WARM_UP 100
#define RUNS 1000
#define BATCH 4 /* divides both */

static struct sidecar_driver driver;

static int start_prepare(void *context, int node, uint32_t cpu, struct io_uring *ring,
			 struct io_uring_sqe *sqe, uint64_t user_data)
{
	driver_ioctl.start_prepare(NULL, node, cpu, ring, sqe, user_data);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, user_data);
	return fake_driver.run(context, node, cpu);
}

static int node_caps(void *context, int node, struct sidecar_ioctl_caps *caps)
{
	int error = fake_driver.node_caps(context, node, caps);

	caps->capabilities |= SIDECAR_CAP_URING_CMD;
	return error;
}

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "bench-path: %s: %d\n", what, result);
	exit(1);
}

/* From the prepare call to the event; submit and wait are one call. */
__attribute__((noinline)) static int queued_run(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar_event event;
	int result;

	result = sidecar_queue_prepare_run(queue, vp, 1);
	if (!result)
		result = sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE);
	return result == 1 && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

__attribute__((noinline)) static int prepared_run(struct sidecar_queue *queue,
						  struct sidecar_vp *vp)
{
	return sidecar_queue_prepare_run(queue, vp, 1);
}

/* From the submit call to the event, of what prepared_run() has prepared. */
__attribute__((noinline)) static int submitted_run(struct sidecar_queue *queue)
{
	struct sidecar_event event;
	int result = sidecar_queue_submit(queue);

	if (result == 1)
		result = sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE);
	return result == 1 && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

/* From the first prepare call to the last event; one system call. */
__attribute__((noinline)) static int batch_of_runs(struct sidecar_queue *queue,
						   struct sidecar_vp **vps)
{
	struct sidecar_event events[BATCH];
	int result = 0;

	for (int i = 0; i < BATCH && !result; i++)
		result = sidecar_queue_prepare_run(queue, vps[i], 1);
	if (!result)
		result = sidecar_queue_wait(queue, events, BATCH, BATCH, SIDECAR_NO_DEADLINE);
	for (int i = 0; i < BATCH && result == BATCH; i++)
		if (events[i].kind != SIDECAR_EVENT_INTERCEPT)
			return -1;
	return result == BATCH ? 0 : -1;
}

__attribute__((noinline)) static int blocking_run(struct sidecar_vp *vp)
{
	struct sidecar_event event;
	int result = sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event);

	return !result && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

static void make_vps(struct sidecar *client, struct sidecar_queue *queue, struct sidecar_vp **vps)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		must(sidecar_vp_create(client, i + 1, NULL, &vps[i]), "VP");
		must(sidecar_queue_attach(queue, vps[i]), "attach");
	}
}

static void run_all(struct sidecar_queue *queue, struct sidecar_vp **vps)
{
	for (int i = 0; i < WARM_UP + RUNS; i++)
		must(queued_run(queue, vps[0]), "queued run");
	for (int i = 0; i < WARM_UP + RUNS; i++) {
		must(prepared_run(queue, vps[0]), "prepared run");
		must(submitted_run(queue), "submitted run");
	}
	for (int i = 0; i < (WARM_UP + RUNS) / BATCH; i++)
		must(batch_of_runs(queue, vps), "batch of runs");
	for (int i = 0; i < WARM_UP + RUNS; i++)
		must(blocking_run(vps[0]), "blocking run");
}

int main(void)
{
	static const struct fake_layout layout = {.base_cpu = 0, .cpu_count = BATCH + 1};
	struct fake *fake = fake_create(&layout, 1, FAKE_OURS);
	struct sidecar_vp *vps[BATCH];
	struct sidecar_queue *queue;
	struct sidecar *client;

	driver = fake_driver;
	driver.node_caps = node_caps;
	driver.start_prepare = start_prepare;
	must(sidecar_open_with(NULL, &driver, fake, &client), "open");
	must(sidecar_queue_create(client, NULL, &queue), "queue");
	make_vps(client, queue, vps);
	run_all(queue, vps);
	for (int i = 0; i < BATCH; i++)
		must(sidecar_vp_destroy(vps[i]), "destroy");
	must(sidecar_queue_close(queue), "queue");
	must(sidecar_close(client), "close");
	fake_destroy(fake);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * The library's own path of one run, for count: 100 runs to warm up and 1,000 to be measured, over
 * a fake driver. Each measured run is a call of one of three functions, whose instructions callgrind
 * counts.
 *
 * Under valgrind no thread may sleep in io_uring_enter(): all others would stand still. So a
 * command is over when its submission is made, and that is a NOP whose completion is the command's.
 * The real driver's function fills another one, in a ring that is never submitted, to be counted.
 */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>

#include <sidecar/sidecar.h>

#include "driver.h"
#include "fake.h"

#define WARM_UP 100
#define RUNS 1000

static struct io_uring scratch;
static struct sidecar_driver driver;

static int start_prepare(void *context, int node, uint32_t cpu, struct io_uring *ring,
			 uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	driver_ioctl.start_prepare(NULL, node, cpu, &scratch, user_data);
	scratch.sq.sqe_tail--;
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

__attribute__((noinline)) static int queued_run(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar_event event;
	int result;

	result = sidecar_queue_prepare_run(queue, vp, 1);
	if (!result)
		result = sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE);
	return result == 1 && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

__attribute__((noinline)) static int submitted_run(struct sidecar_queue *queue,
						   struct sidecar_vp *vp)
{
	struct sidecar_event event;
	int result;

	result = sidecar_queue_prepare_run(queue, vp, 1);
	if (!result)
		result = sidecar_queue_submit(queue);
	if (result == 1)
		result = sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE);
	return result == 1 && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

__attribute__((noinline)) static int blocking_run(struct sidecar_vp *vp)
{
	struct sidecar_event event;
	int result = sidecar_vp_run(vp, SIDECAR_NO_DEADLINE, &event);

	return !result && event.kind == SIDECAR_EVENT_INTERCEPT ? 0 : -1;
}

int main(void)
{
	static const struct fake_layout layout = {.base_cpu = 0, .cpu_count = 2};
	struct fake *fake = fake_create(&layout, 1, FAKE_OURS);
	struct sidecar_queue *queue;
	struct sidecar *client;
	struct sidecar_vp *vp;

	driver = fake_driver;
	driver.node_caps = node_caps;
	driver.start_prepare = start_prepare;
	must(io_uring_queue_init(4, &scratch, 0), "ring");
	must(sidecar_open_with(NULL, &driver, fake, &client), "open");
	must(sidecar_vp_create(client, 1, NULL, &vp), "VP");
	must(sidecar_queue_create(client, NULL, &queue), "queue");
	must(sidecar_queue_attach(queue, vp), "attach");
	for (int i = 0; i < WARM_UP + RUNS; i++)
		must(queued_run(queue, vp), "queued run");
	for (int i = 0; i < WARM_UP + RUNS; i++)
		must(submitted_run(queue, vp), "submitted run");
	for (int i = 0; i < WARM_UP + RUNS; i++)
		must(blocking_run(vp), "blocking run");
	must(sidecar_vp_destroy(vp), "destroy");
	must(sidecar_queue_close(queue), "queue");
	must(sidecar_close(client), "close");
	fake_destroy(fake);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * START, poll and read: what every driver can do.
 *
 * In a queue's ring there is a multishot poll on each node file in use and one on each VP's
 * event_fd, by which other threads report. A poll tells of changes only, so that after each of its
 * completions the node file is read until it is empty.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "queue.h"

/* How long START is tried again on a driver without owners. */
#define BUSY_PAUSE_NS 50000
#define MAX_BUSY_STARTS 100u

/* ---- start ---- */

static int start_once(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	int error;

	/* Before START: its completion may be read by another thread before START returns. */
	vp_set_state(vp, request_flight_state(vp));
	do
		error = client->driver->start(client->context, vp->file->handle, vp->cpu);
	while (error == -EINTR);
	return error;
}

/*
 * The original is busy as long as a completion is unread, made up or not. And who was told of a
 * result too early may be here before the CPU has said that it is idle.
 */
static int start_patiently(struct sidecar_vp *vp)
{
	static const struct timespec pause = { .tv_nsec = BUSY_PAUSE_NS };
	unsigned int attempts = MAX_BUSY_STARTS;
	int error = start_once(vp);

	while (error == -EBUSY && vp_may_be_told_more(vp) && attempts--) {
		vp_set_state(vp, VP_BUSY);
		node_file_drain(vp->file, vp_waiter(vp), NULL);
		nanosleep(&pause, NULL);
		error = start_once(vp);
	}
	return error;
}

/* A cancel that came before START has stopped nothing on a driver whose STOP is not sticky. */
static int start(struct sidecar_vp *vp)
{
	int error = start_patiently(vp);

	if (!error && vp->request.operation == SIDECAR_OPERATION_RUN && vp_cancelled(vp))
		request_stop(vp);
	return error;
}

/* ---- attach and detach ---- */

static struct queue_file *find_file(struct sidecar_queue *queue, const struct node_file *file)
{
	struct queue_file *one;

	for (one = queue->files; one; one = one->next)
		if (one->file == file)
			return one;
	return NULL;
}

static struct queue_file *add_file(struct sidecar_queue *queue, struct node_file *file)
{
	struct queue_file *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	one->file = file;
	one->id = queue->next_file_id++ & RING_INDEX_MASK;
	if (ring_watch_fd(queue, file->poll_fd) || ring_arm_file(queue, one)) {
		ring_unwatch_fd(queue, file->poll_fd);
		free(one);
		return NULL;
	}
	one->next = queue->files;
	queue->files = one;
	return one;
}

static int remove_file(struct sidecar_queue *queue, struct queue_file *file)
{
	struct queue_file **link = &queue->files;
	int error;

	error = ring_disarm(queue, ring_user_data(queue, RING_FILE, file->id, 0),
			    &file->poll_armed);
	if (error)
		return error;
	ring_unwatch_fd(queue, file->file->poll_fd);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	free(file);
	return 0;
}

static int attach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);

	if (!ring_has_space(queue, 2))
		return -EAGAIN;
	if (!file)
		file = add_file(queue, vp->file);
	if (!file)
		return -ENOMEM;
	if (ring_arm_vp(queue, vp)) {
		if (!file->users)
			remove_file(queue, file);
		return -EAGAIN;
	}
	file->users++;
	return 0;
}

static int detach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);

	if (!ring_has_space(queue, 2))
		return -EAGAIN;
	ring_disarm_vp(queue, vp);
	if (--file->users == 0)
		remove_file(queue, file);
	return 0;
}

const struct transport transport_poll = {
	.start = start,
	.attach = attach,
	.detach = detach,
};

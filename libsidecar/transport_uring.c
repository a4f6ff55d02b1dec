// SPDX-License-Identifier: MIT
/* IORING_OP_URING_CMD: a command is one submission, its completion is the CQE. */
#include <errno.h>

#include "queue.h"

static int start(struct sidecar_vp *vp)
{
	struct sidecar_queue *queue = vp->queue;
	struct sidecar *client = vp->client;
	int error;

	error = client->driver->start_prepare(client->context, vp->file->handle, vp->cpu,
					      queue->ring, vp->user_data);
	if (error != -EAGAIN || queue->borrowed)
		return error;
	io_uring_submit(queue->ring);
	return client->driver->start_prepare(client->context, vp->file->handle, vp->cpu,
					     queue->ring, vp->user_data);
}

/* The VP's slot in the queue is all that a completion needs to find it. */
static int attach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	(void)queue;
	(void)vp;
	return 0;
}

const struct transport transport_uring = {
	.start = start,
	.attach = attach,
	.detach = attach,
	.counts = true,
};

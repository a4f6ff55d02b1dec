// SPDX-License-Identifier: MIT
/*
 * IORING_OP_URING_CMD: a command is one submission, its completion is the CQE.
 *
 * The submission names the node's descriptor, not a registered file (IOSQE_FIXED_FILE), which would
 * spare the kernel taking and dropping a reference. It would do so by keeping one in the ring: when
 * the file is taken out of the ring's table again, Linux 6.1 lets go of it only after every request
 * that was submitted before has completed, those on other files included. So the last VP of a
 * partition could be destroyed, its descriptor closed and its CPU stopped by ->flush, and yet the
 * file, and the partition with it, would stay until an endless run of somebody else ends.
 */
#include <errno.h>

#include "queue.h"

static int start(struct sidecar_vp *vp)
{
	struct sidecar_queue *queue = vp->queue;
	struct sidecar *client = vp->client;
	struct io_uring_sqe *sqe = ring_get_sqe(queue);
	int error;

	if (!sqe)
		return -EAGAIN;
	error = client->driver->start_prepare(client->context, vp->file->handle, vp->cpu,
					      queue->ring, sqe, vp->user_data);
	if (error)
		queue->ring->sq.sqe_tail--;
	return error;
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IORING_OP_URING_CMD: a START whose completion is the ring's own.
 *
 * A pending request holds the open file, so ->release is out of reach while one is left, and
 * kernel 6.1 has no way to cancel it. What ends it when its owner goes is ->flush, and ->flush
 * comes for a file only to a descriptor table that has the file. Therefore a request is accepted
 * only from the table that claimed the VP, and a claim through a ring only while the table has the
 * file: a fixed file that outlives its descriptor can do nothing (R6).
 *
 * A ring that is closed while the file stays open has nobody who could have the CQE: its command is
 * stopped by the next tick, as nothing tells of the close.
 *
 * The command ends in the completion interrupt, under scan_lock, where 6.1 can not post a CQE; the
 * result waits in the request until the submitter's task posts it, or a worker if that is gone.
 */
#include <linux/build_bug.h>
#include <linux/io_uring_types.h>

#include "claim.h"
#include "device.h"
#include "uring.h"

/* The request's own bytes hold its waiter. */
static struct scdrv_waiter *waiter_of(struct io_uring_cmd *ring)
{
	BUILD_BUG_ON(sizeof(struct scdrv_waiter) > sizeof(ring->pdu));
	BUILD_BUG_ON(offsetof(struct io_uring_cmd, pdu) % __alignof__(struct scdrv_waiter));
	return (struct scdrv_waiter *)ring->pdu;
}

static void SCDRV_URING_CALLBACK(complete_in_task, ring)
{
	scdrv_uring_done(ring, waiter_of(ring)->error);
}

static void end(struct scdrv_waiter *waiter)
{
	io_uring_cmd_complete_in_task(container_of((void *)waiter, struct io_uring_cmd, pdu),
				      complete_in_task);
}

/* The ring is being torn down, which on 6.1 waits for every request and cancels none of these. */
static bool is_orphaned(const struct scdrv_waiter *waiter)
{
	struct io_uring_cmd *ring = container_of((void *)waiter, struct io_uring_cmd, pdu);

	return percpu_ref_is_dying(&cmd_to_io_kiocb(ring)->ctx->refs);
}

/* The payload is the submitter's to change at any time until this request has been issued. */
static int parse(struct io_uring_cmd *ring, struct scdrv_vp **vp)
{
	const struct sidecar_uring_cmd *payload = scdrv_uring_payload(ring);
	u32 cpu = READ_ONCE(payload->cpu);

	if (ring->cmd_op != SIDECAR_URING_START)
		return -ENOTTY;
	if (READ_ONCE(payload->flags) || READ_ONCE(payload->reserved))
		return -EINVAL;
	*vp = scdrv_file_vp(ring->file->private_data, cpu);
	return *vp ? 0 : -EINVAL;
}

int scdrv_uring_cmd(struct io_uring_cmd *ring, unsigned int flags)
{
	struct scdrv_file *file = ring->file->private_data;
	struct scdrv_waiter *waiter = waiter_of(ring);
	struct scdrv_vp *vp;
	int error = parse(ring, &vp);

	if (!error && !scdrv_claim_is_owner(file, vp)) {
		if (flags & IO_URING_F_NONBLOCK)
			return -EAGAIN; /* comes again from a worker, where claiming may sleep */
		error = scdrv_file_claim(ring->file, vp);
	}
	if (error)
		return error;
	*waiter = (struct scdrv_waiter){ .end = end, .is_orphaned = is_orphaned };
	error = scdrv_claim_submit(file, vp, waiter);
	return error ? error : -EIOCBQUEUED;
}

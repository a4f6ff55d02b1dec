/* SPDX-License-Identifier: MIT */
/*
 * libsidecar in a ring of the caller's own: one io_uring for VPs, disks and sockets.
 *
 * The library fills submissions in the prepare functions of a queue, in sidecar_queue_attach(),
 * sidecar_queue_detach() and sidecar_queue_submit(), and nowhere else. It never submits and never
 * waits: that is the caller's, with liburing's own functions. Each completion of the library carries
 * (user_data & mask) == tag and is to be given to sidecar_queue_complete().
 *
 *     for (;;) {
 *         sidecar_queue_submit(queue);
 *         io_uring_submit_and_wait(&ring, 1);
 *         io_uring_for_each_cqe(&ring, head, cqe) {
 *             found = sidecar_queue_complete(queue, cqe, &event);
 *             if (found == SIDECAR_COMPLETION_NOT_OURS)
 *                 own_completion(cqe);
 *             for (; found == SIDECAR_COMPLETION_EVENT;
 *                  found = sidecar_queue_complete(queue, NULL, &event))
 *                 handle(&event);
 *             count++;
 *         }
 *         io_uring_cq_advance(&ring, count);
 *     }
 */
#ifndef SIDECAR_URING_H
#define SIDECAR_URING_H

#include <sidecar/sidecar.h>

struct io_uring;
struct io_uring_cqe;

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What sidecar_queue_complete() has found. */
enum sidecar_completion {
	SIDECAR_COMPLETION_NOT_OURS,
	SIDECAR_COMPLETION_INTERNAL, /* ours, and no event (any more) */
	SIDECAR_COMPLETION_EVENT
};

/*
 * A queue in the caller's ring, whose submission and completion sides are touched by the calling
 * thread only. It is used as one of sidecar_queue_create(), with these differences:
 *
 *   prepare      begins the operation: its submission is in the ring, to be submitted by the
 *                caller. EAGAIN: the ring has no room for it; nothing has changed. On a driver
 *                without SIDECAR_CAP_URING_CMD the operation starts in this call.
 *   submit       takes submissions for operations that must go on (a long batch of registers, a
 *                deadline, a conversion): to be called before the caller submits. Returns 0.
 *   wait, fd     EINVAL.
 *   detach       EAGAIN: the ring has no room for what ends the queue's polls.
 *   destroy      of an attached VP: EBUSY until its operation's event has been taken.
 *   close        before the ring is; completions of the queue may still come and mean nothing.
 *
 * tag: bits of mask only. mask: leaves 32 adjacent bits to the library. EINVAL otherwise. options
 * may be NULL; its entries must be 0. To be closed with sidecar_queue_close().
 */
int sidecar_queue_borrow(struct sidecar *client, struct io_uring *ring, uint64_t tag,
			 uint64_t mask, const struct sidecar_queue_options *options,
			 struct sidecar_queue **queue);

/*
 * Takes a completion, which remains the caller's to mark as seen. Returns SIDECAR_COMPLETION_*, or a
 * negative errno. One completion may bring several events: after EVENT call it again with cqe NULL
 * until it returns INTERNAL. EINVAL: the queue's ring is its own.
 */
int sidecar_queue_complete(struct sidecar_queue *queue, const struct io_uring_cqe *cqe,
			   struct sidecar_event *event);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How a command gets to its CPU, and how its completion comes back. Which ways a VP's operations
 * go is found out once, when its node's file is opened:
 *
 *   poll    START, then a completion that is read from the node's file, which is polled. Every
 *           driver can do that. Who reads may be another thread than the VP's.
 *   call    RUN, START and waiting in one system call. Blocking forms only, and only where the
 *           driver bounds commands and its CANCEL is sticky.
 *   uring   one IORING_OP_URING_CMD, whose CQE is the completion. Queues only.
 */
#ifndef LIBSIDECAR_TRANSPORT_H
#define LIBSIDECAR_TRANSPORT_H

#include <stdbool.h>

struct sidecar_queue;
struct sidecar_vp;

/* What start returns besides errors. */
#define TRANSPORT_IN_FLIGHT 0
#define TRANSPORT_COMPLETE 1

struct transport {
	/*
	 * Starts the command in the VP's page. The VP's state says already that it is in flight.
	 * TRANSPORT_IN_FLIGHT: the state becomes FINISHED when it is complete. TRANSPORT_COMPLETE:
	 * it is, and the state says so. A negative errno: the CPU has not seen it.
	 */
	int (*start)(struct sidecar_vp *vp);
	/* What a queue needs to learn of completions. attach has no effect when it fails. */
	int (*attach)(struct sidecar_queue *queue, struct sidecar_vp *vp);
	int (*detach)(struct sidecar_queue *queue, struct sidecar_vp *vp);
	/* Each completion is one CQE of its own, so that a queue can wait for many at once. */
	bool counts;
};

extern const struct transport transport_poll;
extern const struct transport transport_call;
extern const struct transport transport_uring;

#endif

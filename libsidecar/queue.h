/* SPDX-License-Identifier: MIT */
/* A queue from the inside: queue.c is what users call, ring.c what happens in its ring. */
#ifndef LIBSIDECAR_QUEUE_H
#define LIBSIDECAR_QUEUE_H

#include <liburing.h>

#include "internal.h"

struct vp_list {
	struct sidecar_vp *head;
	struct sidecar_vp *tail;
};

/* A node file with attached VPs. */
struct queue_file {
	struct queue_file *next;
	struct node_file *file;
	unsigned int users;
	bool poll_armed;
};

struct sidecar_queue {
	struct sidecar *client;
	struct io_uring ring;
	pthread_t thread;
	int poll_fd;  /* what the user polls, an epoll; -1 until asked for */
	int event_fd; /* one of what it watches: an event that the others do not show */
	struct queue_file *files;
	struct sidecar_vp *attached;
	struct vp_list prepared;
	struct vp_list ready;	/* looked at by the next wait: over, or finished */
	unsigned int in_flight; /* submitted, event not given */
	/*
	 * Never later than the earliest moment at which some VP must be looked at; when it has
	 * come all attached VPs are, and it is computed anew.
	 */
	uint64_t due_ns;
	uint64_t timer_ns; /* what the ring's timer is set to */
	struct sidecar_error error;
};

int ring_init(struct sidecar_queue *queue, uint32_t entries);
void ring_exit(struct sidecar_queue *queue);
/* Makes what the user polls. */
int ring_watch(struct sidecar_queue *queue);
/* Polls for a VP and, with its first VP, for its node file; gone when ring_disarm() returns. */
int ring_arm(struct sidecar_queue *queue, struct sidecar_vp *vp);
void ring_disarm(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* Starts what a VP of the queue has prepared. */
void ring_start(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* Makes the queue look at a VP: its time, its turn. */
void ring_look(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* Hands what is to be submitted to the kernel, the timer included. */
void ring_submit(struct sidecar_queue *queue);
/* Handles what has come, without waiting. */
void ring_reap(struct sidecar_queue *queue);
/* Submits and waits for anything: 0, -ETIME, -EINTR, or a lasting error. */
int ring_wait(struct sidecar_queue *queue, uint64_t deadline_ns);

void queue_note_due(struct sidecar_queue *queue, uint64_t due_ns);

#endif

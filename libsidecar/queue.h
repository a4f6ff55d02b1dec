/* SPDX-License-Identifier: MIT */
/*
 * A queue from the inside: queue.c and borrow.c are what users call, path.c the part of it that
 * runs take, ring.c is what happens in its ring.
 */
#ifndef LIBSIDECAR_QUEUE_H
#define LIBSIDECAR_QUEUE_H

#include <liburing.h>

#include "internal.h"

/*
 * What our CQEs carry: 32 bits, at a place that the mask of a borrowed ring leaves free. No
 * pointers: a completion may come after what it belongs to is gone, and is then known by its
 * generation.
 */
enum ring_kind {
	RING_NONE,    /* nobody waits for it */
	RING_COMMAND, /* a VP's command is complete */
	RING_OVER,    /* a VP's operation is over, and nothing else would say so */
	RING_VP,      /* poll of a VP's event_fd */
	RING_ONLINE,  /* the write of a VP's conversion */
	RING_FILE,    /* poll of a node file */
	RING_TIMER
};

#define RING_KIND_BITS 3u
#define RING_KIND_MASK ((1u << RING_KIND_BITS) - 1)
#define RING_INDEX_BITS 13u
#define RING_ID_BITS 32u
#define RING_INDEX_MASK ((1u << RING_INDEX_BITS) - 1)
#define RING_MAX_SLOTS (1u << RING_INDEX_BITS)

struct vp_list {
	struct sidecar_vp *head;
	struct sidecar_vp *tail;
};

/* A place for an attached VP. */
struct queue_slot {
	struct sidecar_vp *vp; /* NULL: free */
	uint16_t generation;
};

/* A node file with attached VPs whose completions are read from it. */
struct queue_file {
	struct queue_file *next;
	struct node_file *file;
	unsigned int users;
	uint32_t id;
	bool poll_armed;
};

struct sidecar_queue {
	struct sidecar *client;
	struct io_uring *ring; /* own_ring, or the caller's */
	struct io_uring own_ring;
	bool borrowed;
	bool preparing; /* in a call that may take submissions of a borrowed ring */
	bool rearm;	/* a poll has ended that is needed */
	unsigned int enter_flags;
	unsigned int id_shift;
	uint64_t tag, mask; /* 0 in a ring of our own */
	const void *thread;
	const void *waiter; /* the same if wait may take the short way: neither borrowed nor polled */
	int poll_fd;  /* what the user polls, an epoll; -1 until asked for */
	int event_fd; /* one of what it watches: an event that the others do not show */
	struct queue_file *files;
	uint32_t next_file_id;
	struct queue_slot *slots;
	uint32_t slot_count;
	struct sidecar_vp *attached;
	struct vp_list prepared; /* to be begun, or to be gone on with */
	struct vp_list ready;	 /* looked at by the next wait: over, or finished */
	unsigned int in_flight;	 /* begun, event not given */
	unsigned int slow;	 /* of these: each of their completions must be looked at as it comes */
	/*
	 * Never later than the earliest moment at which some VP must be looked at; when it has
	 * come all attached VPs are, and it is computed anew.
	 */
	uint64_t due_ns;
	uint64_t timer_ns; /* what the ring's timer is set to */
	struct __kernel_timespec timer;
	struct sidecar_queue_counters counters;
	struct sidecar_error error;
};

/* ---- lists of VPs ---- */

static inline void list_append(struct vp_list *list, struct sidecar_vp *vp)
{
	vp->next = NULL;
	if (list->tail)
		list->tail->next = vp;
	else
		list->head = vp;
	list->tail = vp;
}

/* NULL: it is empty. */
static inline struct sidecar_vp *list_take(struct vp_list *list)
{
	struct sidecar_vp *vp = list->head;

	if (!vp)
		return NULL;
	list->head = vp->next;
	if (!list->head)
		list->tail = NULL;
	return vp;
}

/* ---- ring.c ---- */

int ring_init(struct sidecar_queue *queue, uint32_t entries);
void ring_exit(struct sidecar_queue *queue);
/* Makes what the user polls. */
int ring_watch(struct sidecar_queue *queue);
/* Adds to it, and takes away again; without effect as long as there is none. */
int ring_watch_fd(struct sidecar_queue *queue, int fd);
void ring_unwatch_fd(struct sidecar_queue *queue, int fd);

uint64_t ring_user_data(const struct sidecar_queue *queue, enum ring_kind kind, uint32_t index,
			uint16_t generation);
/* A submission; NULL: a borrowed ring is full, while a ring of our own makes room. */
struct io_uring_sqe *ring_get_sqe(struct sidecar_queue *queue);
/* Whether that many submissions can be taken now; a ring of our own makes room. */
static inline bool ring_has_space(const struct sidecar_queue *queue, unsigned int count)
{
	return !queue->borrowed || io_uring_sq_space_left(queue->ring) >= count;
}


/* Polls; gone when disarm returns, or, in a borrowed ring, some time after that. */
int ring_arm_file(struct sidecar_queue *queue, struct queue_file *file);
int ring_arm_vp(struct sidecar_queue *queue, struct sidecar_vp *vp);
int ring_disarm(struct sidecar_queue *queue, uint64_t user_data, const bool *armed);
int ring_disarm_vp(struct sidecar_queue *queue, struct sidecar_vp *vp);

/* Begins, or goes on with, what a VP of the queue has prepared. */
void ring_start(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* What time does to an operation in flight. */
void ring_follow(struct sidecar_queue *queue, struct sidecar_vp *vp, enum step step);
/* Makes the queue look at a VP: its time, its turn. */
void ring_look(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* Takes submissions for what the queue itself needs: polls that have ended, the timer. */
void ring_prepare_own(struct sidecar_queue *queue);
static inline void ring_prepare(struct sidecar_queue *queue)
{
	if (queue->rearm || queue->due_ns < queue->timer_ns)
		ring_prepare_own(queue);
}

/* A ring of our own has; what is in a borrowed one is its owner's business. */
static inline bool ring_has_submissions(const struct sidecar_queue *queue)
{
	return queue->own_ring.sq.sqe_tail != queue->own_ring.sq.sqe_head;
}

/*
 * One system call for a ring of our own: what io_uring_submit_and_wait() does where the kernel has
 * no thread that submits, and where the entries of the submission queue's array name themselves.
 */
static inline int ring_enter(struct sidecar_queue *queue, unsigned int count, unsigned int flags)
{
	struct io_uring_sq *sq = &queue->own_ring.sq;
	unsigned int tail = sq->sqe_tail;

	sq->sqe_head = tail;
	io_uring_smp_store_release(sq->ktail, tail);
	return io_uring_enter((unsigned int)queue->own_ring.enter_ring_fd,
			      tail - IO_URING_READ_ONCE(*sq->khead), count,
			      queue->enter_flags | flags, NULL);
}

/* Hands what is to be submitted to the kernel. */
static inline void ring_submit(struct sidecar_queue *queue)
{
	if (queue->borrowed)
		return;
	ring_prepare(queue);
	if (!ring_has_submissions(queue))
		return;
	queue->counters.submits++;
	ring_enter(queue, 0, 0);
}

/* One completion of ours. */
void ring_complete(struct sidecar_queue *queue, const struct io_uring_cqe *cqe);
/* What the kernel keeps until it is asked: completions for this thread to make, or an overflow. */
static inline bool ring_has_more(const struct sidecar_queue *queue)
{
	return IO_URING_READ_ONCE(*queue->ring->sq.kflags) &
	       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Looks at all VPs if it is time. */
void ring_look_at_due(struct sidecar_queue *queue);
static inline void ring_check_time(struct sidecar_queue *queue)
{
	if (queue->due_ns != UINT64_MAX)
		ring_look_at_due(queue);
}

/* Handles what has come, without waiting. */
void ring_reap(struct sidecar_queue *queue);
/* Submits and waits for count completions: 0, -ETIME, -EINTR, or a lasting error. */
int ring_wait(struct sidecar_queue *queue, unsigned int count, uint64_t deadline_ns);

/* ---- queue.c ---- */

struct sidecar_queue *queue_allocate(struct sidecar *client);
void queue_enter_client(struct sidecar_queue *queue);
int queue_refuse_thread(struct sidecar_queue *queue);
/* What pthread_self() says, without the call. */
static inline const void *this_thread(void)
{
	return __builtin_thread_pointer();
}

/* The queue's own error belongs to its thread. */
static inline int queue_check_thread(struct sidecar_queue *queue)
{
	return queue->thread == this_thread() ? 0 : queue_refuse_thread(queue);
}

int queue_error(struct sidecar_queue *queue, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void queue_note_due(struct sidecar_queue *queue, uint64_t due_ns);
/* It goes on in the next call that may take submissions. */
void queue_again(struct sidecar_queue *queue, struct sidecar_vp *vp);
/* How many submissions it may need at once. */
unsigned int queue_space_for(uint32_t operation, uint64_t deadline_ns);
/* An operation with nothing to be set or checked but what all have. */
int queue_prepare_plain(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t operation,
			uint64_t deadline_ns, uint64_t user);

/* Of the ready list, up to max. */
uint32_t queue_take_events(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max);

/* ---- path.c ---- */

/* Begins what is prepared; returns how many for the first time. */
int queue_start_prepared(struct sidecar_queue *queue);

#endif

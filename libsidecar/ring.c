// SPDX-License-Identifier: MIT
/*
 * What happens in a queue's ring.
 *
 * The ring carries multishot polls (one on each node file in use, one on each VP's event_fd, by
 * which other threads report), the writes of conversions, and one timer. A poll tells of changes
 * only, so that after each of its completions the node file is read until it is empty.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queue.h"

/* What user_data points to, in its low bits. */
#define TAG_NONE 0u
#define TAG_FILE 1u
#define TAG_VP 2u
#define TAG_ONLINE 3u
#define TAG_TIMER 4u
#define TAG_MASK 7u

/* ---- the ring ---- */

static struct io_uring_sqe *get_sqe(struct sidecar_queue *queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&queue->ring);
	return io_uring_get_sqe(&queue->ring);
}

static uint64_t tagged(const void *object, uint64_t tag)
{
	return (uint64_t)(uintptr_t)object | tag;
}

static int arm_poll(struct sidecar_queue *queue, int fd, uint64_t user_data, bool *armed)
{
	struct io_uring_sqe *sqe = get_sqe(queue);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, user_data);
	*armed = true;
	return 0;
}

static void arm_timer(struct sidecar_queue *queue)
{
	struct __kernel_timespec at = {
		.tv_sec = (long long)(queue->due_ns / NSEC_PER_SEC),
		.tv_nsec = (long long)(queue->due_ns % NSEC_PER_SEC),
	};
	struct io_uring_sqe *sqe;

	if (queue->due_ns >= queue->timer_ns)
		return;
	sqe = get_sqe(queue);
	if (!sqe)
		return;
	io_uring_prep_timeout(sqe, &at, 0, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_data64(sqe, tagged(NULL, TAG_TIMER));
	queue->timer_ns = queue->due_ns;
	/* The kernel reads the time at submission. */
	io_uring_submit(&queue->ring);
}

void ring_submit(struct sidecar_queue *queue)
{
	arm_timer(queue);
	if (io_uring_sq_ready(&queue->ring))
		io_uring_submit(&queue->ring);
}

/* ---- conversions ---- */

static void end_conversion(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	convert_leave(vp);
	queue_ready(queue, vp);
}

static void write_online(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	struct conversion *conversion = &vp->conversion;
	uint64_t user_data = tagged(vp, TAG_ONLINE);
	int error;

	error = client->driver->online_prepare(client->context, conversion->online, &queue->ring,
					       user_data);
	if (error == -EAGAIN) {
		io_uring_submit(&queue->ring);
		error = client->driver->online_prepare(client->context, conversion->online,
						       &queue->ring, user_data);
	}
	conversion->writing = !error;
	if (error && convert_result(vp, error))
		end_conversion(queue, vp);
	else if (error)
		queue_note_due(queue, conversion->retry_ns);
}

/* What is next for a conversion that is not being written; returns when to look again. */
static uint64_t tick_conversion(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t now)
{
	struct conversion *conversion = &vp->conversion;
	uint64_t deadline = vp->request.deadline_ns;

	if (conversion->writing)
		return UINT64_MAX;
	if (now >= deadline) {
		convert_timed_out(vp);
		end_conversion(queue, vp);
		return UINT64_MAX;
	}
	if (conversion->online < 0 && !convert_is_first(vp))
		return deadline;
	if (conversion->online >= 0 && now < conversion->retry_ns)
		return conversion->retry_ns < deadline ? conversion->retry_ns : deadline;
	if (conversion->online < 0 && convert_open(vp)) {
		end_conversion(queue, vp);
		return UINT64_MAX;
	}
	write_online(queue, vp);
	return UINT64_MAX;
}

static void written(struct sidecar_queue *queue, struct sidecar_vp *vp, int result)
{
	vp->conversion.writing = false;
	if (convert_result(vp, result))
		end_conversion(queue, vp);
	else
		queue_note_due(queue, tick_conversion(queue, vp, now_ns()));
}

/* ---- what happened ---- */

static void tick(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t now)
{
	int state = vp_state(vp);

	if (vp_waiter(vp) != queue)
		return;
	if (state == VP_CONVERTING) {
		queue_note_due(queue, tick_conversion(queue, vp, now));
		return;
	}
	if (is_in_flight(state))
		queue_note_due(queue, request_tick(vp, now));
	state = vp_state(vp);
	if (is_finished(state) || state == VP_FAILED)
		queue_ready(queue, vp);
}

static void tick_all(struct sidecar_queue *queue)
{
	uint64_t now = now_ns();
	struct sidecar_vp *vp;

	queue->due_ns = UINT64_MAX;
	for (vp = queue->attached; vp; vp = vp->next_attached)
		tick(queue, vp, now);
}

static void lose_file(struct sidecar_queue *queue, const struct node_file *file, int error)
{
	struct sidecar_vp *vp;
	int state;

	for (vp = queue->attached; vp; vp = vp->next_attached) {
		state = vp_state(vp);
		if (vp->file != file || vp_waiter(vp) != queue)
			continue;
		if (!is_in_flight(state))
			continue;
		vp_error(vp, SIDECAR_ERROR_ERRNO, error, "CPU %u: completions cannot be read: %s",
			 vp->cpu, errno_text(error));
		request_fail(vp, error);
		queue_ready(queue, vp);
	}
}

static void file_event(struct sidecar_queue *queue, struct queue_file *file, int result,
		       uint32_t flags)
{
	int error = 0;

	if (!(flags & IORING_CQE_F_MORE))
		file->poll_armed = false;
	if (result == -ECANCELED)
		return;
	if (result < 0)
		error = result;
	else if (!file->poll_armed)
		error = arm_poll(queue, file->file->poll_fd, tagged(file, TAG_FILE),
				 &file->poll_armed);
	if (!error)
		error = node_file_drain(file->file, queue, NULL);
	if (error)
		lose_file(queue, file->file, error);
}

static void vp_event(struct sidecar_queue *queue, struct sidecar_vp *vp, int result,
		     uint32_t flags)
{
	eventfd_t count;

	if (!(flags & IORING_CQE_F_MORE))
		vp->poll_armed = false;
	if (result < 0)
		return;
	if (!vp->poll_armed)
		arm_poll(queue, vp->event_fd, tagged(vp, TAG_VP), &vp->poll_armed);
	/* First this, then the look: what comes in between is told again. */
	eventfd_read(vp->event_fd, &count);
	tick(queue, vp, now_ns());
}

static void handle(struct sidecar_queue *queue, uint64_t user_data, int result, uint32_t flags)
{
	void *object = (void *)(uintptr_t)(user_data & ~(uint64_t)TAG_MASK);

	switch (user_data & TAG_MASK) {
	case TAG_FILE:
		file_event(queue, object, result, flags);
		break;
	case TAG_VP:
		vp_event(queue, object, result, flags);
		break;
	case TAG_ONLINE:
		written(queue, object, result);
		break;
	case TAG_TIMER:
		queue->timer_ns = UINT64_MAX;
		break;
	}
}

void ring_reap(struct sidecar_queue *queue)
{
	struct io_uring_cqe *cqe;
	uint64_t user_data;
	uint32_t flags;
	int result;

	while (!io_uring_peek_cqe(&queue->ring, &cqe)) {
		user_data = io_uring_cqe_get_data64(cqe);
		result = cqe->res;
		flags = cqe->flags;
		io_uring_cqe_seen(&queue->ring, cqe);
		handle(queue, user_data, result, flags);
	}
	if (queue->due_ns != UINT64_MAX && now_ns() >= queue->due_ns)
		tick_all(queue);
	ring_submit(queue);
}

void ring_look(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	tick(queue, vp, now_ns());
}

int ring_wait(struct sidecar_queue *queue, uint64_t deadline_ns)
{
	uint64_t now = now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct __kernel_timespec limit = {
		.tv_sec = (long long)(left / NSEC_PER_SEC),
		.tv_nsec = (long long)(left % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;
	int result;

	arm_timer(queue);
	result = io_uring_submit_and_wait_timeout(
		&queue->ring, &cqe, 1, deadline_ns == UINT64_MAX ? NULL : &limit, NULL);
	/* The last two: the kernel has completions that it wants to be rid of first. */
	return result >= 0 || result == -EAGAIN || result == -EBUSY ? 0 : result;
}

/* ---- what the user polls ---- */

/*
 * Not the ring's own descriptor: newer kernels do not wake its pollers for a completion that
 * waits for its thread (DEFER_TASKRUN). They signal a registered eventfd, but not reliably when
 * the cause is an eventfd itself. So the user gets an epoll of all three: the node files, the VPs'
 * event_fds, and the ring's, which shows conversions and the timer.
 */
static int watch(struct sidecar_queue *queue, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (queue->poll_fd < 0)
		return 0;
	return epoll_ctl(queue->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void unwatch(struct sidecar_queue *queue, int fd)
{
	if (queue->poll_fd >= 0)
		epoll_ctl(queue->poll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int watch_all(struct sidecar_queue *queue)
{
	struct queue_file *file;
	struct sidecar_vp *vp;
	int error;

	error = io_uring_register_eventfd(&queue->ring, queue->event_fd);
	if (!error)
		error = watch(queue, queue->event_fd);
	for (file = queue->files; file && !error; file = file->next)
		error = watch(queue, file->file->poll_fd);
	for (vp = queue->attached; vp && !error; vp = vp->next_attached)
		error = watch(queue, vp->event_fd);
	return error;
}

static void close_watch(struct sidecar_queue *queue)
{
	if (queue->poll_fd >= 0)
		close(queue->poll_fd);
	if (queue->event_fd >= 0)
		close(queue->event_fd);
	queue->poll_fd = -1;
	queue->event_fd = -1;
}

int ring_watch(struct sidecar_queue *queue)
{
	int error = 0;

	queue->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* Readable from the start: nobody knows what has come before. */
	queue->event_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->poll_fd < 0 || queue->event_fd < 0)
		error = -errno;
	if (!error)
		error = watch_all(queue);
	if (!error)
		return 0;
	io_uring_unregister_eventfd(&queue->ring);
	close_watch(queue);
	return error;
}

/* ---- polls ---- */

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
	if (watch(queue, file->poll_fd) ||
	    arm_poll(queue, file->poll_fd, tagged(one, TAG_FILE), &one->poll_armed)) {
		unwatch(queue, file->poll_fd);
		free(one);
		return NULL;
	}
	one->next = queue->files;
	queue->files = one;
	return one;
}

/* A poll's last completion must have been seen before what it points to may go away. */
static void disarm(struct sidecar_queue *queue, uint64_t user_data, const bool *armed)
{
	struct io_uring_sqe *sqe;

	while (*armed) {
		sqe = get_sqe(queue);
		if (sqe) {
			io_uring_prep_poll_remove(sqe, user_data);
			io_uring_sqe_set_data64(sqe, tagged(NULL, TAG_NONE));
		}
		ring_wait(queue, now_ns() + NSEC_PER_MSEC);
		ring_reap(queue);
	}
}

static void remove_file(struct sidecar_queue *queue, struct queue_file *file)
{
	struct queue_file **link = &queue->files;

	unwatch(queue, file->file->poll_fd);
	disarm(queue, tagged(file, TAG_FILE), &file->poll_armed);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	free(file);
}

int ring_arm(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);

	if (!file)
		file = add_file(queue, vp->file);
	if (!file)
		return -ENOMEM;
	if (watch(queue, vp->event_fd) ||
	    arm_poll(queue, vp->event_fd, tagged(vp, TAG_VP), &vp->poll_armed)) {
		unwatch(queue, vp->event_fd);
		if (!file->users)
			remove_file(queue, file);
		return -EAGAIN;
	}
	file->users++;
	vp->queue = queue;
	vp->next_attached = queue->attached;
	queue->attached = vp;
	io_uring_submit(&queue->ring);
	return 0;
}

void ring_disarm(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);
	struct sidecar_vp **link = &queue->attached;

	unwatch(queue, vp->event_fd);
	disarm(queue, tagged(vp, TAG_VP), &vp->poll_armed);
	while (*link != vp)
		link = &(*link)->next_attached;
	*link = vp->next_attached;
	vp->queue = NULL;
	if (--file->users == 0)
		remove_file(queue, file);
}

/* ---- start ---- */

/* Begins, or goes on with, an operation: in flight, or over and ready. */
static void follow(struct sidecar_queue *queue, struct sidecar_vp *vp, bool over)
{
	if (over)
		queue_ready(queue, vp);
	else
		queue_note_due(queue, request_tick(vp, vp->request.started_ns));
}

void ring_start(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp->request.operation == SIDECAR_OPERATION_CONVERT) {
		vp_set_state(vp, VP_CONVERTING);
		convert_enter(vp);
		queue_note_due(queue, tick_conversion(queue, vp, now_ns()));
	} else {
		follow(queue, vp, request_begin(vp));
	}
}

/* ---- the ring itself ---- */

int ring_init(struct sidecar_queue *queue, uint32_t entries)
{
	static const unsigned int attempts[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int error = -EINVAL;
	size_t i;

	for (i = 0; error == -EINVAL && i < sizeof(attempts) / sizeof(attempts[0]); i++)
		error = io_uring_queue_init(entries, &queue->ring, attempts[i]);
	if (error)
		return error;
	if (queue->ring.features & IORING_FEAT_EXT_ARG)
		return 0;
	io_uring_queue_exit(&queue->ring);
	return -ENOSYS;
}

void ring_exit(struct sidecar_queue *queue)
{
	io_uring_queue_exit(&queue->ring);
	close_watch(queue);
}

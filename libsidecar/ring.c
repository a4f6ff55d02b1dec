// SPDX-License-Identifier: MIT
/*
 * What happens in a queue's ring, its own or a borrowed one.
 *
 * The ring carries commands where the driver takes them that way (transport_uring.c), the polls of
 * transport_poll.c, the writes of conversions, and one timer if somebody else than
 * sidecar_queue_wait() waits for the queue. In a borrowed ring submissions are taken only while
 * queue->preparing; what needs one at another time gets in line for the next such call.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queue.h"

/* ---- submissions ---- */

uint64_t ring_user_data(const struct sidecar_queue *queue, enum ring_kind kind, uint32_t index,
			uint16_t generation)
{
	uint32_t id = (uint32_t)kind | index << RING_KIND_BITS |
		      (uint32_t)generation << (RING_KIND_BITS + RING_INDEX_BITS);

	return (uint64_t)id << queue->id_shift | queue->tag;
}

struct io_uring_sqe *ring_get_sqe(struct sidecar_queue *queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(queue->ring);

	if (sqe || queue->borrowed)
		return sqe;
	io_uring_submit(queue->ring);
	return io_uring_get_sqe(queue->ring);
}

static uint64_t vp_user_data(const struct sidecar_queue *queue, const struct sidecar_vp *vp,
			     enum ring_kind kind)
{
	return ring_user_data(queue, kind, vp->slot, queue->slots[vp->slot].generation);
}

/* An operation that is over without a completion: a borrowed ring's owner must be told. */
static void announce(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct io_uring_sqe *sqe = queue->borrowed && queue->preparing ? ring_get_sqe(queue) : NULL;

	if (!sqe) {
		queue_ready(queue, vp);
		return;
	}
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, vp_user_data(queue, vp, RING_OVER));
}

static int arm_poll(struct sidecar_queue *queue, int fd, uint64_t user_data, bool *armed)
{
	struct io_uring_sqe *sqe = ring_get_sqe(queue);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, user_data);
	*armed = true;
	return 0;
}

int ring_arm_file(struct sidecar_queue *queue, struct queue_file *file)
{
	return arm_poll(queue, file->file->poll_fd, ring_user_data(queue, RING_FILE, file->id, 0),
			&file->poll_armed);
}

int ring_arm_vp(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = ring_watch_fd(queue, vp->event_fd);

	if (!error)
		error = arm_poll(queue, vp->event_fd, vp_user_data(queue, vp, RING_VP),
				 &vp->poll_armed);
	if (error)
		ring_unwatch_fd(queue, vp->event_fd);
	return error;
}

/*
 * The kernel reads the time at submission, from a place that all timers of this queue share: an
 * earlier time that overwrites a later one only makes that timer early, too.
 */
static void arm_timer(struct sidecar_queue *queue)
{
	struct io_uring_sqe *sqe;

	if (queue->due_ns >= queue->timer_ns || (!queue->borrowed && queue->poll_fd < 0))
		return;
	sqe = ring_get_sqe(queue);
	if (!sqe)
		return;
	queue->timer.tv_sec = (long long)(queue->due_ns / NSEC_PER_SEC);
	queue->timer.tv_nsec = (long long)(queue->due_ns % NSEC_PER_SEC);
	io_uring_prep_timeout(sqe, &queue->timer, 0, IORING_TIMEOUT_ABS);
	io_uring_sqe_set_data64(sqe, ring_user_data(queue, RING_TIMER, 0, 0));
	queue->timer_ns = queue->due_ns;
}

static bool needs_poll(const struct sidecar_vp *vp)
{
	return vp->file->queued == &transport_poll || vp_state(vp) == VP_CONVERTING;
}

/* Polls end on their own only when the ring is in trouble; what is armed stays so. */
static void rearm(struct sidecar_queue *queue)
{
	struct queue_file *file;
	struct sidecar_vp *vp;
	int error = 0;

	for (file = queue->files; file; file = file->next)
		if (!file->poll_armed)
			error |= ring_arm_file(queue, file);
	for (vp = queue->attached; vp; vp = vp->next_attached)
		if (!vp->poll_armed && needs_poll(vp))
			error |= arm_poll(queue, vp->event_fd, vp_user_data(queue, vp, RING_VP),
					  &vp->poll_armed);
	queue->rearm = error != 0;
}

void ring_prepare_own(struct sidecar_queue *queue)
{
	if (queue->rearm)
		rearm(queue);
	arm_timer(queue);
}

/* ---- conversions ---- */

static void end_conversion(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	convert_leave(vp);
	announce(queue, vp);
}

static int prepare_write(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	uint64_t user_data = vp_user_data(queue, vp, RING_ONLINE);

	return client->driver->online_prepare(client->context, vp->conversion.online, queue->ring,
					      user_data);
}

static void write_online(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct conversion *conversion = &vp->conversion;
	int error;

	if (queue->borrowed && !queue->preparing) {
		queue_again(queue, vp);
		return;
	}
	error = prepare_write(queue, vp);
	if (error == -EAGAIN && !queue->borrowed) {
		io_uring_submit(queue->ring);
		error = prepare_write(queue, vp);
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
	if (!vp->conversion.writing)
		return;
	vp->conversion.writing = false;
	if (convert_result(vp, result))
		end_conversion(queue, vp);
	else
		queue_note_due(queue, tick_conversion(queue, vp, now_ns()));
}

/* Its turn is told by the VP's event_fd. */
static void start_conversion(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp_state(vp) != VP_CONVERTING) {
		vp_set_state(vp, VP_CONVERTING);
		if (!vp->poll_armed && ring_arm_vp(queue, vp))
			queue->rearm = true;
		convert_enter(vp);
	}
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

static void tick_all(struct sidecar_queue *queue, uint64_t now)
{
	struct sidecar_vp *vp;

	queue->due_ns = UINT64_MAX;
	for (vp = queue->attached; vp; vp = vp->next_attached)
		tick(queue, vp, now);
}

static void lose_file(struct sidecar_queue *queue, const struct node_file *file, int error)
{
	struct sidecar_vp *vp;

	for (vp = queue->attached; vp; vp = vp->next_attached) {
		if (vp->file != file || vp_waiter(vp) != queue || !is_in_flight(vp_state(vp)))
			continue;
		vp_error(vp, SIDECAR_ERROR_ERRNO, error, "CPU %u: completions cannot be read: %s",
			 vp->cpu, errno_text(error));
		request_fail(vp, error);
		queue_ready(queue, vp);
	}
}

static struct queue_file *file_of(const struct sidecar_queue *queue, uint32_t id)
{
	struct queue_file *file;

	for (file = queue->files; file; file = file->next)
		if (file->id == id)
			break;
	return file;
}

static void file_event(struct sidecar_queue *queue, struct queue_file *file, int result,
		       uint32_t flags)
{
	int error;

	if (!(flags & IORING_CQE_F_MORE)) {
		file->poll_armed = false;
		queue->rearm = true;
	}
	if (result == -ECANCELED)
		return;
	error = result < 0 ? result : node_file_drain(file->file, queue, NULL);
	if (error)
		lose_file(queue, file->file, error);
}

static void vp_event(struct sidecar_queue *queue, struct sidecar_vp *vp, int result,
		     uint32_t flags)
{
	eventfd_t count;

	if (!(flags & IORING_CQE_F_MORE)) {
		vp->poll_armed = false;
		queue->rearm = true;
	}
	if (result < 0)
		return;
	/* First this, then the look: what comes in between is told again. */
	eventfd_read(vp->event_fd, &count);
	tick(queue, vp, now_ns());
}

/* NULL: a completion of a VP that is not here any more. */
static struct sidecar_vp *vp_of(const struct sidecar_queue *queue, uint32_t id)
{
	uint32_t index = id >> RING_KIND_BITS & RING_INDEX_MASK;

	if (index >= queue->slot_count ||
	    queue->slots[index].generation != id >> (RING_KIND_BITS + RING_INDEX_BITS))
		return NULL;
	return queue->slots[index].vp;
}

static void command_complete(struct sidecar_queue *queue, uint32_t id, int result)
{
	struct sidecar_vp *vp = vp_of(queue, id);

	/* Late: the VP counts as failed already. */
	if (!vp || !is_in_flight(vp_state(vp)))
		return;
	vp->request.result = result;
	vp_set_state(vp, VP_FINISHED);
	queue_ready(queue, vp);
}

static void file_complete(struct sidecar_queue *queue, uint32_t id, const struct io_uring_cqe *cqe)
{
	struct queue_file *file = file_of(queue, id >> RING_KIND_BITS & RING_INDEX_MASK);

	if (file)
		file_event(queue, file, cqe->res, cqe->flags);
}

static void vp_complete(struct sidecar_queue *queue, uint32_t id, const struct io_uring_cqe *cqe)
{
	struct sidecar_vp *vp = vp_of(queue, id);

	if (!vp)
		return;
	switch (id & RING_KIND_MASK) {
	case RING_OVER:
		queue_ready(queue, vp);
		break;
	case RING_VP:
		vp_event(queue, vp, cqe->res, cqe->flags);
		break;
	case RING_ONLINE:
		written(queue, vp, cqe->res);
		break;
	}
}

void ring_complete(struct sidecar_queue *queue, const struct io_uring_cqe *cqe)
{
	uint32_t id = (uint32_t)(cqe->user_data >> queue->id_shift);

	switch (id & RING_KIND_MASK) {
	case RING_COMMAND:
		command_complete(queue, id, cqe->res);
		break;
	case RING_NONE:
		break;
	case RING_TIMER:
		queue->timer_ns = UINT64_MAX;
		break;
	case RING_FILE:
		file_complete(queue, id, cqe);
		break;
	default:
		vp_complete(queue, id, cqe);
	}
}

void ring_look_at_due(struct sidecar_queue *queue)
{
	uint64_t now = now_ns();

	if (now >= queue->due_ns)
		tick_all(queue, now);
}

static void complete_all(struct sidecar_queue *queue)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(queue->ring, head, cqe) {
		ring_complete(queue, cqe);
		count++;
	}
	if (count)
		io_uring_cq_advance(queue->ring, count);
}

void ring_reap(struct sidecar_queue *queue)
{
	complete_all(queue);
	if (ring_has_more(queue)) {
		queue->counters.fetches++;
		io_uring_get_events(queue->ring);
		complete_all(queue);
	}
	ring_check_time(queue);
	if (queue->rearm)
		ring_prepare(queue);
}

void ring_look(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	tick(queue, vp, now_ns());
}

static int wait_until(struct sidecar_queue *queue, unsigned int count, uint64_t until_ns)
{
	uint64_t now = now_ns();
	uint64_t left = until_ns > now ? until_ns - now : 0;
	struct __kernel_timespec limit = {
		.tv_sec = (long long)(left / NSEC_PER_SEC),
		.tv_nsec = (long long)(left % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;

	return io_uring_submit_and_wait_timeout(queue->ring, &cqe, count, &limit, NULL);
}

int ring_wait(struct sidecar_queue *queue, unsigned int count, uint64_t deadline_ns)
{
	uint64_t until = deadline_ns < queue->due_ns ? deadline_ns : queue->due_ns;
	int result;

	ring_prepare(queue);
	queue->counters.sleeps++;
	if (until == UINT64_MAX)
		result = ring_enter(queue, count, IORING_ENTER_GETEVENTS);
	else
		result = wait_until(queue, count, until);
	/* The last two: the kernel has completions that it wants to be rid of first. */
	return result >= 0 || result == -EAGAIN || result == -EBUSY ? 0 : result;
}

/* ---- what the user polls ---- */

/*
 * Not the ring's own descriptor: newer kernels do not wake its pollers for a completion that
 * waits for its thread (DEFER_TASKRUN). They signal a registered eventfd, but not reliably when
 * the cause is an eventfd itself. So the user gets an epoll of all three: the node files and the
 * VPs' event_fds that the ring polls, and the ring's eventfd, which shows commands, conversions and
 * the timer.
 */
int ring_watch_fd(struct sidecar_queue *queue, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (queue->poll_fd < 0)
		return 0;
	return epoll_ctl(queue->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void ring_unwatch_fd(struct sidecar_queue *queue, int fd)
{
	if (queue->poll_fd >= 0)
		epoll_ctl(queue->poll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int watch_all(struct sidecar_queue *queue)
{
	struct queue_file *file;
	struct sidecar_vp *vp;
	int error;

	error = io_uring_register_eventfd(queue->ring, queue->event_fd);
	if (!error)
		error = ring_watch_fd(queue, queue->event_fd);
	for (file = queue->files; file && !error; file = file->next)
		error = ring_watch_fd(queue, file->file->poll_fd);
	for (vp = queue->attached; vp && !error; vp = vp->next_attached)
		if (vp->poll_armed)
			error = ring_watch_fd(queue, vp->event_fd);
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
	if (error) {
		io_uring_unregister_eventfd(queue->ring);
		close_watch(queue);
		return error;
	}
	queue->waiter = NULL;
	ring_submit(queue); /* the timer, which was not needed so far */
	return 0;
}

/* ---- the end of polls ---- */

static int remove_poll(struct sidecar_queue *queue, uint64_t user_data)
{
	struct io_uring_sqe *sqe = ring_get_sqe(queue);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_remove(sqe, user_data);
	io_uring_sqe_set_data64(sqe, ring_user_data(queue, RING_NONE, 0, 0));
	return 0;
}

/* In our own ring the poll's last completion is awaited, which lets go of the polled file. */
int ring_disarm(struct sidecar_queue *queue, uint64_t user_data, const bool *armed)
{
	if (queue->borrowed)
		return *armed ? remove_poll(queue, user_data) : 0;
	while (*armed) {
		remove_poll(queue, user_data);
		ring_wait(queue, 1, now_ns() + NSEC_PER_MSEC);
		complete_all(queue);
	}
	return 0;
}

int ring_disarm_vp(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = ring_disarm(queue, vp_user_data(queue, vp, RING_VP), &vp->poll_armed);

	if (error)
		return error;
	vp->poll_armed = false;
	ring_unwatch_fd(queue, vp->event_fd);
	return 0;
}

/* ---- start ---- */

/* Nothing but its completion ends a run without a deadline. */
static bool heeds_time(const struct sidecar_vp *vp)
{
	const struct request *request = &vp->request;

	return request->operation != SIDECAR_OPERATION_RUN || request->doubted ||
	       request->stopped_ns || request->deadline_ns != SIDECAR_NO_DEADLINE;
}

void ring_follow(struct sidecar_queue *queue, struct sidecar_vp *vp, enum step step)
{
	if (step == STEP_OVER)
		announce(queue, vp);
	else if (step == STEP_BEGIN)
		queue_again(queue, vp);
	else if (heeds_time(vp))
		tick(queue, vp, now_ns());
}

void ring_start(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp->request.operation == SIDECAR_OPERATION_CONVERT)
		start_conversion(queue, vp);
	else
		ring_follow(queue, vp, request_begin(vp));
}

/* ---- the ring itself ---- */

/* The kernel then finds the ring by its number alone; where it cannot, nothing is lost. */
static void use_registered_ring(struct sidecar_queue *queue)
{
	if (io_uring_register_ring_fd(queue->ring) == 1)
		queue->enter_flags = IORING_ENTER_REGISTERED_RING;
}

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
		error = io_uring_queue_init(entries, &queue->own_ring, attempts[i]);
	if (error)
		return error;
	queue->ring = &queue->own_ring;
	use_registered_ring(queue);
	if (queue->own_ring.features & IORING_FEAT_EXT_ARG)
		return 0;
	io_uring_queue_exit(&queue->own_ring);
	return -ENOSYS;
}

/* Submissions that the owner of the ring has not submitted must not name memory of ours. */
static void withdraw_timers(struct sidecar_queue *queue)
{
	struct io_uring_sq *sq = &queue->ring->sq;
	unsigned int i;
	struct io_uring_sqe *sqe;

	for (i = __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE); i != sq->sqe_tail; i++) {
		sqe = &sq->sqes[i & sq->ring_mask];
		if (sqe->opcode != IORING_OP_TIMEOUT ||
		    sqe->addr != (uint64_t)(uintptr_t)&queue->timer)
			continue;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, ring_user_data(queue, RING_NONE, 0, 0));
	}
}

void ring_exit(struct sidecar_queue *queue)
{
	if (queue->borrowed)
		withdraw_timers(queue);
	else
		io_uring_queue_exit(&queue->own_ring);
	close_watch(queue);
}

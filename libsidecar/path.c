// SPDX-License-Identifier: MIT
/*
 * The path of an operation through a queue: begun by submit or wait, told of by wait. For a run it
 * is short (run.h): its checks and one submission here, and one completion that becomes one event,
 * with no list and no step in between. All else is in queue.c, ring.c and request.c.
 *
 * What a run costs on this path is counted: see docs/benchmarks.md, path. Hence the inlining, and
 * the walk of the ring by hand: it is ours, with entries of the usual sizes and no kernel thread.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "queue.h"
#include "run.h"

/* ---- begin ---- */

/* An event that no completion announces. */
static COLD void show_ready(struct sidecar_queue *queue)
{
	if (queue->event_fd >= 0 && queue->ready.head)
		eventfd_write(queue->event_fd, 1);
}

static int start_one(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	bool first = !vp->request.counted;

	if (first) {
		vp->request.counted = true;
		queue->in_flight++;
		queue->slow += vp->request.slow;
	}
	queue->preparing = true;
	ring_start(queue, vp);
	queue->preparing = false;
	if (vp->ready)
		show_ready(queue);
	return first;
}

/* Cancelled, no room in the ring, or what the driver says: the step machine goes on. */
static COLD void start_otherwise(struct sidecar_queue *queue, struct sidecar_vp *vp, int error)
{
	if (error == -EAGAIN)
		error = transport_uring.start(vp);
	if (error)
		ring_follow(queue, vp, request_refused(vp, error));
	show_ready(queue);
}

static COLD void start_nothing(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	queue_ready(queue, vp);
	show_ready(queue);
}

/* One submission of our own ring; EAGAIN: there is no room. */
HOT int submit_command(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar *client = queue->client;
	struct io_uring_sq *sq = &queue->own_ring.sq;
	unsigned int tail = sq->sqe_tail;
	int error;

	if (unlikely(tail - IO_URING_READ_ONCE(*sq->khead) >= sq->ring_entries))
		return -EAGAIN;
	error = client->driver->start_prepare(client->context, vp->file->handle, vp->cpu,
					      &queue->own_ring, &sq->sqes[tail & sq->ring_mask],
					      vp->user_data);
	if (!error)
		sq->sqe_tail = tail + 1;
	return error;
}

HOT void start_straight(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error;

	vp->request.straight = false;
	vp->request.counted = true;
	queue->in_flight++;
	if (unlikely(!run_begin(vp))) {
		start_nothing(queue, vp);
		return;
	}
	queue->counters.commands++;
	error = submit_command(queue, vp);
	if (unlikely(error))
		start_otherwise(queue, vp, error);
}

/* Those at the head of the list that go the short way. */
HOT int start_runs(struct sidecar_queue *queue)
{
	struct sidecar_vp *vp;
	int count = 0;

	for (; (vp = queue->prepared.head) && likely(vp->request.straight); count++)
		start_straight(queue, list_take(&queue->prepared));
	return count;
}

static bool has_space_for(const struct sidecar_queue *queue, const struct sidecar_vp *vp)
{
	return ring_has_space(queue, queue_space_for(vp->request.operation,
						     vp->request.deadline_ns));
}

COLD int queue_start_prepared(struct sidecar_queue *queue)
{
	int count = start_runs(queue);

	while (queue->prepared.head && has_space_for(queue, queue->prepared.head)) {
		count += start_one(queue, list_take(&queue->prepared));
		count += start_runs(queue);
	}
	ring_prepare(queue);
	return count;
}

/* Nothing but completions of commands to look after. */
HOT bool is_calm(const struct sidecar_queue *queue)
{
	return !queue->prepared.head && !queue->rearm && queue->due_ns == UINT64_MAX;
}

int sidecar_queue_prepare_run(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user)
{
	if (queue->thread != this_thread() || vp->straight != queue || vp_state(vp) != VP_IDLE)
		return queue_prepare_plain(queue, vp, SIDECAR_OPERATION_RUN,
					   SIDECAR_NO_DEADLINE, user);
	run_claim(vp, queue, user);
	list_append(&queue->prepared, vp);
	return 0;
}

int sidecar_queue_submit(struct sidecar_queue *queue)
{
	int count;

	if (queue->thread != this_thread())
		return queue_refuse_thread(queue);
	count = start_runs(queue);
	if (unlikely(!is_calm(queue)))
		count += queue_start_prepared(queue);
	if (ring_has_submissions(queue)) {
		queue->counters.submits++;
		ring_enter(queue, 0, 0);
	}
	return count;
}

/* ---- reap ---- */

/*
 * The completion of a run that has ended with an intercept becomes its event; false: it is for
 * ring_complete(), and nothing has changed. Nothing but a run is ever RUNNING.
 */
HOT bool take_run(struct sidecar_queue *queue, const struct io_uring_cqe *cqe,
		  struct sidecar_event *event)
{
	uint64_t user_data = cqe->user_data;
	uint32_t index = user_data >> RING_KIND_BITS & RING_INDEX_MASK;
	struct sidecar_vp *vp;

	if (unlikely(index >= queue->slot_count || cqe->res))
		return false;
	vp = queue->slots[index].vp;
	if (unlikely(!vp || vp->user_data != user_data || vp_state(vp) != VP_RUNNING))
		return false;
	if (unlikely(!run_take_intercept(vp)))
		return false;
	run_fill_event(vp, event);
	run_report_intercept(vp);
	queue->in_flight--;
	queue->counters.events++;
	queue->counters.intercepts++;
	return true;
}

/* Up to max such completions, and none behind another one. */
HOT uint32_t take_runs(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max)
{
	struct io_uring_cq *cq = &queue->own_ring.cq;
	unsigned int head = *cq->khead;
	unsigned int tail = io_uring_smp_load_acquire(cq->ktail);
	uint32_t count = 0;

	while (likely(head != tail && count < max)) {
		if (unlikely(!take_run(queue, &cq->cqes[head & cq->ring_mask], &events[count])))
			break;
		head++;
		count++;
	}
	io_uring_smp_store_release(cq->khead, head);
	return count;
}

/* ---- wait ---- */

/* How many completions to sleep for; each event that is still missing needs one of its own. */
HOT unsigned int sleep_count(const struct sidecar_queue *queue, uint32_t missing)
{
	if (queue->slow)
		return 1;
	return missing < queue->in_flight ? missing : queue->in_flight;
}

static int refuse_wait(struct sidecar_queue *queue, int error)
{
	if (error == -EINTR)
		return queue_error(queue, -EINTR, "a signal came");
	return queue_error(queue, error, "the ring does not wait: %s", errno_text(error));
}

/* The rest of a wait that has count events so far. */
static int wait_events(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
		       uint32_t min, uint64_t deadline_ns, uint32_t count)
{
	int error;

	for (;;) {
		ring_reap(queue);
		count += queue_take_events(queue, events + count, max - count);
		if (queue->prepared.head)
			queue_start_prepared(queue);
		if (count >= min || !queue->in_flight)
			return (int)count;
		if (queue->ready.head)
			continue;
		if (deadline_ns != SIDECAR_NO_DEADLINE && now_ns() >= deadline_ns)
			return (int)count;
		error = ring_wait(queue, sleep_count(queue, min - count), deadline_ns);
		/* Events are not lost for it; it is there the next time, too. */
		if (error && error != -ETIME)
			return count ? (int)count : refuse_wait(queue, error);
	}
}

/* The whole of it, for whatever there may be to look after. */
static COLD int wait_long(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
			  uint32_t min, uint64_t deadline_ns, uint32_t count)
{
	eventfd_t shown;
	int result;

	if (max > INT32_MAX)
		max = INT32_MAX;
	if (min > max)
		min = max;
	/* Before the ring is looked at: what comes later shows it again. */
	if (queue->event_fd >= 0)
		eventfd_read(queue->event_fd, &shown);
	if (queue->prepared.head)
		queue_start_prepared(queue);
	result = wait_events(queue, events, max, min, deadline_ns, count);
	ring_submit(queue);
	/* More than max: whoever polls the descriptor shall come again. */
	if (queue->ready.head)
		show_ready(queue);
	return result;
}

/* Neither of another thread, nor borrowed, nor polled: see queue.h. */
static COLD int wait_checked(struct sidecar_queue *queue, struct sidecar_event *events,
			     uint32_t max, uint32_t min, uint64_t deadline_ns)
{
	int error = queue_check_thread(queue);

	if (error)
		return error;
	if (queue->borrowed)
		return queue_error(queue, -EINVAL, "the ring is borrowed: its owner waits for it");
	queue->counters.waits++;
	return wait_long(queue, events, max, min, deadline_ns, 0);
}

/*
 * The kernel has to be asked anyway, and is asked for the events in the same call. It never says
 * there that a signal came, since it says that something was submitted; what else it says is said
 * again to whoever looks for more.
 */
static __attribute__((noinline)) int submit_and_wait(struct sidecar_queue *queue,
						     struct sidecar_event *events, uint32_t max,
						     uint32_t min, uint64_t deadline_ns)
{
	uint32_t count = 0;

	start_runs(queue);
	/* A min of 0, too, is more than that. */
	if (likely(is_calm(queue) && !queue->ready.head && min - 1 < max &&
		   deadline_ns == SIDECAR_NO_DEADLINE)) {
		queue->counters.sleeps++;
		ring_enter(queue, sleep_count(queue, min), IORING_ENTER_GETEVENTS);
		count = take_runs(queue, events, max);
		if (likely(count >= min))
			return (int)count;
	}
	return wait_long(queue, events, max, min, deadline_ns, count);
}

/* Nothing is to be submitted, and the kernel need not be asked if there is enough. */
static __attribute__((noinline)) int take_or_wait(struct sidecar_queue *queue,
						  struct sidecar_event *events, uint32_t max,
						  uint32_t min, uint64_t deadline_ns)
{
	uint32_t count = 0;

	if (likely(is_calm(queue) && !queue->ready.head)) {
		count = take_runs(queue, events, max);
		if (likely(count && count >= min))
			return (int)count;
	}
	return wait_long(queue, events, max, min, deadline_ns, count);
}

int sidecar_queue_wait(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
		       uint32_t min, uint64_t deadline_ns)
{
	if (unlikely(queue->waiter != this_thread()))
		return wait_checked(queue, events, max, min, deadline_ns);
	queue->counters.waits++;
	if (queue->prepared.head || ring_has_submissions(queue))
		return submit_and_wait(queue, events, max, min, deadline_ns);
	return take_or_wait(queue, events, max, min, deadline_ns);
}

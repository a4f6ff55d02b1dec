// SPDX-License-Identifier: MIT
/* Queues: operations on many VPs from one thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "queue.h"

#define DEFAULT_ENTRIES 128u
#define MAX_ENTRIES 4096u

const struct sidecar_error *sidecar_queue_error(const struct sidecar_queue *queue)
{
	return &queue->error;
}

static int queue_error(struct sidecar_queue *queue, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int queue_error(struct sidecar_queue *queue, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_vset(&queue->error, SIDECAR_ERROR_ERRNO, code, format, arguments);
	va_end(arguments);
	return code;
}

/* The queue's own error belongs to its thread. */
static int check_thread(struct sidecar_queue *queue)
{
	if (pthread_equal(queue->thread, pthread_self()))
		return 0;
	return client_error(queue->client, SIDECAR_ERROR_ERRNO, -EPERM,
			    "a queue was used by another thread than the one that created it");
}

/* ---- lists ---- */

static void append(struct vp_list *list, struct sidecar_vp *vp)
{
	vp->next = NULL;
	if (list->tail)
		list->tail->next = vp;
	else
		list->head = vp;
	list->tail = vp;
}

static struct sidecar_vp *take(struct vp_list *list)
{
	struct sidecar_vp *vp = list->head;

	if (!vp)
		return NULL;
	list->head = vp->next;
	if (!list->head)
		list->tail = NULL;
	return vp;
}

static bool take_out(struct vp_list *list, struct sidecar_vp *vp)
{
	struct sidecar_vp **link = &list->head;
	struct sidecar_vp *previous = NULL;

	while (*link && *link != vp) {
		previous = *link;
		link = &(*link)->next;
	}
	if (!*link)
		return false;
	*link = vp->next;
	if (list->tail == vp)
		list->tail = previous;
	return true;
}

void queue_ready(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp->ready)
		return;
	vp->ready = true;
	append(&queue->ready, vp);
}

void queue_note_due(struct sidecar_queue *queue, uint64_t due_ns)
{
	if (due_ns < queue->due_ns)
		queue->due_ns = due_ns;
}

/* ---- the descriptor ---- */

static void show(struct sidecar_queue *queue)
{
	if (queue->event_fd >= 0)
		eventfd_write(queue->event_fd, 1);
}

/* Before the ring is looked at: what comes later shows it again. */
static void unshow(struct sidecar_queue *queue)
{
	eventfd_t count;

	if (queue->event_fd >= 0)
		eventfd_read(queue->event_fd, &count);
}

int sidecar_queue_fd(struct sidecar_queue *queue)
{
	int error = check_thread(queue);

	if (error)
		return error;
	if (queue->poll_fd < 0)
		error = ring_watch(queue);
	if (error)
		return queue_error(queue, error, "no descriptor for the queue: %s",
				   errno_text(error));
	return queue->poll_fd;
}

/* ---- create and close ---- */

static int check_options(struct sidecar *client, const struct sidecar_queue_options *options,
			 uint32_t *entries)
{
	*entries = DEFAULT_ENTRIES;
	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "sidecar_queue_options.size is %zu, this library knows %zu",
				    options->size, sizeof(*options));
	if (options->entries > MAX_ENTRIES || options->reserved)
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "a queue of %u entries, the limit is %u; reserved is %u",
				    options->entries, MAX_ENTRIES, options->reserved);
	if (options->entries)
		*entries = options->entries;
	return 0;
}

int sidecar_queue_create(struct sidecar *client, const struct sidecar_queue_options *options,
			 struct sidecar_queue **out)
{
	struct sidecar_queue *queue;
	uint32_t entries;
	int error;

	*out = NULL;
	error = check_options(client, options, &entries);
	if (error)
		return error;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM, "no memory for a queue");
	error = ring_init(queue, entries);
	if (error) {
		free(queue);
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "no io_uring of %u entries (Linux 5.13 or newer is needed): %s",
				    entries, errno_text(error));
	}
	queue->client = client;
	queue->thread = pthread_self();
	queue->poll_fd = -1;
	queue->event_fd = -1;
	queue->due_ns = UINT64_MAX;
	queue->timer_ns = UINT64_MAX;
	queue->error.size = sizeof(queue->error);
	queue->error.index = SIDECAR_NO_INDEX;
	pthread_mutex_lock(&client->lock);
	client->queues++;
	pthread_mutex_unlock(&client->lock);
	*out = queue;
	return 0;
}

int sidecar_queue_close(struct sidecar_queue *queue)
{
	struct sidecar *client;
	int error;

	if (!queue)
		return 0;
	error = check_thread(queue);
	if (error)
		return error;
	if (queue->attached)
		return queue_error(queue, -EBUSY, "CPU %u is attached to the queue",
				   queue->attached->cpu);
	client = queue->client;
	ring_exit(queue);
	free(queue);
	pthread_mutex_lock(&client->lock);
	client->queues--;
	pthread_mutex_unlock(&client->lock);
	return 0;
}

/* ---- attach and detach ---- */

int sidecar_queue_attach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = check_thread(queue);

	if (error)
		return error;
	if (vp->client != queue->client)
		return queue_error(queue, -EINVAL, "CPU %u is another client's", vp->cpu);
	if (vp->queue)
		return queue_error(queue, -EBUSY, "CPU %u is attached to %s queue", vp->cpu,
				   vp->queue == queue ? "this" : "another");
	if (vp_state(vp) != VP_IDLE)
		return queue_error(queue, -EBUSY, "CPU %u is not idle", vp->cpu);
	error = ring_arm(queue, vp);
	if (error)
		return queue_error(queue, error, "CPU %u cannot be attached: %s", vp->cpu,
				   errno_text(error));
	return 0;
}

static int check_attached(struct sidecar_queue *queue, const struct sidecar_vp *vp)
{
	int error = check_thread(queue);

	if (error)
		return error;
	if (vp->queue != queue)
		return queue_error(queue, -EINVAL, "CPU %u is not attached to this queue",
				   vp->cpu);
	return 0;
}

int sidecar_queue_detach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = check_attached(queue, vp);
	int state;

	if (error)
		return error;
	state = vp_state(vp);
	if (vp->ready || (state != VP_IDLE && state != VP_FAILED && state != VP_GONE))
		return queue_error(queue, -EBUSY, "CPU %u has an operation in flight", vp->cpu);
	ring_disarm(queue, vp);
	return 0;
}

/* ---- operations ---- */

static int prepare(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t operation,
		   uint64_t user)
{
	int error = check_attached(queue, vp);

	if (error)
		return error;
	error = vp_claim(vp, operation, queue);
	if (error) {
		queue->error = vp->error;
		return error;
	}
	vp->request.user = user;
	append(&queue->prepared, vp);
	return 0;
}

static int unprepare(struct sidecar_queue *queue, struct sidecar_vp *vp, int error)
{
	take_out(&queue->prepared, vp);
	vp_unclaim(vp);
	queue->error = vp->error;
	return error;
}

int sidecar_queue_prepare_run(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user)
{
	return prepare(queue, vp, SIDECAR_OPERATION_RUN, user);
}

int sidecar_queue_prepare_get_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, struct hv_register_assoc *regs, size_t count,
					uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_GET_REGISTERS, user);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.vtl = vtl;
	vp->request.get = regs;
	vp->request.count = count;
	return 0;
}

int sidecar_queue_prepare_set_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, const struct hv_register_assoc *regs,
					size_t count, uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_SET_REGISTERS, user);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.vtl = vtl;
	vp->request.set = regs;
	vp->request.count = count;
	return 0;
}

int sidecar_queue_prepare_translate(struct sidecar_queue *queue, struct sidecar_vp *vp,
				    uint64_t gva, uint64_t flags,
				    struct hv_translate_output *output, uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_TRANSLATE, user);

	if (error)
		return error;
	error = translate_check(vp, flags, output);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.gva = gva;
	vp->request.flags = flags;
	vp->request.output = output;
	return 0;
}

int sidecar_queue_prepare_test(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user)
{
	return prepare(queue, vp, SIDECAR_OPERATION_TEST, user);
}

int sidecar_queue_prepare_convert(struct sidecar_queue *queue, struct sidecar_vp *vp,
				  uint64_t deadline_ns, uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_CONVERT, user);

	if (!error)
		vp->request.deadline_ns = deadline_ns;
	return error;
}

int sidecar_queue_submit(struct sidecar_queue *queue)
{
	struct sidecar_vp *vp;
	int count = 0;
	int error;

	error = check_thread(queue);
	if (error)
		return error;
	while ((vp = take(&queue->prepared))) {
		queue->in_flight++;
		ring_start(queue, vp);
		/* An event that no completion announces. */
		if (vp->ready)
			show(queue);
		count++;
	}
	ring_submit(queue);
	return count;
}

/* True: the VP's operation is over. */
static bool finish_ready(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	vp->ready = false;
	if (!is_finished(vp_state(vp)) || request_finish(vp))
		return true;
	queue_note_due(queue, request_tick(vp, vp->request.started_ns));
	/* The tick may have found it finished after all, or failed. */
	if (is_finished(vp_state(vp)) || vp_state(vp) == VP_FAILED)
		queue_ready(queue, vp);
	return false;
}

static uint32_t take_events(struct sidecar_queue *queue, struct sidecar_event *events,
			    uint32_t max)
{
	struct sidecar_vp *vp;
	uint32_t count = 0;

	while (count < max && (vp = take(&queue->ready))) {
		if (!finish_ready(queue, vp))
			continue;
		request_report(vp, &events[count++]);
		queue->in_flight--;
	}
	return count;
}

static int wait_events(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
		       uint32_t min, uint64_t deadline_ns)
{
	uint32_t count = 0;
	int error;

	for (;;) {
		ring_reap(queue);
		count += take_events(queue, events + count, max - count);
		if (count >= min || !queue->in_flight)
			return (int)count;
		if (now_ns() >= deadline_ns)
			return (int)count;
		error = ring_wait(queue, deadline_ns);
		if (error == -EINTR)
			return count ? (int)count : queue_error(queue, -EINTR, "a signal came");
		if (error && error != -ETIME)
			return queue_error(queue, error, "the ring does not wait: %s",
					   errno_text(error));
	}
}

int sidecar_queue_wait(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
		       uint32_t min, uint64_t deadline_ns)
{
	int result = check_thread(queue);

	if (result)
		return result;
	if (max > INT32_MAX)
		max = INT32_MAX;
	if (min > max)
		min = max;
	unshow(queue);
	result = wait_events(queue, events, max, min, deadline_ns);
	ring_submit(queue);
	/* More than max: whoever polls the descriptor shall come again. */
	if (queue->ready.head)
		show(queue);
	return result;
}

/* ---- a VP goes away ---- */

static bool is_over(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp->ready && take_out(&queue->ready, vp))
		return finish_ready(queue, vp);
	return false;
}

static void end_operation(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	if (vp_state(vp) == VP_CONVERTING)
		vp->request.deadline_ns = 0;
	else
		sidecar_vp_cancel(vp);
	ring_look(queue, vp);
	while (!is_over(queue, vp)) {
		ring_wait(queue, SIDECAR_NO_DEADLINE);
		ring_reap(queue);
	}
	request_report(vp, NULL);
	queue->in_flight--;
}

int queue_forget(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = check_thread(queue);

	if (error)
		return error;
	if (take_out(&queue->prepared, vp))
		vp_unclaim(vp);
	else if (vp_waiter(vp) == queue)
		end_operation(queue, vp);
	ring_disarm(queue, vp);
	return 0;
}

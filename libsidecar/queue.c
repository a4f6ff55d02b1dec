// SPDX-License-Identifier: MIT
/*
 * Queues: operations on many VPs from one thread.
 *
 * The ring carries multishot polls (one on each node file in use, one on each VP's event_fd, by
 * which other threads report), the writes of conversions, and one timer. A poll tells of changes
 * only, so that after each of its completions the node file is read until it is empty.
 *
 * due_ns is never later than the earliest moment at which some VP must be looked at; when it has
 * come all attached VPs are, and it is computed anew.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_ENTRIES 128u
#define MAX_ENTRIES 4096u

/* What user_data points to, in its low bits. */
#define TAG_NONE 0u
#define TAG_FILE 1u
#define TAG_VP 2u
#define TAG_ONLINE 3u
#define TAG_TIMER 4u
#define TAG_MASK 7u

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
	int event_fd; /* what the user polls; -1 until asked for */
	struct queue_file *files;
	struct sidecar_vp *attached;
	struct vp_list prepared;
	struct vp_list ready;
	unsigned int in_flight; /* submitted, event not given */
	uint64_t due_ns;
	uint64_t timer_ns; /* what the ring's timer is set to */
	struct sidecar_error error;
};

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

static void note_due(struct sidecar_queue *queue, uint64_t due_ns)
{
	if (due_ns < queue->due_ns)
		queue->due_ns = due_ns;
}

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
		note_due(queue, conversion->retry_ns);
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
		note_due(queue, tick_conversion(queue, vp, now_ns()));
}

/* ---- what happened ---- */

static void tick(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t now)
{
	int state = vp_state(vp);

	if (vp_waiter(vp) != queue)
		return;
	if (state == VP_CONVERTING) {
		note_due(queue, tick_conversion(queue, vp, now));
		return;
	}
	if (state == VP_STARTED || state == VP_RUNNING)
		note_due(queue, request_tick(vp, now));
	state = vp_state(vp);
	if (state == VP_FINISHED || state == VP_FAILED)
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
		if (state != VP_STARTED && state != VP_RUNNING)
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
	if (!(flags & IORING_CQE_F_MORE))
		vp->poll_armed = false;
	if (result < 0)
		return;
	if (!vp->poll_armed)
		arm_poll(queue, vp->event_fd, tagged(vp, TAG_VP), &vp->poll_armed);
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

static void reap(struct sidecar_queue *queue)
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
	arm_timer(queue);
	if (io_uring_sq_ready(&queue->ring))
		io_uring_submit(&queue->ring);
}

/* Returns 0, -ETIME or -EINTR. */
static int wait_ring(struct sidecar_queue *queue, uint64_t deadline_ns)
{
	uint64_t now = now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct __kernel_timespec limit = {
		.tv_sec = (long long)(left / NSEC_PER_SEC),
		.tv_nsec = (long long)(left % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;
	int result;

	result = io_uring_submit_and_wait_timeout(
		&queue->ring, &cqe, 1, deadline_ns == UINT64_MAX ? NULL : &limit, NULL);
	return result < 0 ? result : 0;
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

/*
 * Not the ring's own descriptor: newer kernels do not wake its pollers for a completion that
 * waits for its thread (DEFER_TASKRUN), but they do signal a registered eventfd.
 */
int sidecar_queue_fd(struct sidecar_queue *queue)
{
	int error = check_thread(queue);

	if (error || queue->event_fd >= 0)
		return error ? error : queue->event_fd;
	queue->event_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->event_fd < 0)
		return queue_error(queue, -errno, "no descriptor for the queue");
	error = io_uring_register_eventfd(&queue->ring, queue->event_fd);
	if (error) {
		close(queue->event_fd);
		queue->event_fd = -1;
		return queue_error(queue, error, "the ring takes no eventfd: %s",
				   errno_text(error));
	}
	return queue->event_fd;
}

/* ---- create and close ---- */

static int init_ring(struct sidecar_queue *queue, uint32_t entries)
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
	error = init_ring(queue, entries);
	if (error) {
		free(queue);
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "no io_uring of %u entries (Linux 5.13 or newer is needed): %s",
				    entries, errno_text(error));
	}
	queue->client = client;
	queue->thread = pthread_self();
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
	io_uring_queue_exit(&queue->ring);
	if (queue->event_fd >= 0)
		close(queue->event_fd);
	free(queue);
	pthread_mutex_lock(&client->lock);
	client->queues--;
	pthread_mutex_unlock(&client->lock);
	return 0;
}

/* ---- attach and detach ---- */

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
	if (arm_poll(queue, file->poll_fd, tagged(one, TAG_FILE), &one->poll_armed)) {
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
		wait_ring(queue, now_ns() + NSEC_PER_MSEC);
		reap(queue);
	}
}

static void remove_file(struct sidecar_queue *queue, struct queue_file *file)
{
	struct queue_file **link = &queue->files;

	disarm(queue, tagged(file, TAG_FILE), &file->poll_armed);
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	free(file);
}

static int arm_vp(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);

	if (!file)
		file = add_file(queue, vp->file);
	if (!file)
		return queue_error(queue, -ENOMEM, "CPU %u: no memory to attach it", vp->cpu);
	if (arm_poll(queue, vp->event_fd, tagged(vp, TAG_VP), &vp->poll_armed)) {
		if (!file->users)
			remove_file(queue, file);
		return queue_error(queue, -EAGAIN, "CPU %u: no room in the ring", vp->cpu);
	}
	file->users++;
	io_uring_submit(&queue->ring);
	return 0;
}

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
	error = arm_vp(queue, vp);
	if (error)
		return error;
	vp->queue = queue;
	vp->next_attached = queue->attached;
	queue->attached = vp;
	return 0;
}

static void detach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct queue_file *file = find_file(queue, vp->file);
	struct sidecar_vp **link = &queue->attached;

	disarm(queue, tagged(vp, TAG_VP), &vp->poll_armed);
	while (*link != vp)
		link = &(*link)->next_attached;
	*link = vp->next_attached;
	vp->queue = NULL;
	if (--file->users == 0)
		remove_file(queue, file);
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
	detach(queue, vp);
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

/* Begins, or goes on with, an operation: in flight, or over and ready. */
static void follow(struct sidecar_queue *queue, struct sidecar_vp *vp, bool over)
{
	if (over)
		queue_ready(queue, vp);
	else
		note_due(queue, request_tick(vp, vp->request.started_ns));
}

static void submit_one(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	queue->in_flight++;
	if (vp->request.operation == SIDECAR_OPERATION_CONVERT) {
		vp_set_state(vp, VP_CONVERTING);
		convert_enter(vp);
		note_due(queue, tick_conversion(queue, vp, now_ns()));
	} else {
		follow(queue, vp, request_begin(vp));
	}
	/* An event that no completion announces: the queue's descriptor must show it. */
	if (vp->ready)
		show(queue);
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
		submit_one(queue, vp);
		count++;
	}
	arm_timer(queue);
	if (io_uring_sq_ready(&queue->ring))
		io_uring_submit(&queue->ring);
	return count;
}

/* True: the VP's operation is over. */
static bool finish_ready(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	vp->ready = false;
	if (vp_state(vp) != VP_FINISHED || request_finish(vp))
		return true;
	note_due(queue, request_tick(vp, vp->request.started_ns));
	/* The tick may have found it finished after all, or failed. */
	if (vp_state(vp) == VP_FINISHED || vp_state(vp) == VP_FAILED)
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
		reap(queue);
		count += take_events(queue, events + count, max - count);
		if (count >= min || !queue->in_flight)
			return (int)count;
		if (now_ns() >= deadline_ns)
			return (int)count;
		arm_timer(queue);
		error = wait_ring(queue, deadline_ns);
		if (error == -EINTR)
			return count ? (int)count : queue_error(queue, -EINTR, "a signal came");
		if (error && error != -ETIME && error != -EAGAIN && error != -EBUSY)
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
	arm_timer(queue);
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
	tick(queue, vp, now_ns());
	while (!is_over(queue, vp)) {
		arm_timer(queue);
		wait_ring(queue, SIDECAR_NO_DEADLINE);
		reap(queue);
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
	detach(queue, vp);
	return 0;
}

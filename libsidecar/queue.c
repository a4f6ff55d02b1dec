// SPDX-License-Identifier: MIT
/* Queues: operations on many VPs from one thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"

#define DEFAULT_ENTRIES 128u
#define MAX_ENTRIES 4096u

const struct sidecar_error *sidecar_queue_error(const struct sidecar_queue *queue)
{
	return &queue->error;
}

int queue_error(struct sidecar_queue *queue, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_vset(&queue->error, SIDECAR_ERROR_ERRNO, code, format, arguments);
	va_end(arguments);
	return code;
}

int queue_refuse_thread(struct sidecar_queue *queue)
{
	return client_error(queue->client, SIDECAR_ERROR_ERRNO, -EPERM,
			    "a queue was used by another thread than the one that created it");
}

/* ---- lists ---- */

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
	list_append(&queue->ready, vp);
}

void queue_again(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	list_append(&queue->prepared, vp);
}

void queue_note_due(struct sidecar_queue *queue, uint64_t due_ns)
{
	if (due_ns < queue->due_ns)
		queue->due_ns = due_ns;
}

/* ---- the descriptor ---- */

int sidecar_queue_fd(struct sidecar_queue *queue)
{
	int error = queue_check_thread(queue);

	if (error)
		return error;
	if (queue->borrowed)
		return queue_error(queue, -EINVAL,
				   "the ring is borrowed: its owner waits for it");
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

struct sidecar_queue *queue_allocate(struct sidecar *client)
{
	struct sidecar_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->client = client;
	queue->thread = this_thread();
	queue->poll_fd = -1;
	queue->event_fd = -1;
	queue->due_ns = UINT64_MAX;
	queue->timer_ns = UINT64_MAX;
	queue->error.size = sizeof(queue->error);
	queue->error.index = SIDECAR_NO_INDEX;
	return queue;
}

void queue_enter_client(struct sidecar_queue *queue)
{
	pthread_mutex_lock(&queue->client->lock);
	queue->client->queues++;
	pthread_mutex_unlock(&queue->client->lock);
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
	queue = queue_allocate(client);
	if (!queue)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM, "no memory for a queue");
	error = ring_init(queue, entries);
	if (error) {
		free(queue);
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "no io_uring of %u entries (Linux 5.13 or newer is needed): %s",
				    entries, errno_text(error));
	}
	queue->waiter = queue->thread;
	queue_enter_client(queue);
	*out = queue;
	return 0;
}

int sidecar_queue_close(struct sidecar_queue *queue)
{
	struct sidecar *client;
	int error;

	if (!queue)
		return 0;
	error = queue_check_thread(queue);
	if (error)
		return error;
	if (queue->attached)
		return queue_error(queue, -EBUSY, "CPU %u is attached to the queue",
				   queue->attached->cpu);
	client = queue->client;
	ring_exit(queue);
	free(queue->slots);
	free(queue);
	pthread_mutex_lock(&client->lock);
	client->queues--;
	pthread_mutex_unlock(&client->lock);
	return 0;
}

/* ---- slots ---- */

static int grow_slots(struct sidecar_queue *queue)
{
	uint32_t count = queue->slot_count ? queue->slot_count * 2 : 32;
	struct queue_slot *slots;

	if (count > RING_MAX_SLOTS)
		return -ENOSPC;
	slots = realloc(queue->slots, count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(&slots[queue->slot_count], 0, (count - queue->slot_count) * sizeof(*slots));
	queue->slots = slots;
	queue->slot_count = count;
	return 0;
}

/* A new generation: what still comes for the last VP of this slot is not this one's. */
static void fill_slot(struct sidecar_queue *queue, uint32_t i, struct sidecar_vp *vp)
{
	struct queue_slot *slot = &queue->slots[i];

	slot->vp = vp;
	slot->generation++;
	vp->slot = i;
	vp->user_data = ring_user_data(queue, RING_COMMAND, i, slot->generation);
}

static int take_slot(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	uint32_t i;
	int error;

	for (i = 0; i < queue->slot_count; i++)
		if (!queue->slots[i].vp)
			break;
	if (i == queue->slot_count) {
		error = grow_slots(queue);
		if (error)
			return error;
	}
	fill_slot(queue, i, vp);
	return 0;
}

/* ---- attach and detach ---- */

static int attach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = take_slot(queue, vp);

	if (error)
		return error;
	error = vp->file->queued->attach(queue, vp);
	if (error) {
		queue->slots[vp->slot].vp = NULL;
		return error;
	}
	vp->queue = queue;
	if (vp->file->queued == &transport_uring && !queue->borrowed)
		vp->straight = queue;
	vp->next_attached = queue->attached;
	queue->attached = vp;
	ring_submit(queue);
	return 0;
}

static int detach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	struct sidecar_vp **link = &queue->attached;
	int error = vp->file->queued->detach(queue, vp);

	if (error)
		return queue_error(queue, error, "CPU %u cannot be detached: %s", vp->cpu,
				   errno_text(error));
	while (*link != vp)
		link = &(*link)->next_attached;
	*link = vp->next_attached;
	queue->slots[vp->slot].vp = NULL;
	vp->queue = NULL;
	vp->straight = NULL;
	return 0;
}

int sidecar_queue_attach(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = queue_check_thread(queue);

	if (error)
		return error;
	if (vp->client != queue->client)
		return queue_error(queue, -EINVAL, "CPU %u is another client's", vp->cpu);
	if (vp->queue)
		return queue_error(queue, -EBUSY, "CPU %u is attached to %s queue", vp->cpu,
				   vp->queue == queue ? "this" : "another");
	if (vp_state(vp) != VP_IDLE)
		return queue_error(queue, -EBUSY, "CPU %u is not idle", vp->cpu);
	error = attach(queue, vp);
	if (error)
		return queue_error(queue, error, "CPU %u cannot be attached: %s", vp->cpu,
				   errno_text(error));
	return 0;
}

static int check_attached(struct sidecar_queue *queue, const struct sidecar_vp *vp)
{
	int error = queue_check_thread(queue);

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
	return detach(queue, vp);
}

/* ---- operations ---- */

/* How many submissions it may need at once: the operation's, a conversion's poll, the timer. */
unsigned int queue_space_for(uint32_t operation, uint64_t deadline_ns)
{
	if (operation == SIDECAR_OPERATION_CONVERT)
		return 3;
	if (operation == SIDECAR_OPERATION_RUN && deadline_ns == SIDECAR_NO_DEADLINE)
		return 1;
	return 2;
}

/* Those that wait to go on come first. */
static int make_room(struct sidecar_queue *queue, unsigned int count)
{
	if (!queue->borrowed)
		return 0;
	queue_start_prepared(queue);
	if (!queue->prepared.head && ring_has_space(queue, count))
		return 0;
	return queue_error(queue, -EAGAIN, "the borrowed ring has no room for %u submissions",
			   count);
}

/* Completions that say nothing of the outcome, or of which an operation needs several. */
static bool is_slow(const struct request *request)
{
	return !request->transport->counts || request->operation == SIDECAR_OPERATION_CONVERT ||
	       request->operation == SIDECAR_OPERATION_GET_REGISTERS ||
	       request->operation == SIDECAR_OPERATION_SET_REGISTERS;
}

static int prepare(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t operation,
		   uint64_t deadline_ns, uint64_t user)
{
	int error = check_attached(queue, vp);

	if (!error)
		error = make_room(queue, queue_space_for(operation, deadline_ns));
	if (error)
		return error;
	error = vp_claim(vp, operation, queue);
	if (error) {
		queue->error = vp->error;
		return error;
	}
	vp->request.user = user;
	vp->request.deadline_ns = deadline_ns;
	vp->request.slow = is_slow(&vp->request);
	return 0;
}

/* The operation is complete in itself. In a borrowed ring there is no later call that begins it. */
static int commit(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	list_append(&queue->prepared, vp);
	if (queue->borrowed)
		queue_start_prepared(queue);
	return 0;
}

static int unprepare(struct sidecar_queue *queue, struct sidecar_vp *vp, int error)
{
	vp_unclaim(vp);
	queue->error = vp->error;
	return error;
}

/* An operation with nothing to be set or checked but what prepare() does. */
int queue_prepare_plain(struct sidecar_queue *queue, struct sidecar_vp *vp, uint32_t operation,
			uint64_t deadline_ns, uint64_t user)
{
	int error = prepare(queue, vp, operation, deadline_ns, user);

	return error ? error : commit(queue, vp);
}

int sidecar_queue_prepare_run_until(struct sidecar_queue *queue, struct sidecar_vp *vp,
				    uint64_t deadline_ns, uint64_t user)
{
	return queue_prepare_plain(queue, vp, SIDECAR_OPERATION_RUN, deadline_ns, user);
}

int sidecar_queue_prepare_get_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, struct hv_register_assoc *regs, size_t count,
					uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_GET_REGISTERS, SIDECAR_NO_DEADLINE, user);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.vtl = vtl;
	vp->request.get = regs;
	vp->request.count = count;
	return commit(queue, vp);
}

int sidecar_queue_prepare_set_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, const struct hv_register_assoc *regs,
					size_t count, uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_SET_REGISTERS, SIDECAR_NO_DEADLINE, user);

	if (error)
		return error;
	error = registers_check(vp, regs, count);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.vtl = vtl;
	vp->request.set = regs;
	vp->request.count = count;
	return commit(queue, vp);
}

int sidecar_queue_prepare_translate(struct sidecar_queue *queue, struct sidecar_vp *vp,
				    uint64_t gva, uint64_t flags,
				    struct hv_translate_output *output, uint64_t user)
{
	int error = prepare(queue, vp, SIDECAR_OPERATION_TRANSLATE, SIDECAR_NO_DEADLINE, user);

	if (error)
		return error;
	error = translate_check(vp, flags, output);
	if (error)
		return unprepare(queue, vp, error);
	vp->request.gva = gva;
	vp->request.flags = flags;
	vp->request.output = output;
	return commit(queue, vp);
}

int sidecar_queue_prepare_test(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user)
{
	return queue_prepare_plain(queue, vp, SIDECAR_OPERATION_TEST, SIDECAR_NO_DEADLINE, user);
}

int sidecar_queue_prepare_convert(struct sidecar_queue *queue, struct sidecar_vp *vp,
				  uint64_t deadline_ns, uint64_t user)
{
	return queue_prepare_plain(queue, vp, SIDECAR_OPERATION_CONVERT, deadline_ns, user);
}

/* True: the VP's operation is over. */
static bool finish_ready(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	enum step step;

	vp->ready = false;
	if (!is_finished(vp_state(vp)))
		return true;
	step = request_finish(vp);
	if (step != STEP_OVER)
		ring_follow(queue, vp, step);
	return step == STEP_OVER;
}

static void report(struct sidecar_queue *queue, struct sidecar_vp *vp,
		   struct sidecar_event *event)
{
	queue->in_flight--;
	queue->slow -= vp->request.slow;
	request_report(vp, event);
}

uint32_t queue_take_events(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max)
{
	struct sidecar_vp *vp;
	uint32_t count = 0;

	while (count < max && (vp = list_take(&queue->ready)))
		if (finish_ready(queue, vp))
			report(queue, vp, &events[count++]);
	return count;
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
		queue_start_prepared(queue);
		if (vp->ready)
			continue;
		ring_wait(queue, 1, SIDECAR_NO_DEADLINE);
		ring_reap(queue);
	}
	report(queue, vp, NULL);
}

/* Its completion comes through the owner of the ring, who is in this call. */
static bool is_beyond_us(const struct sidecar_queue *queue, const struct sidecar_vp *vp)
{
	return queue->borrowed && vp_waiter(vp) == queue;
}

int queue_forget(struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	int error = queue_check_thread(queue);

	if (error)
		return error;
	if (is_beyond_us(queue, vp))
		return client_error(queue->client, SIDECAR_ERROR_ERRNO, -EBUSY,
				    "CPU %u: its operation's event is awaited from a borrowed ring",
				    vp->cpu);
	if (vp_state(vp) == VP_BUSY && !vp->request.counted && take_out(&queue->prepared, vp))
		vp_unclaim(vp);
	else if (vp_waiter(vp) == queue)
		end_operation(queue, vp);
	return detach(queue, vp);
}

// SPDX-License-Identifier: MIT
/*
 * VPs: one CPU each, with one operation in flight.
 *
 * The states of a VP, and its owner's steps:
 *
 *     IDLE ----> BUSY              claim: prepared, or to be started
 *     BUSY ----> STARTED           a command that is bounded is about to start
 *     BUSY ----> RUNNING           the same with RUN_VP
 *     BUSY ----> CONVERTING        stands in line; ends in GONE, or in BUSY with an error
 *     FINISHED -> BUSY             the result is taken: over, or another START follows
 *     FINISHED -> STARTED, RUNNING the result is not there (sentinel): a made-up completion
 *     BUSY ----> IDLE              report
 *     RUNNING, FINISHED -> IDLE    result and report of a run in one step: an intercept (run.h)
 *     LOST ----> FAILED            for good
 *     STARTED, RUNNING -> FAILED   a bounded wait has ended: STOP unanswered, command too long
 *
 * One step is made by whichever thread has the completion, which is another one than the owner only
 * where completions are read from the node's file (transport_poll.c):
 *
 *     STARTED, RUNNING -> FINISHED the VP's completion came
 *     STARTED, RUNNING -> LOST     the driver says that the CPU has failed
 *
 * Cancel is a sticky flag beside the state (rule R4 of the design):
 *
 * The owner stores RUNNING and exchanges the flag after that; cancel exchanges the flag and loads
 * the state after that. So one of the two sees the other:
 *
 *     owner sees the flag              -> CANCELLED, nothing is started; consumes the flag
 *     cancel sees RUNNING, in flight   -> STOP or CANCEL stops the run
 *     cancel sees RUNNING, not started -> our driver's CANCEL is kept for the next RUN_VP, which
 *                                         ends with ECANCELED instead of starting; an original
 *                                         STOP is lost, but the flag is tested again after START
 *     result: ECANCELED                -> as "stopped"; a CANCEL that nobody wants any more is
 *                                         used up by that
 *     result: intercept                -> INTERCEPT; the flag stays for the next run
 *     result: stopped, flag set        -> CANCELLED; consumes the flag
 *     result: stopped, deadline passed -> CANCELLED with -ETIMEDOUT
 *     result: stopped, neither         -> a late STOP, meant for an earlier run: started again
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"
#include "probes.h"

bool vp_change_state(struct sidecar_vp *vp, int from, int to)
{
	return __atomic_compare_exchange_n(&vp->state, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void vp_wake(struct sidecar_vp *vp)
{
	const uint64_t one = 1;
	ssize_t written;

	/* Fails only when the counter is full, and then it is readable already. */
	written = write(vp->event_fd, &one, sizeof(one));
	(void)written;
}

bool vp_cancelled(const struct sidecar_vp *vp)
{
	return __atomic_load_n(&vp->cancel, __ATOMIC_SEQ_CST) != 0 || convert_wants_stop(vp);
}

int vp_send_stop(struct sidecar_vp *vp)
{
	const struct sidecar_driver *driver = vp->client->driver;
	int error;

	do {
		if (node_has(vp, SIDECAR_CAP_CANCEL))
			error = driver->cancel(vp->client->context, vp->file->handle, vp->cpu);
		else
			error = driver->stop(vp->client->context, vp->file->handle, vp->cpu);
	} while (error == -EINTR);
	/* The original's answer for "nothing to stop". */
	return error == -EINVAL ? 0 : error;
}

int sidecar_vp_cancel(struct sidecar_vp *vp)
{
	int saved = errno;
	int error = 0;

	__atomic_exchange_n(&vp->cancel, 1, __ATOMIC_SEQ_CST);
	PROBE_CANCEL(vp->cpu);
	if (vp_state(vp) == VP_RUNNING) {
		error = vp_send_stop(vp);
		/* From now on its owner must watch the time. */
		vp_wake(vp);
	}
	errno = saved;
	return error;
}

/* ---- life ---- */

static void set_pages(struct sidecar_vp *vp)
{
	const struct node *node = vp->file->node;
	size_t index = vp->cpu - node->info.base_cpu;
	uint8_t *pages = (uint8_t *)vp->file->memory + index * node->per_cpu_shmem;

	vp->page = (void *)pages;
	vp->register_page = (void *)(pages + SIDECAR_PAGE_SIZE);
}

static struct sidecar_vp *allocate(struct sidecar *client, uint32_t cpu)
{
	struct sidecar_vp *vp = calloc(1, sizeof(*vp));

	if (!vp)
		return NULL;
	vp->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vp->event_fd < 0) {
		free(vp);
		return NULL;
	}
	vp->client = client;
	vp->cpu = cpu;
	vp->conversion.online = -1;
	vp->error.size = sizeof(vp->error);
	vp->error.index = SIDECAR_NO_INDEX;
	return vp;
}

/* Undoes enter(). */
static void leave(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;

	pthread_mutex_lock(&client->lock);
	node_file_clear_slot(vp->file, vp->cpu);
	node_file_put(vp->file);
	client->vps--;
	if (vp->partition)
		vp->partition->vps--;
	pthread_mutex_unlock(&client->lock);
}

/* Gives the VP its slot in the node's file. */
static int enter(struct sidecar_vp *vp, struct node *node, struct sidecar_partition *partition)
{
	struct sidecar *client = vp->client;
	int error;

	pthread_mutex_lock(&client->lock);
	error = node_file_get(client, node, partition, &vp->file);
	if (error)
		goto unlock;
	if (!node_file_set_slot(vp->file, vp->cpu, vp)) {
		node_file_put(vp->file);
		error = error_set(&client->error, SIDECAR_ERROR_ERRNO, -EBUSY,
				  "CPU %u is a VP of this client already", vp->cpu);
		goto unlock;
	}
	client->vps++;
	vp->partition = partition;
	if (partition)
		partition->vps++;
	set_pages(vp);
unlock:
	pthread_mutex_unlock(&client->lock);
	return error;
}

/* The first command claims the CPU for our open file, and shows that it is alive. */
static int claim_cpu(struct sidecar_vp *vp)
{
	int error = request_take_cpu(vp);

	if (error)
		client_copy_error(vp->client, &vp->error);
	return error;
}

static int find_node(struct sidecar *client, uint32_t cpu, struct node **node)
{
	*node = node_of_cpu(client, cpu);
	if (!*node)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT, "CPU %u is in no node",
				    cpu);
	if ((*node)->info.base_cpu == cpu)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT,
				    "CPU %u is Linux's: the base CPU of node %u", cpu,
				    (*node)->info.index);
	return 0;
}

static void free_vp(struct sidecar_vp *vp)
{
	close(vp->event_fd);
	free(vp);
}

int sidecar_vp_create(struct sidecar *client, uint32_t cpu, struct sidecar_partition *partition,
		      struct sidecar_vp **out)
{
	struct sidecar_vp *vp;
	struct node *node;
	int error;

	*out = NULL;
	if (partition && partition->client != client)
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "CPU %u: the partition is another client's", cpu);
	error = find_node(client, cpu, &node);
	if (error)
		return error;
	vp = allocate(client, cpu);
	if (!vp)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM,
				    "CPU %u: no memory or no descriptor for a VP", cpu);
	error = enter(vp, node, partition);
	if (error) {
		free_vp(vp);
		return error;
	}
	error = claim_cpu(vp);
	if (error) {
		leave(vp);
		free_vp(vp);
		return error;
	}
	trace_log(client, SIDECAR_LOG_DEBUG, "CPU %u is a VP", cpu);
	*out = vp;
	return 0;
}

int sidecar_vp_destroy(struct sidecar_vp *vp)
{
	int error;

	if (!vp)
		return 0;
	if (vp->queue) {
		error = queue_forget(vp->queue, vp);
		if (error)
			return error;
	}
	switch (vp_state(vp)) {
	case VP_IDLE:
	case VP_FAILED:
	case VP_GONE:
		break;
	default:
		/* The text would race with the thread that is in there. */
		return client_error(vp->client, SIDECAR_ERROR_ERRNO, -EBUSY,
				    "CPU %u: another thread is in a call on it", vp->cpu);
	}
	convert_forget(vp);
	trace_log(vp->client, SIDECAR_LOG_DEBUG, "CPU %u is no VP any more", vp->cpu);
	leave(vp);
	free_vp(vp);
	return 0;
}

uint32_t sidecar_vp_cpu(const struct sidecar_vp *vp)
{
	return vp->cpu;
}

struct sidecar_cpu_context *sidecar_vp_context(struct sidecar_vp *vp)
{
	return &vp->page->cpu_context;
}

struct hv_register_page *sidecar_vp_register_page(struct sidecar_vp *vp)
{
	return vp->register_page;
}

const struct hv_message *sidecar_vp_message(const struct sidecar_vp *vp)
{
	return &vp->message;
}

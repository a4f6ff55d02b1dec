// SPDX-License-Identifier: MIT
/* Queues in a ring of the caller's. */
#include <errno.h>
#include <stdlib.h>

#include <sidecar/uring.h>

#include "queue.h"

/* Where in user_data the library's bits go: the lowest place that the mask leaves free. */
static bool find_place(uint64_t mask, unsigned int *shift)
{
	for (*shift = 0; *shift <= 64 - RING_ID_BITS; (*shift)++)
		if (!(mask >> *shift & UINT32_MAX))
			return true;
	return false;
}

static int check(struct sidecar *client, uint64_t tag, uint64_t mask,
		 const struct sidecar_queue_options *options, unsigned int *shift)
{
	if (options && (options->size != sizeof(*options) || options->entries || options->reserved))
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "options of %zu bytes (known are %zu) with %u entries: a "
				    "borrowed ring has its own", options->size, sizeof(*options),
				    options->entries);
	if (tag & ~mask)
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "tag 0x%llx has bits outside the mask 0x%llx",
				    (unsigned long long)tag, (unsigned long long)mask);
	if (!find_place(mask, shift))
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "mask 0x%llx leaves less than %u adjacent bits",
				    (unsigned long long)mask, RING_ID_BITS);
	return 0;
}

int sidecar_queue_borrow(struct sidecar *client, struct io_uring *ring, uint64_t tag,
			 uint64_t mask, const struct sidecar_queue_options *options,
			 struct sidecar_queue **out)
{
	struct sidecar_queue *queue;
	unsigned int shift;
	int error;

	*out = NULL;
	error = check(client, tag, mask, options, &shift);
	if (error)
		return error;
	queue = queue_allocate(client);
	if (!queue)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM, "no memory for a queue");
	queue->ring = ring;
	queue->borrowed = true;
	queue->tag = tag;
	queue->mask = mask;
	queue->id_shift = shift;
	queue_enter_client(queue);
	*out = queue;
	return 0;
}

int sidecar_queue_complete(struct sidecar_queue *queue, const struct io_uring_cqe *cqe,
			   struct sidecar_event *event)
{
	int error = queue_check_thread(queue);

	if (error)
		return error;
	if (!queue->borrowed)
		return queue_error(queue, -EINVAL, "the ring is the queue's own: wait for it");
	if (cqe && (cqe->user_data & queue->mask) != queue->tag)
		return SIDECAR_COMPLETION_NOT_OURS;
	if (cqe)
		ring_complete(queue, cqe);
	ring_check_time(queue);
	return queue_take_events(queue, event, 1) ? SIDECAR_COMPLETION_EVENT :
						    SIDECAR_COMPLETION_INTERNAL;
}

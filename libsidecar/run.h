/* SPDX-License-Identifier: MIT */
/*
 * RUN_VP's command page, inline, and the short way of a run: one without a deadline goes straight
 * from the call to the driver, and from the completion to its event when that is an intercept
 * (run.c, path.c). Whatever else comes up is the step machine's (request.c). It can take
 * over at any point, because the request and the state are what they would be without this way.
 */
#ifndef LIBSIDECAR_RUN_H
#define LIBSIDECAR_RUN_H

#include "internal.h"
#include "probes.h"
#include "shm.h"

static inline uint8_t *run_result(const struct sidecar_vp *vp)
{
	return (uint8_t *)vp->page->request_data;
}

static inline void run_encode(struct sidecar_vp *vp)
{
	struct sidecar_command_page *page = vp->page;

	shm_store8(&page->has_error, SENTINEL_BYTE);
	shm_store8((uint8_t *)page->request_data, SENTINEL_BYTE);
	shm_store32(&page->command, SIDECAR_COMMAND_RUN_VP);
}

/* Takes an idle VP for a run without a deadline. What other operations need is left as it was. */
HOT void run_claim(struct sidecar_vp *vp, struct sidecar_queue *waiter, uint64_t user)
{
	struct request *request = &vp->request;

	vp_set_state(vp, VP_BUSY);
	request->operation = SIDECAR_OPERATION_RUN;
	request->result = 0;
	request->transport = waiter ? &transport_uring : &transport_call;
	request->command = &command_run;
	request->user = user;
	request->deadline_ns = SIDECAR_NO_DEADLINE;
	request->stopped_ns = 0;
	request->looks = 0;
	request->straight = waiter != NULL;
	request->counted = false;
	request->slow = false;
	request->planned = false;
	request->expired = false;
	request->doubted = false;
	__atomic_store_n(&vp->waiter, waiter, __ATOMIC_RELAXED);
}

/* R4: the state first, then the flag. Whoever cancels does it the other way round. */
HOT bool run_is_cancelled(struct sidecar_vp *vp)
{
	vp_set_state(vp, VP_RUNNING);
	if (unlikely(vp_take_cancel(vp)))
		request_over(vp, SIDECAR_EVENT_CANCELLED, 0);
	else if (unlikely(convert_wants_stop(vp)) && convert_take_turn(vp))
		request_over(vp, SIDECAR_EVENT_TURN, 0);
	else
		return false;
	vp_set_state(vp, VP_BUSY);
	return true;
}

/* The first half of a run that is not cancelled: the CPU may be given its command. */
HOT bool run_begin(struct sidecar_vp *vp)
{
	if (run_is_cancelled(vp))
		return false;
	run_encode(vp);
	vp->counters.runs++;
	PROBE_START(vp->cpu, SIDECAR_OPERATION_RUN);
	return true;
}

/* The only count inside a message that a VMM would index with. */
static inline void run_check_payload(struct hv_message *message)
{
	uint8_t *count;

	switch (message->header.type) {
	case HV_MESSAGE_UNMAPPED_GPA:
	case HV_MESSAGE_GPA_INTERCEPT:
	case HV_MESSAGE_UNACCEPTED_GPA:
		count = &message->payload[offsetof(struct hv_memory_message,
						   instruction_byte_count)];
		break;
	case HV_MESSAGE_IO_PORT_INTERCEPT:
		count = &message->payload[offsetof(struct hv_io_message, instruction_byte_count)];
		break;
	case HV_MESSAGE_EXCEPTION_INTERCEPT:
		count = &message->payload[offsetof(struct hv_exception_message,
						   instruction_byte_count)];
		break;
	default:
		return;
	}
	if (*count > 16)
		*count = 16;
}

/* All messages but those of exceptions are this short. */
#define RUN_USUAL_PAYLOAD sizeof(struct hv_io_message)

/* What a long message has left behind the end of a short one. */
static inline void run_forget_long_message(struct hv_message *message)
{
	memset(message->payload + RUN_USUAL_PAYLOAD, 0,
	       sizeof(message->payload) - RUN_USUAL_PAYLOAD);
}

/* Read once, into the VP's own copy; checked there. False: it is too long. */
HOT bool run_copy_message(struct hv_message *message, const struct hv_message *shared)
{
	if (unlikely(message->header.length > RUN_USUAL_PAYLOAD))
		run_forget_long_message(message);
	shm_copy_in(&message->header, &shared->header, sizeof(message->header));
	if (likely(message->header.length <= RUN_USUAL_PAYLOAD))
		shm_copy_in(message->payload, shared->payload, RUN_USUAL_PAYLOAD);
	else if (message->header.length <= HV_MESSAGE_PAYLOAD_SIZE)
		shm_copy_in(message->payload, shared->payload, HV_MESSAGE_PAYLOAD_SIZE);
	else
		return false;
	run_check_payload(message);
	return true;
}

/* Has it ended with an intercept? Then the VP has the message; else nothing has changed for it. */
HOT bool run_take_intercept(struct sidecar_vp *vp)
{
	const struct sidecar_command_page *page = vp->page;

	return likely(!shm_load8(&page->has_error) &&
		      shm_load8((const uint8_t *)page->request_data) == SIDECAR_RUN_INTERCEPT &&
		      run_copy_message(&vp->message, &page->intercept_message));
}

/* The VP is idle after that. */
HOT void run_report_intercept(struct sidecar_vp *vp)
{
	vp->counters.intercepts++;
	PROBE_REPORT(vp->cpu, SIDECAR_OPERATION_RUN, SIDECAR_EVENT_INTERCEPT, 0);
	__atomic_store_n(&vp->waiter, NULL, __ATOMIC_RELAXED);
	vp_set_state(vp, VP_IDLE);
}

HOT void run_fill_event(struct sidecar_vp *vp, struct sidecar_event *event)
{
	event->size = sizeof(*event);
	event->kind = SIDECAR_EVENT_INTERCEPT;
	event->operation = SIDECAR_OPERATION_RUN;
	event->error = 0;
	event->vp = vp;
	event->user = vp->request.user;
	memset(event->reserved, 0, sizeof(event->reserved));
}

#endif

// SPDX-License-Identifier: MIT
/* RUN_VP: its command page, the intercept's message, and the blocking form. */
#include <errno.h>

#include "run.h"

static void encode(struct sidecar_vp *vp)
{
	run_encode(vp);
}

static bool arrived(const struct sidecar_vp *vp)
{
	return shm_load8(run_result(vp)) != SENTINEL_BYTE;
}

static void refuse_message(struct sidecar_vp *vp)
{
	struct hv_message_header *header = &vp->message.header;

	request_over(vp, SIDECAR_EVENT_ERROR,
		     vp_error(vp, SIDECAR_ERROR_PROTOCOL, -EPROTO,
			      "CPU %u: message 0x%x of %u bytes, the limit is %u", vp->cpu,
			      header->type, header->length, HV_MESSAGE_PAYLOAD_SIZE));
	header->length = 0;
}

static void take_message(struct sidecar_vp *vp)
{
	if (run_copy_message(&vp->message, &vp->page->intercept_message))
		request_over(vp, SIDECAR_EVENT_INTERCEPT, 0);
	else
		refuse_message(vp);
}

/* Only a STOP that nobody wants any more is followed by another start (R4). */
bool run_stopped(struct sidecar_vp *vp)
{
	if (vp_take_cancel(vp)) {
		request_over(vp, SIDECAR_EVENT_CANCELLED, 0);
		return true;
	}
	if (convert_take_turn(vp)) {
		request_over(vp, SIDECAR_EVENT_TURN, 0);
		return true;
	}
	if (!vp->request.expired)
		return false;
	vp_error(vp, SIDECAR_ERROR_CANCELLED, -ETIMEDOUT, "CPU %u: the run's deadline has passed",
		 vp->cpu);
	request_over(vp, SIDECAR_EVENT_CANCELLED, -ETIMEDOUT);
	return true;
}

static bool decode(struct sidecar_vp *vp)
{
	uint8_t result = shm_load8(run_result(vp));

	if (result == SIDECAR_RUN_STOPPED)
		return run_stopped(vp);
	if (result == SIDECAR_RUN_INTERCEPT)
		take_message(vp);
	else
		request_over(vp, SIDECAR_EVENT_ERROR,
			     vp_error(vp, SIDECAR_ERROR_PROTOCOL, -EPROTO,
				      "CPU %u: a run ended with result %u, known are 0 and 1",
				      vp->cpu, result));
	return true;
}

const struct command command_run = {
	.encode = encode,
	.arrived = arrived,
	.decode = decode,
};

static int refuse(struct sidecar_vp *vp, int error, struct sidecar_event *event)
{
	if (event)
		*event = (struct sidecar_event){ .size = sizeof(*event),
						 .kind = SIDECAR_EVENT_ERROR,
						 .operation = SIDECAR_OPERATION_RUN,
						 .error = error,
						 .vp = vp };
	return error;
}

static int run_straight(struct sidecar_vp *vp, struct sidecar_event *event)
{
	run_claim(vp, NULL, 0);
	if (unlikely(!run_begin(vp)))
		return request_report(vp, event);
	transport_call.start(vp);
	if (unlikely(vp->request.result || !run_take_intercept(vp))) {
		request_go_on(vp, request_finish(vp));
		return request_report(vp, event);
	}
	if (event)
		run_fill_event(vp, event);
	run_report_intercept(vp);
	return 0;
}

int sidecar_vp_run(struct sidecar_vp *vp, uint64_t deadline_ns, struct sidecar_event *event)
{
	int error;

	if (vp_state(vp) == VP_IDLE && deadline_ns == SIDECAR_NO_DEADLINE &&
	    vp->file->blocking == &transport_call && !vp->overdue)
		return run_straight(vp, event);
	error = vp_claim(vp, SIDECAR_OPERATION_RUN, NULL);
	if (error)
		return refuse(vp, error, event);
	request_await(vp, deadline_ns);
	return request_report(vp, event);
}

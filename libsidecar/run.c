// SPDX-License-Identifier: MIT
/* RUN_VP: its command page, the intercept's message, and the blocking form. */
#include <errno.h>

#include "internal.h"
#include "shm.h"

static uint8_t *result_of(const struct sidecar_vp *vp)
{
	return (uint8_t *)vp->page->request_data;
}

static void encode(struct sidecar_vp *vp)
{
	shm_store8(result_of(vp), SENTINEL_BYTE);
	shm_store32(&vp->page->command, SIDECAR_COMMAND_RUN_VP);
}

static bool arrived(const struct sidecar_vp *vp)
{
	return shm_load8(result_of(vp)) != SENTINEL_BYTE;
}

/* The only count inside a message that a VMM would index with. */
static void check_payload(struct hv_message *message)
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

static void refuse_message(struct sidecar_vp *vp)
{
	struct hv_message_header *header = &vp->message.header;

	request_over(vp, SIDECAR_EVENT_ERROR,
		     vp_error(vp, SIDECAR_ERROR_PROTOCOL, -EPROTO,
			      "CPU %u: message 0x%x of %u bytes, the limit is %u", vp->cpu,
			      header->type, header->length, HV_MESSAGE_PAYLOAD_SIZE));
	header->length = 0;
}

/* Read once, into the VP's own copy; checked there. */
static void take_message(struct sidecar_vp *vp)
{
	shm_copy_in(&vp->message, &vp->page->intercept_message, sizeof(vp->message));
	if (vp->message.header.length > HV_MESSAGE_PAYLOAD_SIZE) {
		refuse_message(vp);
		return;
	}
	check_payload(&vp->message);
	request_over(vp, SIDECAR_EVENT_INTERCEPT, 0);
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
	uint8_t result = shm_load8(result_of(vp));

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

int sidecar_vp_run(struct sidecar_vp *vp, uint64_t deadline_ns, struct sidecar_event *event)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_RUN, NULL);

	if (error) {
		if (event)
			*event = (struct sidecar_event){ .size = sizeof(*event),
							 .kind = SIDECAR_EVENT_ERROR,
							 .operation = SIDECAR_OPERATION_RUN,
							 .error = error,
							 .vp = vp };
		return error;
	}
	request_await(vp, deadline_ns);
	return request_report(vp, event);
}

// SPDX-License-Identifier: MIT
/* The one operation of a VP, from claim to report; the same for both forms. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

int vp_error(struct sidecar_vp *vp, uint32_t kind, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_vset(&vp->error, kind, code, format, arguments);
	va_end(arguments);
	return code;
}

static int refuse_claim(struct sidecar_vp *vp, uint32_t operation)
{
	const char *name = sidecar_operation_name(operation);

	switch (vp_state(vp)) {
	case VP_FAILED:
		return vp_error(vp, SIDECAR_ERROR_TIMEOUT, -ETIMEDOUT, "CPU %u has failed: no %s",
				vp->cpu, name);
	case VP_GONE:
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -ENOENT, "CPU %u is Linux's now: no %s",
				vp->cpu, name);
	default:
		return vp_error(vp, SIDECAR_ERROR_ERRNO, -EBUSY,
				"CPU %u has an operation in flight: no %s", vp->cpu, name);
	}
}

/* ---- test: the command that does nothing ---- */

static void encode_test(struct sidecar_vp *vp)
{
	shm_store32(&vp->page->command, SIDECAR_COMMAND_NONE);
}

/* The cleared has_error, which all commands have, is the whole result. */
static bool test_arrived(const struct sidecar_vp *vp)
{
	(void)vp;
	return true;
}

static bool decode_test(struct sidecar_vp *vp)
{
	request_over(vp, SIDECAR_EVENT_DONE, 0);
	return true;
}

static const struct command command_test = {
	.encode = encode_test,
	.arrived = test_arrived,
	.decode = decode_test,
};

static const struct command *command_of(uint32_t operation)
{
	switch (operation) {
	case SIDECAR_OPERATION_RUN:
		return &command_run;
	case SIDECAR_OPERATION_GET_REGISTERS:
		return &command_get_registers;
	case SIDECAR_OPERATION_SET_REGISTERS:
		return &command_set_registers;
	case SIDECAR_OPERATION_TRANSLATE:
		return &command_translate;
	default:
		return &command_test;
	}
}

/* ---- claim ---- */

int vp_claim(struct sidecar_vp *vp, uint32_t operation, struct sidecar_queue *waiter)
{
	if (vp_state(vp) != VP_IDLE)
		return refuse_claim(vp, operation);
	/* If it has come meanwhile, it is out of the way after that. */
	if (vp->overdue)
		node_file_drain(vp->file, NULL, NULL);
	vp_set_state(vp, VP_BUSY);
	memset(&vp->request, 0, sizeof(vp->request));
	vp->request.operation = operation;
	vp->request.deadline_ns = SIDECAR_NO_DEADLINE;
	vp->request.command = command_of(operation);
	vp->request.transport = waiter ? vp->file->queued : vp->file->blocking;
	__atomic_store_n(&vp->waiter, waiter, __ATOMIC_RELAXED);
	return 0;
}

void vp_unclaim(struct sidecar_vp *vp)
{
	__atomic_store_n(&vp->waiter, NULL, __ATOMIC_RELAXED);
	vp_set_state(vp, VP_IDLE);
}

/* ---- outcome ---- */

void request_fail(struct sidecar_vp *vp, int error)
{
	vp_set_state(vp, VP_FAILED);
	request_over(vp, SIDECAR_EVENT_FAILED, error);
}

/* The kernel's text, which any process that maps the page may have written over. */
static int take_text(struct sidecar_vp *vp)
{
	struct sidecar_command_error error;
	unsigned int i;

	shm_copy_in(&error, &vp->page->error, sizeof(error));
	for (i = 0; i < error.length; i++)
		if (error.text[i] < ' ' || error.text[i] == 0x7f)
			error.text[i] = '?';
	return vp_error(vp, SIDECAR_ERROR_TEXT, -EIO, "CPU %u: %s: %.*s", vp->cpu,
			sidecar_operation_name(vp->request.operation), error.length,
			error.length ? (const char *)error.text : "no text");
}

static int driver_error(struct sidecar_vp *vp, int error)
{
	const char *text = errno_text(error);

	if (error == -ENOENT)
		text = "it is Linux's, not in the sidecar";
	if (error == -EBUSY)
		text = "somebody else has it";
	if (error == -ETIMEDOUT)
		return vp_error(vp, SIDECAR_ERROR_TIMEOUT, error, "CPU %u does not answer",
				vp->cpu);
	return vp_error(vp, SIDECAR_ERROR_ERRNO, error, "CPU %u: cannot start %s: %s", vp->cpu,
			sidecar_operation_name(vp->request.operation), text);
}

static void over_driver_error(struct sidecar_vp *vp, int error)
{
	driver_error(vp, error);
	if (error == -ETIMEDOUT) {
		request_fail(vp, error);
		return;
	}
	vp_set_state(vp, VP_BUSY);
	request_over(vp, SIDECAR_EVENT_ERROR, error);
}

/* ---- taking a CPU ---- */

/*
 * The page of a CPU that may be another's must not be touched, not even to write the first command,
 * before the driver has said that the CPU is ours: to touch it is a SIGBUS.
 */
int request_take_cpu(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	int error = 0;

	vp->request.operation = SIDECAR_OPERATION_TEST; /* for the text */
	if (node_has(vp, SIDECAR_CAP_OWNERSHIP)) {
		do
			error = client->driver->claim(client->context, vp->file->handle, vp->cpu);
		while (error == -EINTR);
	}
	return error ? driver_error(vp, error) : sidecar_vp_test(vp);
}

/* ---- start ---- */

bool request_has_arrived(const struct sidecar_vp *vp)
{
	uint8_t has_error = shm_load8(&vp->page->has_error);

	if (has_error)
		return has_error != SENTINEL_BYTE;
	return vp->request.command->arrived(vp);
}

static bool decode(struct sidecar_vp *vp)
{
	if (!shm_load8(&vp->page->has_error))
		return vp->request.command->decode(vp);
	request_over(vp, SIDECAR_EVENT_ERROR, take_text(vp));
	return true;
}

void request_stop(struct sidecar_vp *vp)
{
	if (!vp->request.stopped_ns)
		vp->request.stopped_ns = now_ns();
	vp_send_stop(vp);
}

enum step request_refused(struct sidecar_vp *vp, int error)
{
	vp_set_state(vp, VP_BUSY);
	if (error == -ECANCELED && vp->request.operation == SIDECAR_OPERATION_RUN)
		return run_stopped(vp) ? STEP_OVER : STEP_BEGIN;
	over_driver_error(vp, error);
	return STEP_OVER;
}

static enum step start(struct sidecar_vp *vp)
{
	int result;

	if (vp->request.operation != SIDECAR_OPERATION_RUN)
		vp->request.started_ns = now_ns();
	trace_start(vp);
	result = vp->request.transport->start(vp);
	if (result == TRANSPORT_IN_FLIGHT)
		return STEP_WAIT;
	return result == TRANSPORT_COMPLETE ? request_finish(vp) : request_refused(vp, result);
}

static bool is_register_operation(const struct request *request)
{
	return request->operation == SIDECAR_OPERATION_GET_REGISTERS ||
	       request->operation == SIDECAR_OPERATION_SET_REGISTERS;
}

enum step request_begin(struct sidecar_vp *vp)
{
	struct request *request = &vp->request;

	request->doubted = false;
	request->looks = 0;
	request->result = 0;
	request->stopped_ns = 0;
	if (request->operation == SIDECAR_OPERATION_RUN) {
		if (run_is_cancelled(vp))
			return STEP_OVER;
	} else {
		if (is_register_operation(request) && registers_begin(vp))
			return STEP_OVER;
		vp_set_state(vp, VP_STARTED);
	}
	shm_store8(&vp->page->has_error, SENTINEL_BYTE);
	vp->request.command->encode(vp);
	return start(vp);
}

/* ---- finish ---- */

/* A driver that never makes completions up has told us of a result that is not there. */
static enum step over_without_result(struct sidecar_vp *vp)
{
	int error = vp_error(vp, SIDECAR_ERROR_PROTOCOL, -EPROTO,
			     "CPU %u: %s is complete, but its page has no result", vp->cpu,
			     sidecar_operation_name(vp->request.operation));

	request_over(vp, SIDECAR_EVENT_ERROR, error);
	return STEP_OVER;
}

/* A cancel that saw us finished has stopped nothing; the state first, as in run_is_cancelled(). */
static enum step wait_on(struct sidecar_vp *vp)
{
	vp->request.doubted = true;
	__atomic_exchange_n(&vp->state, request_flight_state(vp), __ATOMIC_SEQ_CST);
	if (vp->request.operation == SIDECAR_OPERATION_RUN && vp_cancelled(vp))
		request_stop(vp);
	return STEP_WAIT;
}

enum step request_finish(struct sidecar_vp *vp)
{
	int result = vp_state(vp) == VP_LOST ? -ETIMEDOUT : vp->request.result;

	vp_set_state(vp, VP_BUSY);
	if (result)
		return request_refused(vp, result);
	if (request_has_arrived(vp))
		return decode(vp) ? STEP_OVER : STEP_BEGIN;
	if (!vp_may_be_told_more(vp))
		return over_without_result(vp);
	return wait_on(vp);
}

int request_report(struct sidecar_vp *vp, struct sidecar_event *event)
{
	struct request *request = &vp->request;

	registers_end(vp);
	trace_report(vp);
	if (event) {
		memset(event, 0, sizeof(*event));
		event->size = sizeof(*event);
		event->kind = request->kind;
		event->operation = request->operation;
		event->error = request->error;
		event->vp = vp;
		event->user = request->user;
	}
	__atomic_store_n(&vp->waiter, NULL, __ATOMIC_RELAXED);
	if (vp_state(vp) == VP_BUSY)
		vp_set_state(vp, VP_IDLE);
	return request->kind == SIDECAR_EVENT_CANCELLED ? 0 : request->error;
}

/* ---- time ---- */

static void look_again(struct sidecar_vp *vp, int state)
{
	vp->request.looks++;
	if (request_has_arrived(vp))
		vp_change_state(vp, state, VP_FINISHED);
}

static uint64_t bound_of(struct sidecar_vp *vp, int state)
{
	if (state == VP_STARTED)
		return vp->request.started_ns + vp->client->timeout_ns;
	if (vp->request.stopped_ns)
		return vp->request.stopped_ns + vp->client->timeout_ns;
	return UINT64_MAX;
}

/*
 * Nobody has looked for so long, or the completion is lost: the CPU has answered all the same.
 * Should the completion still come, then in the way of a later command, whose sentinels will tell.
 */
static bool has_answered(struct sidecar_vp *vp, int state)
{
	if (vp->request.transport == &transport_poll)
		node_file_drain(vp->file, vp_waiter(vp), vp);
	if (vp_state(vp) != state)
		return true;
	if (!request_has_arrived(vp))
		return false;
	vp->overdue = true;
	vp_change_state(vp, state, VP_FINISHED);
	return true;
}

static void time_out(struct sidecar_vp *vp, int state)
{
	if (has_answered(vp, state) || !vp_change_state(vp, state, VP_FAILED))
		return;
	vp_error(vp, SIDECAR_ERROR_TIMEOUT, -ETIMEDOUT, "CPU %u: %s within %llu ms", vp->cpu,
		 state == VP_RUNNING ? "a run was not stopped" : "a command did not end",
		 (unsigned long long)(vp->client->timeout_ns / NSEC_PER_MSEC));
	request_over(vp, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
}

/* The deadline first cancels; only an unanswered STOP makes the CPU a failed one (R9). */
static uint64_t expire(struct sidecar_vp *vp, uint64_t now)
{
	struct request *request = &vp->request;

	if (request->expired)
		return UINT64_MAX;
	if (now < request->deadline_ns)
		return request->deadline_ns;
	request->expired = true;
	request_stop(vp);
	return UINT64_MAX;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

uint64_t request_tick(struct sidecar_vp *vp, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	int state = vp_state(vp);
	uint64_t bound;

	if (!is_in_flight(state))
		return UINT64_MAX;
	if (state == VP_RUNNING)
		next = expire(vp, now);
	if (state == VP_RUNNING && !vp->request.stopped_ns && vp_cancelled(vp))
		vp->request.stopped_ns = now;
	if (vp->request.doubted)
		look_again(vp, state);
	bound = bound_of(vp, state);
	if (now >= bound) {
		time_out(vp, state);
		return UINT64_MAX;
	}
	if (vp->request.doubted)
		next = earlier(next, now + DOUBT_INTERVAL_NS);
	return earlier(next, bound);
}

/* ---- the blocking forms ---- */

static struct timespec time_left(uint64_t until_ns)
{
	uint64_t now = now_ns();
	uint64_t left = until_ns > now ? until_ns - now : 0;

	return (struct timespec){ .tv_sec = (time_t)(left / NSEC_PER_SEC),
				  .tv_nsec = (long)(left % NSEC_PER_SEC) };
}

int vp_sleep(struct sidecar_vp *vp, uint64_t until_ns)
{
	struct pollfd fds[2] = {
		{ .fd = vp->event_fd, .events = POLLIN },
		{ .fd = vp->file->poll_fd, .events = POLLIN },
	};
	bool converting = vp_state(vp) == VP_CONVERTING;
	struct timespec left = time_left(until_ns);
	uint64_t count;
	int error;

	if (ppoll(fds, converting ? 1 : 2, until_ns == UINT64_MAX ? NULL : &left, NULL) <= 0)
		return 0;
	if (fds[0].revents && read(vp->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	if (converting || !fds[1].revents)
		return 0;
	error = node_file_drain(vp->file, NULL, vp);
	if (error)
		return error;
	if (fds[1].revents & ~POLLIN && !is_finished(vp_state(vp)))
		return -EIO;
	return 0;
}

static void lose(struct sidecar_vp *vp, int error)
{
	vp_error(vp, SIDECAR_ERROR_ERRNO, error, "CPU %u: completions cannot be read: %s", vp->cpu,
		 errno_text(error));
	request_fail(vp, error);
}

static enum step await_completion(struct sidecar_vp *vp)
{
	uint64_t next = request_tick(vp, now_ns());
	int error;

	if (is_in_flight(vp_state(vp))) {
		error = vp_sleep(vp, next);
		if (error)
			lose(vp, error);
	}
	if (is_finished(vp_state(vp)))
		return request_finish(vp);
	return vp_state(vp) == VP_FAILED ? STEP_OVER : STEP_WAIT;
}

void request_go_on(struct sidecar_vp *vp, enum step step)
{
	while (step != STEP_OVER)
		step = step == STEP_BEGIN ? request_begin(vp) : await_completion(vp);
}

void request_await(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	vp->request.deadline_ns = deadline_ns;
	/* RUN cannot be left when the time has come. */
	if (vp->request.operation == SIDECAR_OPERATION_RUN && deadline_ns != SIDECAR_NO_DEADLINE)
		vp->request.transport = &transport_poll;
	request_go_on(vp, STEP_BEGIN);
}

int sidecar_vp_test(struct sidecar_vp *vp)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_TEST, NULL);

	if (error)
		return error;
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}

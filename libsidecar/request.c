// SPDX-License-Identifier: MIT
/* The one operation of a VP, from claim to report; the same for both forms. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "shm.h"

/* How long START is tried again on a driver without owners. */
#define BUSY_PAUSE_NS 50000
#define MAX_BUSY_STARTS 100u

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

int vp_claim(struct sidecar_vp *vp, uint32_t operation, struct sidecar_queue *waiter)
{
	if (!vp_change_state(vp, VP_IDLE, VP_BUSY))
		return refuse_claim(vp, operation);
	memset(&vp->request, 0, sizeof(vp->request));
	vp->request.operation = operation;
	__atomic_store_n(&vp->waiter, waiter, __ATOMIC_RELAXED);
	return 0;
}

void vp_unclaim(struct sidecar_vp *vp)
{
	__atomic_store_n(&vp->waiter, NULL, __ATOMIC_RELAXED);
	vp_set_state(vp, VP_IDLE);
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

static const struct command *command_of(const struct sidecar_vp *vp)
{
	switch (vp->request.operation) {
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

/* ---- outcome ---- */

void request_over(struct sidecar_vp *vp, uint32_t kind, int error)
{
	vp->request.kind = kind;
	vp->request.error = error;
}

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

/* ---- start ---- */

static bool has_arrived(const struct sidecar_vp *vp)
{
	uint8_t has_error = shm_load8(&vp->page->has_error);

	if (has_error)
		return has_error != SENTINEL_BYTE;
	return command_of(vp)->arrived(vp);
}

static bool decode(struct sidecar_vp *vp)
{
	if (!shm_load8(&vp->page->has_error))
		return command_of(vp)->decode(vp);
	request_over(vp, SIDECAR_EVENT_ERROR, take_text(vp));
	return true;
}

/* A bounded command in a blocking form, on a driver that bounds it: one call. */
static bool run_command(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	int error;

	do
		error = client->driver->run(client->context, vp->file->handle, vp->cpu);
	while (error == -EINTR && !has_arrived(vp));
	if (error && error != -EINTR) {
		over_driver_error(vp, error);
		return true;
	}
	vp_set_state(vp, VP_FINISHED);
	return request_finish(vp);
}

static int flight_state(const struct sidecar_vp *vp)
{
	return vp->request.operation == SIDECAR_OPERATION_RUN ? VP_RUNNING : VP_STARTED;
}

static int start_once(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;

	/* Before START: its completion may be read by another thread before START returns. */
	vp_set_state(vp, flight_state(vp));
	return client->driver->start(client->context, vp->file->handle, vp->cpu);
}

/*
 * The original is busy as long as a completion is unread, made up or not. And who was told of a
 * result too early may be here before the CPU has said that it is idle.
 */
static int start(struct sidecar_vp *vp)
{
	static const struct timespec pause = { .tv_nsec = BUSY_PAUSE_NS };
	unsigned int attempts = MAX_BUSY_STARTS;
	int error = start_once(vp);

	while (error == -EBUSY && !node_has(vp, SIDECAR_CAP_OWNERSHIP) && attempts--) {
		vp_set_state(vp, VP_BUSY);
		node_file_drain(vp->file, vp_waiter(vp), NULL);
		nanosleep(&pause, NULL);
		error = start_once(vp);
	}
	return error;
}

/* For a run in flight whose flag or deadline asks for its end. */
static void stop(struct sidecar_vp *vp)
{
	if (!vp->request.stopped_ns)
		vp->request.stopped_ns = now_ns();
	vp_send_stop(vp);
}

static bool start_command(struct sidecar_vp *vp)
{
	int error;

	vp->request.started_ns = now_ns();
	vp->request.stopped_ns = 0;
	error = start(vp);
	if (error) {
		over_driver_error(vp, error);
		return true;
	}
	if (vp->request.operation == SIDECAR_OPERATION_RUN && vp_cancelled(vp))
		stop(vp);
	return false;
}

static bool is_register_operation(const struct request *request)
{
	return request->operation == SIDECAR_OPERATION_GET_REGISTERS ||
	       request->operation == SIDECAR_OPERATION_SET_REGISTERS;
}

bool request_begin(struct sidecar_vp *vp)
{
	struct request *request = &vp->request;

	request->doubted = false;
	request->looks = 0;
	if (request->operation == SIDECAR_OPERATION_RUN && vp_take_cancel(vp)) {
		request_over(vp, SIDECAR_EVENT_CANCELLED, 0);
		return true;
	}
	if (is_register_operation(request) && request->done == request->count) {
		request_over(vp, SIDECAR_EVENT_DONE, 0);
		return true;
	}
	shm_store8(&vp->page->has_error, SENTINEL_BYTE);
	command_of(vp)->encode(vp);
	if (!vp_waiter(vp) && request->operation != SIDECAR_OPERATION_RUN &&
	    node_has(vp, SIDECAR_CAP_CANCEL))
		return run_command(vp);
	return start_command(vp);
}

/* ---- finish ---- */

/* A driver that never makes completions up has told us of a result that is not there. */
static bool over_without_result(struct sidecar_vp *vp)
{
	int error = vp_error(vp, SIDECAR_ERROR_PROTOCOL, -EPROTO,
			     "CPU %u: %s is complete, but its page has no result", vp->cpu,
			     sidecar_operation_name(vp->request.operation));

	request_over(vp, SIDECAR_EVENT_ERROR, error);
	return true;
}

static bool wait_on(struct sidecar_vp *vp)
{
	vp->request.doubted = true;
	vp_set_state(vp, flight_state(vp));
	/* A cancel that saw us finished has not stopped anything. */
	if (vp->request.operation == SIDECAR_OPERATION_RUN && vp_cancelled(vp))
		stop(vp);
	return false;
}

bool request_finish(struct sidecar_vp *vp)
{
	if (vp_state(vp) == VP_LOST) {
		over_driver_error(vp, -ETIMEDOUT);
		return true;
	}
	vp_set_state(vp, VP_BUSY);
	if (!has_arrived(vp)) {
		if (node_has(vp, SIDECAR_CAP_OWNERSHIP))
			return over_without_result(vp);
		return wait_on(vp);
	}
	if (decode(vp))
		return true;
	return request_begin(vp);
}

int request_report(struct sidecar_vp *vp, struct sidecar_event *event)
{
	struct request *request = &vp->request;

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
	vp_change_state(vp, VP_BUSY, VP_IDLE);
	return request->kind == SIDECAR_EVENT_CANCELLED ? 0 : request->error;
}

/* ---- time ---- */

static void look_again(struct sidecar_vp *vp, int state)
{
	vp->request.looks++;
	if (has_arrived(vp))
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

static void time_out(struct sidecar_vp *vp, int state)
{
	if (!vp_change_state(vp, state, VP_FAILED))
		return;
	vp_error(vp, SIDECAR_ERROR_TIMEOUT, -ETIMEDOUT, "CPU %u: %s within %llu ms", vp->cpu,
		 state == VP_RUNNING ? "a run was not stopped" : "a command did not end",
		 (unsigned long long)(vp->client->timeout_ns / NSEC_PER_MSEC));
	request_over(vp, SIDECAR_EVENT_FAILED, -ETIMEDOUT);
}

uint64_t request_tick(struct sidecar_vp *vp, uint64_t now)
{
	int state = vp_state(vp);
	uint64_t bound;

	if (!is_in_flight(state))
		return UINT64_MAX;
	if (state == VP_RUNNING && !vp->request.stopped_ns && vp_cancelled(vp))
		vp->request.stopped_ns = now;
	if (vp->request.doubted)
		look_again(vp, state);
	bound = bound_of(vp, state);
	if (now >= bound) {
		time_out(vp, state);
		return UINT64_MAX;
	}
	if (vp->request.doubted && now + DOUBT_INTERVAL_NS < bound)
		return now + DOUBT_INTERVAL_NS;
	return bound;
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

static uint64_t await_step(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	uint64_t now = now_ns();
	uint64_t next;

	if (now >= deadline_ns && !vp->request.expired && vp_state(vp) == VP_RUNNING) {
		vp->request.expired = true;
		stop(vp);
	}
	next = request_tick(vp, now);
	if (!vp->request.expired && deadline_ns < next)
		next = deadline_ns;
	return next;
}

void request_await(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	bool over = request_begin(vp);
	uint64_t next;
	int error;

	while (!over) {
		next = await_step(vp, deadline_ns);
		if (is_in_flight(vp_state(vp))) {
			error = vp_sleep(vp, next);
			if (error)
				lose(vp, error);
		}
		if (is_finished(vp_state(vp)))
			over = request_finish(vp);
		else
			over = vp_state(vp) == VP_FAILED;
	}
}

int sidecar_vp_test(struct sidecar_vp *vp)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_TEST, NULL);

	if (error)
		return error;
	request_await(vp, SIDECAR_NO_DEADLINE);
	return request_report(vp, NULL);
}

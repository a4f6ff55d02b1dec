// SPDX-License-Identifier: MIT
/*
 * Conversion: a sidecar CPU becomes a Linux CPU by a write to its online file.
 *
 * Linux does one hotplug operation at a time, and a write that finds another one in progress may
 * end in EINTR. So the conversions of a process stand in one line, and only its head writes; the
 * others' VPs are left alone until then.
 *
 * A VP gets in line in one of two ways. sidecar_vp_convert() and its form in a queue need an idle
 * VP and wait idly. sidecar_vp_request_conversion() takes a place for a VP that goes on running
 * (rule R12): at the head of the line it is given the turn, which ends its run with an event of its
 * own kind, and the conversion that follows finds itself first. The turn is a flag like that of a
 * cancel, and travels as one: it is taken by the run that it ends, or by the next one.
 */
#include <errno.h>

#include "internal.h"
#include "probes.h"

static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static struct conversion *line; /* the head has its turn */

static struct sidecar_vp *vp_of(struct conversion *conversion)
{
	return (struct sidecar_vp *)((char *)conversion - offsetof(struct sidecar_vp, conversion));
}

/* ---- the line; all of these under its lock ---- */

/* First the flag, then the state, as a cancel does. */
static void give_turn(struct sidecar_vp *vp)
{
	PROBE_TURN(vp->cpu);
	if (vp->conversion.requested) {
		__atomic_exchange_n(&vp->conversion.turn, 1, __ATOMIC_SEQ_CST);
		if (vp_state(vp) == VP_RUNNING)
			vp_send_stop(vp);
	}
	vp_wake(vp);
}

/* The new head is told under the lock, which it needs to go away. */
static void leave_line(struct conversion *conversion)
{
	struct conversion **link = &line;

	while (*link != conversion)
		link = &(*link)->next;
	*link = conversion->next;
	conversion->queued = false;
	conversion->requested = false;
	__atomic_store_n(&conversion->turn, 0, __ATOMIC_SEQ_CST);
	if (link == &line && line)
		give_turn(vp_of(line));
}

static void join_line(struct conversion *conversion)
{
	struct conversion **end = &line;

	while (*end)
		end = &(*end)->next;
	conversion->next = NULL;
	conversion->queued = true;
	*end = conversion;
}

/* ---- the line, from outside ---- */

bool convert_enter(struct sidecar_vp *vp)
{
	bool first;

	pthread_mutex_lock(&line_lock);
	if (!vp->conversion.queued)
		join_line(&vp->conversion);
	/* What was asked for has begun. */
	vp->conversion.requested = false;
	__atomic_store_n(&vp->conversion.turn, 0, __ATOMIC_SEQ_CST);
	first = line == &vp->conversion;
	pthread_mutex_unlock(&line_lock);
	return first;
}

bool convert_is_first(struct sidecar_vp *vp)
{
	bool first;

	pthread_mutex_lock(&line_lock);
	first = line == &vp->conversion;
	pthread_mutex_unlock(&line_lock);
	return first;
}

void convert_forget(struct sidecar_vp *vp)
{
	pthread_mutex_lock(&line_lock);
	if (vp->conversion.queued)
		leave_line(&vp->conversion);
	pthread_mutex_unlock(&line_lock);
}

void convert_leave(struct sidecar_vp *vp)
{
	struct conversion *conversion = &vp->conversion;
	struct sidecar *client = vp->client;

	if (conversion->online >= 0)
		client->driver->online_close(client->context, conversion->online);
	conversion->online = -1;
	convert_forget(vp);
}

/* ---- the turn ---- */

bool convert_take_turn(struct sidecar_vp *vp)
{
	return convert_wants_stop(vp) &&
	       __atomic_exchange_n(&vp->conversion.turn, 0, __ATOMIC_SEQ_CST) != 0;
}

/* Not into the VP's own error: its owner may be writing there. */
static int refuse_request(struct sidecar_vp *vp, int code, const char *why)
{
	return client_error(vp->client, SIDECAR_ERROR_ERRNO, code, "CPU %u: %s", vp->cpu, why);
}

int sidecar_vp_request_conversion(struct sidecar_vp *vp)
{
	struct conversion *conversion = &vp->conversion;
	int state = vp_state(vp);
	bool queued;

	if (state == VP_GONE)
		return refuse_request(vp, -ENOENT, "it is Linux's now");
	if (state == VP_FAILED || state == VP_LOST)
		return refuse_request(vp, -ETIMEDOUT, "it has failed");
	pthread_mutex_lock(&line_lock);
	queued = conversion->queued;
	if (!queued) {
		conversion->requested = true;
		join_line(conversion);
		if (line == conversion)
			give_turn(vp);
	}
	pthread_mutex_unlock(&line_lock);
	return queued ? refuse_request(vp, -EALREADY, "it waits for its conversion already") : 0;
}

int sidecar_vp_withdraw_conversion(struct sidecar_vp *vp)
{
	struct conversion *conversion = &vp->conversion;
	bool queued, begun;

	pthread_mutex_lock(&line_lock);
	queued = conversion->queued;
	begun = queued && !conversion->requested;
	if (queued && !begun)
		leave_line(conversion);
	pthread_mutex_unlock(&line_lock);
	if (begun)
		return refuse_request(vp, -EBUSY, "its conversion has begun");
	return queued ? 0 : refuse_request(vp, -ENOENT, "nobody has asked for its conversion");
}

static void over_error(struct sidecar_vp *vp, int error)
{
	const char *text = errno_text(error);

	if (error == -EBUSY)
		text = "it is busy";
	vp_error(vp, SIDECAR_ERROR_ERRNO, error, "CPU %u cannot be converted: %s", vp->cpu, text);
	vp_set_state(vp, VP_BUSY);
	request_over(vp, SIDECAR_EVENT_ERROR, error);
}

int convert_open(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	int online = client->driver->online_open(client->context, vp->cpu);

	if (online < 0) {
		over_error(vp, online);
		return online;
	}
	vp->conversion.online = online;
	return 0;
}

bool convert_result(struct sidecar_vp *vp, int result)
{
	if (result == -EINTR || result == -EAGAIN) {
		vp->conversion.retry_ns = now_ns() + CONVERT_INTERVAL_NS;
		return false;
	}
	if (result < 0) {
		over_error(vp, result);
		return true;
	}
	vp_set_state(vp, VP_GONE);
	request_over(vp, SIDECAR_EVENT_DONE, 0);
	return true;
}

void convert_timed_out(struct sidecar_vp *vp)
{
	vp_error(vp, SIDECAR_ERROR_TIMEOUT, -ETIMEDOUT,
		 "CPU %u was not converted before the deadline: %s", vp->cpu,
		 vp->conversion.online >= 0 ? "others kept Linux's hotplug lock" :
					      "others were first");
	vp_set_state(vp, VP_BUSY);
	request_over(vp, SIDECAR_EVENT_ERROR, -ETIMEDOUT);
}

/* ---- the blocking form ---- */

/* True: the deadline has passed. */
static bool await_turn(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	bool first = convert_enter(vp);

	while (!first && now_ns() < deadline_ns) {
		vp_sleep(vp, deadline_ns);
		first = convert_is_first(vp);
	}
	return now_ns() >= deadline_ns;
}

static void sleep_until(struct sidecar_vp *vp, uint64_t until_ns)
{
	while (now_ns() < until_ns)
		vp_sleep(vp, until_ns);
}

static void convert(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	struct sidecar *client = vp->client;
	int result;

	if (await_turn(vp, deadline_ns)) {
		convert_timed_out(vp);
		return;
	}
	if (convert_open(vp))
		return;
	for (;;) {
		result = client->driver->online_write(client->context, vp->conversion.online);
		if (convert_result(vp, result))
			return;
		if (vp->conversion.retry_ns >= deadline_ns) {
			convert_timed_out(vp);
			return;
		}
		sleep_until(vp, vp->conversion.retry_ns);
	}
}

int sidecar_vp_convert(struct sidecar_vp *vp, uint64_t deadline_ns)
{
	int error = vp_claim(vp, SIDECAR_OPERATION_CONVERT, NULL);

	if (error)
		return error;
	vp_set_state(vp, VP_CONVERTING);
	convert(vp, deadline_ns);
	convert_leave(vp);
	return request_report(vp, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * Conversion: a sidecar CPU becomes a Linux CPU by a write to its online file.
 *
 * Linux does one hotplug operation at a time, and a write that finds another one in progress may
 * end in EINTR. So the conversions of a process stand in one line, and only its head writes; the
 * others' VPs are left alone until then.
 */
#include <errno.h>

#include "internal.h"

static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static struct conversion *line; /* the head has its turn */

static struct sidecar_vp *vp_of(struct conversion *conversion)
{
	return (struct sidecar_vp *)((char *)conversion - offsetof(struct sidecar_vp, conversion));
}

bool convert_enter(struct sidecar_vp *vp)
{
	struct conversion **end = &line;
	bool first;

	pthread_mutex_lock(&line_lock);
	while (*end)
		end = &(*end)->next;
	vp->conversion.next = NULL;
	vp->conversion.queued = true;
	*end = &vp->conversion;
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

/* The next one is woken under the lock, which it needs to go away. */
static void leave_line(struct conversion *conversion)
{
	struct conversion **link = &line;

	pthread_mutex_lock(&line_lock);
	while (*link != conversion)
		link = &(*link)->next;
	*link = conversion->next;
	if (link == &line && line)
		vp_wake(vp_of(line));
	pthread_mutex_unlock(&line_lock);
}

void convert_leave(struct sidecar_vp *vp)
{
	struct conversion *conversion = &vp->conversion;
	struct sidecar *client = vp->client;

	if (conversion->online >= 0)
		client->driver->online_close(client->context, conversion->online);
	conversion->online = -1;
	if (conversion->queued)
		leave_line(conversion);
	conversion->queued = false;
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

// SPDX-License-Identifier: MIT
/* What can be seen of a VP from outside: counters, the client's log, probes. */
#include <stdarg.h>
#include <stdio.h>

#include "probes.h"
#include "queue.h"

void trace_log(const struct sidecar *client, uint32_t level, const char *format, ...)
{
	char text[SIDECAR_ERROR_TEXT_SIZE];
	va_list arguments;

	if (!client->log)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	client->log(client->log_context, level, text);
}

void trace_start(struct sidecar_vp *vp)
{
	struct sidecar_queue *queue = vp_waiter(vp);
	uint32_t operation = vp->request.operation;

	if (queue)
		queue->counters.commands++;
	if (operation == SIDECAR_OPERATION_RUN)
		vp->counters.runs++;
	else
		vp->counters.commands++;
	PROBE_START(vp->cpu, operation);
}

static void log_outcome(const struct sidecar_vp *vp)
{
	const struct request *request = &vp->request;
	const char *operation = sidecar_operation_name(request->operation);

	if (request->kind == SIDECAR_EVENT_FAILED)
		trace_log(vp->client, SIDECAR_LOG_ERROR, "CPU %u has failed in %s: %s", vp->cpu,
			  operation, vp->error.text);
	else if (request->kind == SIDECAR_EVENT_ERROR)
		trace_log(vp->client, SIDECAR_LOG_WARNING, "%s: %s", operation, vp->error.text);
	else if (request->operation == SIDECAR_OPERATION_CONVERT)
		trace_log(vp->client, SIDECAR_LOG_INFO, "CPU %u is Linux's now", vp->cpu);
	else if (request->kind == SIDECAR_EVENT_TURN)
		trace_log(vp->client, SIDECAR_LOG_INFO, "CPU %u may be converted now", vp->cpu);
}

static void count_event(struct sidecar_queue_counters *counters, uint32_t kind)
{
	counters->events++;
	counters->intercepts += kind == SIDECAR_EVENT_INTERCEPT;
	counters->errors += kind == SIDECAR_EVENT_ERROR || kind == SIDECAR_EVENT_FAILED;
}

void trace_report(struct sidecar_vp *vp)
{
	struct sidecar_queue *queue = vp_waiter(vp);
	struct sidecar_vp_counters *counters = &vp->counters;
	const struct request *request = &vp->request;

	switch (request->kind) {
	case SIDECAR_EVENT_INTERCEPT:
		counters->intercepts++;
		break;
	case SIDECAR_EVENT_CANCELLED:
		counters->cancelled++;
		break;
	case SIDECAR_EVENT_TURN:
		counters->turns++;
		break;
	case SIDECAR_EVENT_DONE:
		counters->done++;
		break;
	default:
		counters->errors++;
		break;
	}
	if (queue)
		count_event(&queue->counters, request->kind);
	PROBE_REPORT(vp->cpu, request->operation, request->kind, request->error);
	if (vp->client->log)
		log_outcome(vp);
}

void sidecar_vp_counters(const struct sidecar_vp *vp, struct sidecar_vp_counters *counters)
{
	*counters = vp->counters;
	counters->size = sizeof(*counters);
	counters->cpu = vp->cpu;
}

void sidecar_queue_counters(const struct sidecar_queue *queue,
			    struct sidecar_queue_counters *counters)
{
	*counters = queue->counters;
	counters->size = sizeof(*counters);
}

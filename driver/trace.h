/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, in the group "sidecar": what the driver and the sidecar CPUs say to each other.
 *
 *   start      a command was given to a CPU          stop     a command in flight was told to stop
 *   complete   a command has ended                   fail     a CPU is lost, and why
 *   claim      a VP has an owner                     release  and has none any more
 *   convert    Linux asked for a CPU by its "online" file
 *   take, give a CPU came to the sidecar, or went back to Linux, by the ioctls of these names
 *
 * The fields of a VP are as they are after the event; error is 0 or a negative errno value.
 * trace.c makes them; every other file only includes this.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sidecar

#if !defined(SCDRV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SCDRV_TRACE_H

#include <linux/tracepoint.h>

#include "driver.h"

#ifndef SCDRV_TRACE_NAMES
#define SCDRV_TRACE_NAMES

#define scdrv_trace_command(code)                                               \
	__print_symbolic(code, {SIDECAR_COMMAND_NONE, "NONE"},                  \
			 {SIDECAR_COMMAND_RUN_VP, "RUN_VP"},                    \
			 {SIDECAR_COMMAND_GET_REGISTERS, "GET_REGISTERS"},      \
			 {SIDECAR_COMMAND_SET_REGISTERS, "SET_REGISTERS"},      \
			 {SIDECAR_COMMAND_TRANSLATE_GVA, "TRANSLATE_GVA"})

#define scdrv_trace_status(status)                                                   \
	__print_symbolic(status, {SIDECAR_STATUS_REMOVED, "REMOVED"},                \
			 {SIDECAR_STATUS_IDLE, "IDLE"}, {SIDECAR_STATUS_RUN, "RUN"}, \
			 {SIDECAR_STATUS_STOP, "STOP"}, {SIDECAR_STATUS_REMOVE, "REMOVE"})

#define scdrv_trace_claim(claim)                                                            \
	__print_symbolic(claim, {SCDRV_AVAIL, "AVAIL"}, {SCDRV_SYNC, "SYNC"},               \
			 {SCDRV_ASYNC, "ASYNC"}, {SCDRV_ASYNC_STOPPING, "ASYNC_STOPPING"},  \
			 {SCDRV_ASYNC_STOPPED, "ASYNC_STOPPED"},                            \
			 {SCDRV_CLAIMING, "CLAIMING"}, {SCDRV_CLOSING, "CLOSING"},          \
			 {SCDRV_SYNC_STOPPING, "SYNC_STOPPING"}, {SCDRV_REMOVED, "REMOVED"})

#endif

/* perf and trace-cmd know no names of the module's. */
TRACE_DEFINE_ENUM(SCDRV_AVAIL);
TRACE_DEFINE_ENUM(SCDRV_SYNC);
TRACE_DEFINE_ENUM(SCDRV_ASYNC);
TRACE_DEFINE_ENUM(SCDRV_ASYNC_STOPPING);
TRACE_DEFINE_ENUM(SCDRV_ASYNC_STOPPED);
TRACE_DEFINE_ENUM(SCDRV_CLAIMING);
TRACE_DEFINE_ENUM(SCDRV_CLOSING);
TRACE_DEFINE_ENUM(SCDRV_SYNC_STOPPING);
TRACE_DEFINE_ENUM(SCDRV_REMOVED);

/* One command of a VP. pid is its owner's, whoever is running when it happens. */
DECLARE_EVENT_CLASS(sidecar_command,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, command)
		__field(u32, status)
		__field(u32, claim)
		__field(int, pid)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->cpu = vp->cpu;
		__entry->command = vp->code;
		__entry->status = scdrv_status(vp);
		__entry->claim = vp->claim;
		__entry->pid = vp->claimer_pid;
		__entry->error = error;
	),
	TP_printk("cpu=%u command=%s status=%s claim=%s pid=%d error=%d", __entry->cpu,
		  scdrv_trace_command(__entry->command), scdrv_trace_status(__entry->status),
		  scdrv_trace_claim(__entry->claim), __entry->pid, __entry->error)
);

DEFINE_EVENT(sidecar_command, start,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));
DEFINE_EVENT(sidecar_command, stop,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));
DEFINE_EVENT(sidecar_command, complete,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));

/* A VP and its owner. */
DECLARE_EVENT_CLASS(sidecar_owner,
	TP_PROTO(const struct scdrv_vp *vp),
	TP_ARGS(vp),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, claim)
		__field(int, pid)
	),
	TP_fast_assign(
		__entry->cpu = vp->cpu;
		__entry->claim = vp->claim;
		__entry->pid = vp->claimer_pid;
	),
	TP_printk("cpu=%u claim=%s pid=%d", __entry->cpu, scdrv_trace_claim(__entry->claim),
		  __entry->pid)
);

DEFINE_EVENT(sidecar_owner, claim,
	TP_PROTO(const struct scdrv_vp *vp),
	TP_ARGS(vp));
DEFINE_EVENT(sidecar_owner, release,
	TP_PROTO(const struct scdrv_vp *vp),
	TP_ARGS(vp));

/* A CPU changes sides, or was refused. */
DECLARE_EVENT_CLASS(sidecar_move,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, status)
		__field(u32, claim)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->cpu = vp->cpu;
		__entry->status = scdrv_status(vp);
		__entry->claim = shm_read(&vp->claim);
		__entry->error = error;
	),
	TP_printk("cpu=%u status=%s claim=%s error=%d", __entry->cpu,
		  scdrv_trace_status(__entry->status), scdrv_trace_claim(__entry->claim),
		  __entry->error)
);

DEFINE_EVENT(sidecar_move, convert,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));
DEFINE_EVENT(sidecar_move, take,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));
DEFINE_EVENT(sidecar_move, give,
	TP_PROTO(const struct scdrv_vp *vp, int error),
	TP_ARGS(vp, error));

/* The reason is one of a few literals; a reader of the ring has no use for its address. */
TRACE_EVENT(fail,
	TP_PROTO(const struct scdrv_vp *vp, const char *reason),
	TP_ARGS(vp, reason),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, claim)
		__field(int, pid)
		__array(char, reason, 48)
	),
	TP_fast_assign(
		__entry->cpu = vp->cpu;
		__entry->claim = shm_read(&vp->claim);
		__entry->pid = vp->claimer_pid;
		strscpy_pad(__entry->reason, reason, sizeof(__entry->reason));
	),
	TP_printk("cpu=%u claim=%s pid=%d reason=%s", __entry->cpu,
		  scdrv_trace_claim(__entry->claim), __entry->pid, __entry->reason)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

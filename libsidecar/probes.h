/* SPDX-License-Identifier: MIT */
/*
 * User-space probes (USDT), for whoever has systemtap, bpftrace or perf: provider sidecar. Each is
 * one NOP in the code and a note beside it; with the build option probes off there is neither.
 *
 *   start(cpu, operation)               a command goes to the CPU
 *   report(cpu, operation, kind, error) an operation is over
 *   cancel(cpu)                         somebody asked for the end of a run
 *   turn(cpu)                           a VP that asked for its conversion is first in the line
 */
#ifndef LIBSIDECAR_PROBES_H
#define LIBSIDECAR_PROBES_H

#if SIDECAR_PROBES

#include <sys/sdt.h>

#define PROBE_START(cpu, operation) DTRACE_PROBE2(sidecar, start, cpu, operation)
#define PROBE_REPORT(cpu, operation, kind, error) \
	DTRACE_PROBE4(sidecar, report, cpu, operation, kind, error)
#define PROBE_CANCEL(cpu) DTRACE_PROBE1(sidecar, cancel, cpu)
#define PROBE_TURN(cpu) DTRACE_PROBE1(sidecar, turn, cpu)

#else

#define PROBE_START(cpu, operation) ((void)(cpu), (void)(operation))
#define PROBE_REPORT(cpu, operation, kind, error) \
	((void)(cpu), (void)(operation), (void)(kind), (void)(error))
#define PROBE_CANCEL(cpu) ((void)(cpu))
#define PROBE_TURN(cpu) ((void)(cpu))

#endif

#endif

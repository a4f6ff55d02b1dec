// SPDX-License-Identifier: MIT
/*
 * The watch of a RUN: quiet and the status byte are the two sides of Dekker's pair.
 *
 *   driver: quiet = 0, then looks at the status byte     (claim.c: watch)
 *   CPU:    status = IDLE, then looks at quiet           (dispatch.c: publish)
 *
 * Each must be a full barrier, or both may look too early: the CPU is silent, and the driver sleeps
 * for good. The stores of the pair have store buffers here (tso.pml). The handler scans, the tick
 * that would repair it is left out. Three commands, so that what one leaves behind meets the next.
 *
 * case: R2: a watch never ends asleep		|			| ok
 * case: R2: a plain store of the status byte	| NO_BARRIER_CPU	| invalid end state
 * case: R2: a plain store of quiet		| NO_BARRIER_DRIVER	| invalid end state
 * case: R2: quiet read before the status store	| QUIET_FIRST		| invalid end state
 * case: R2: sleep without the second look	| NO_SECOND_LOOK	| invalid end state
 */
#include "tso.pml"

#define ROUNDS 3

mtype:status = { IDLE, RUN };

mtype:status status = IDLE, status_slot = IDLE;
bool status_buffered; /* the CPU's store */
bool quiet, quiet_slot;
bool quiet_buffered; /* the driver's store */
bool request, response;
bool busy, done, scan_lock;
byte launched, executed, found;

active proctype sidecar_cpu()
{
	bool silent;

	do
	::
		do
		:: status == IDLE && !status_buffered ->
end_halted:
			request;
			request = false
		:: status == RUN && !status_buffered ->
			break
		od;
		executed++;
#ifdef QUIET_FIRST
		silent = quiet;
#endif
		STORE(status, IDLE);
#ifndef NO_BARRIER_CPU
		BARRIER(status);
#endif
#ifndef QUIET_FIRST
		silent = quiet;
#endif
		if
		:: silent
		:: else -> response = true
		fi
	od
}

active proctype cpu_buffer()
{
end_empty:
	do
	:: DRAIN(status)
	od
}

active proctype driver_buffer()
{
end_empty:
	do
	:: DRAIN(quiet)
	od
}

#define LOCK atomic { !scan_lock -> scan_lock = true }
#define UNLOCK scan_lock = false

inline look()
{
	if
	:: busy && status == IDLE ->
		assert(executed == launched); /* R1 */
		found++;
		busy = false;
		done = true
	:: else
	fi
}

active proctype handler()
{
end_waiting:
	do
	:: response ->
		response = false;
		LOCK;
		look();
		UNLOCK
	od
}

active proctype caller()
{
	bool watches;

	do
	:: launched == ROUNDS -> break
	:: else ->
		if
		:: watches = true
		:: watches = false /* the last command was slow */
		fi;
		LOCK;
		done = false;
		launched++;
		STORE(quiet, watches);
		BARRIER(quiet); /* the compare-and-exchange below */
		atomic {
			assert(status == IDLE);
			status = RUN;
			busy = true
		}
		UNLOCK;
		request = true;
		if
		:: watches ->
			do
			:: status == RUN /* still looking */
			:: break	 /* seen IDLE, or no more time */
			od;
			STORE(quiet, false);
#ifndef NO_BARRIER_DRIVER
			BARRIER(quiet);
#endif
#ifndef NO_SECOND_LOOK
			LOCK;
			look();
			UNLOCK
#endif
		:: else
		fi;
		done
	od;
	assert(found == ROUNDS && executed == ROUNDS)
}

// SPDX-License-Identifier: MIT
/*
 * RUN of a guest that never exits by itself, ended by a signal (R5) or by CANCEL (R4), wherever
 * they come. Two CANCELs, the second after the first run has returned; between the runs a command
 * that is no run, which must not use the CANCEL up. Whatever is lost leaves a thread for ever.
 *
 * case: R4: each CANCEL ends one run		|			| ok
 * case: R5: a signal ends the run		| SIGNAL		| ok
 * case: R4: CANCEL is not sticky		| CANCEL_NOT_STICKY	| invalid end state
 * case: R1: CANCEL between claim and RUN	| STOP_IN_GAP		| invalid end state
 * case: R5: a signal leaves the command running	| SIGNAL LEAVES_RUNNING	| assertion violated
 */
#define GUEST_EXITS false
#define FIRST_OWNER 1
#include "vp.pml"

byte returned;
bool signalled;

inline wait_for_thread()
{
	interrupted = false;
	do
	:: thread_done -> break
	:: signalled && !interrupted ->
		interrupted = true; /* after the 20 ms of grace, or not */
#ifdef LEAVES_RUNNING
		break
#else
		LOCK;
		if
		:: !thread_done -> stop()
		:: else
		fi;
		UNLOCK
#endif
	od
}

inline run_command(is_run)
{
	thread_done = false;
	begin(1, THREAD, is_run);
	if
	:: error == SUCCESS ->
		wait_for_thread();
		/* R5: the command has ended and its page is the caller's. */
		assert(!executing && !busy && (!is_run || outcome == STOPPED))
	:: else ->
		assert(error == ECANCELED && is_run)
	fi
}

active proctype caller()
{
	mtype:errno error;
	bool interrupted;

	run_command(true);
	returned++;
#ifndef SIGNAL
	run_command(false);
	assert(error == SUCCESS);
	run_command(true);
	returned++;
	assert(!cancelled)
#endif
}

#ifdef SIGNAL
active proctype killer()
{
	signalled = true
}
#else
active proctype canceller()
{
	claim_cancel(1);
	returned == 1;
	claim_cancel(1)
}
#endif

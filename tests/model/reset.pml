// SPDX-License-Identifier: MIT
/*
 * RESET (driver/move.c) of a VP whatever it does: its owner runs an endless guest or has a result
 * to read, claims anew when it has lost the VP, and closes; another file waits for it. The CPU is
 * parked by INIT, loses its owner, and starts again.
 *
 * case: R9: a reset CPU serves whoever comes next	|			| ok
 * case: R9: and close is not kept waiting		|			| ok	| freed
 * case: R1: still scanned while it is parked		| HELD_ON_LIST		| invalid end state
 * case: R8: let go before it has started		| LET_GO_FIRST		| assertion violated
 * case: R6: not seized, so that close meets it		| NO_SEIZE		| assertion violated
 */
#define GUEST_EXITS false
#define FIRST_OWNER 1
#include "vp.pml"

bool closing, closed, second_done;

ltl freed { [] (closing -> <> (owner != 1)) }

active proctype user()
{
	mtype:errno error;

	if
	:: begin(1, THREAD, true);
		if
		:: error == SUCCESS ->
			thread_done;
			assert(thread_error == EINTR || thread_error == ETIMEDOUT)
		:: else
		fi
	:: begin(1, NOBODY, false)
	fi
}

active proctype killer()
{
	closing = true;
	release(1);
	assert(owner != 1);
	closed = true
}

active proctype second()
{
	mtype:errno error;

	closing;
	do
	:: second_done -> break
	:: else ->
		claim == AVAIL && owner != 1 && !releaser;
		claim_own(2);
		if
		:: error == SUCCESS ->
			begin(2, NOBODY, false);
			if
			:: error == SUCCESS ->
				finished[2] || failed_result[2];
				second_done = true
			:: else /* reset in between */
			fi
		:: else
		fi
	od;
	release(2)
}

inline hold()
{
	LOCK;
	if
	:: IN_FLIGHT ->
		failing = true;
#ifndef HELD_ON_LIST
		busy = false
#endif
	:: else ->
		d_step {
			if
			:: claim == ASYNC_STOPPED ->
				finished[owner] = false;
				failed_result[owner] = true
			:: else
			fi;
			claim = CLOSING
		}
	fi;
	UNLOCK
}

active proctype mover()
{
#ifndef NO_SEIZE
	atomic {
		!scan_lock && !releaser && !failing && claim != CLAIMING ->
		releaser = MOVER
	};
#endif
	hold();
	atomic {
		reset = true; /* park */
		executing = false
	};
	ended_cpu;
	status = REMOVED;
	LOCK; /* end_held */
	failing = false;
	if
	:: IN_FLIGHT -> finish(ETIMEDOUT)
	:: else
	fi;
	claim = CLOSING;
	UNLOCK;
	assert(!busy && !executing); /* disown: scrub */
	LOCK;
	d_step {
		owner = 0;
		cancelled = false;
		executed = launched
	};
	UNLOCK;
#ifdef LET_GO_FIRST
	releaser = 0;
	claim = AVAIL;
#endif
	atomic {
		assert(claim == CLOSING);
		status = RUN
	};
	atomic {
		reset = false;
		request = false;
		status = IDLE;
		run sidecar_cpu()
	};
	LOCK;
	d_step {
		assert(claim == CLOSING && owner == 0);
		releaser = 0;
		claim = AVAIL
	};
	UNLOCK
}

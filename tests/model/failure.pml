// SPDX-License-Identifier: MIT
/*
 * A CPU that may stop answering at any moment (R9). A RUN of an endless guest is stopped by its
 * owner's close or by a signal; the STOP has a deadline, which may also pass while a slow CPU is
 * just about to answer. Then the CPU is reset, and only after that its waiter is answered: nothing
 * writes to pages that somebody else has.
 *
 * case: R9: every waiter is answered		|			| ok
 * case: R9: and the VP becomes free		|			| ok	| freed
 * case: R9: answered before the reset		| ANSWER_FIRST		| assertion violated
 * case: R9: no deadline for a STOP		| NO_DEADLINE		| invalid end state
 */
#define GUEST_EXITS false
#define CPU_DIES true
#define FIRST_OWNER 1
#include "vp.pml"

bool closing;

ltl freed { [] (closing -> <> (owner == 0)) }

active proctype user()
{
	mtype:errno error;

	begin(1, THREAD, true);
	if
	:: error == SUCCESS ->
		thread_done;
		assert(thread_error == ETIMEDOUT || thread_error == EINTR);
		assert(!executing)
	:: else -> assert(error == EBUSY)
	fi
}

active proctype killer()
{
	closing = true;
	release(1)
}

#define LATE (IS_STOPPING && !failing && claim != AVAIL)

/* tick: check_deadline() */
active proctype timer()
{
end_waiting:
	do
#ifndef NO_DEADLINE
	:: LATE ->
		LOCK;
		if
		:: LATE ->
			look();
			if
			:: looked_idle
			:: else ->
				atomic {
					failing = true;
					busy = false
				}
			fi
		:: else
		fi;
		UNLOCK
#else
	:: false
#endif
	od
}

/* fail_work: fail_now() */
active proctype worker()
{
end_waiting:
	do
	:: failing ->
#ifdef ANSWER_FIRST
		LOCK;
		finish(ETIMEDOUT);
		UNLOCK;
#endif
		atomic {
			reset = true; /* INIT: at once */
			executing = false
		};
		atomic {
			status = REMOVED;
			failed = true
		};
		LOCK;
		atomic {
			failing = false;
			if
			:: IN_FLIGHT -> finish(ETIMEDOUT)
			:: else
			fi
		};
		UNLOCK
	od
}

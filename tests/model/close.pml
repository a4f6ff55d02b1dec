// SPDX-License-Identifier: MIT
/*
 * Two processes and one VP (R6). The first has claimed it and starts commands of every kind, one after
 * the other, with a guest that never exits; its close comes at any moment, as with SIGKILL, also
 * between the steps of a START that another of its threads is in. The second wants the VP, runs
 * a command and closes as well.
 *
 * case: R6: both are served, in every order	|			| ok
 * case: R6: after close the VP becomes free	|			| ok	| freed
 * case: R6: close does not wait		| CLOSE_DOES_NOT_WAIT	| assertion violated
 * case: R6: close does not stop the VP		| CLOSE_DOES_NOT_STOP	| acceptance cycle | freed
 * case: R6: START is not refused during close	| NO_RELEASER		| acceptance cycle | freed
 * case: R1: claim before RUN			| CLAIM_FIRST		| assertion violated
 */
#define GUEST_EXITS false
#define FIRST_OWNER 1
#include "vp.pml"

bool first_closes, first_closed, first_gone, second_done;
byte submitted;

/* Under weak fairness: nobody who could always go on is forgotten for ever. */
ltl freed { [] (first_closes -> <> (owner != 1)) }

active proctype first()
{
	mtype:errno error;
	byte round;

	do
	:: round == 2 || first_closes -> break
	:: else ->
		round++;
		if
		:: begin(1, NOBODY, true)
		:: begin(1, NOBODY, false)
		:: begin(1, RING, true);
			if
			:: error == SUCCESS -> submitted++
			:: else
			fi
		:: thread_done = false;
			begin(1, THREAD, true);
			if
			:: error == SUCCESS ->
				thread_done;
				assert(thread_error == EINTR)
			:: else
			fi
		fi
	od;
	first_gone = true
}

active proctype first_close()
{
	first_closes = true;
	release(1);
	first_closed = true
}

active proctype second()
{
	mtype:errno error;

	first_closes;
	error = EBUSY;
	do
	:: error == SUCCESS -> break
	:: else ->
		/* EBUSY: tried again when the owner changes, or it would be a race for ever. */
		owner != 1 && claim == AVAIL && !releaser;
		claim_own(2)
	od;
	begin(2, NOBODY, false);
	assert(error == SUCCESS); /* its own, and idle */
	finished[2];
	assert(outcome == DONE);
	LOCK;
	take(2);
	UNLOCK;
	release(2);
	assert(owner != 2 && !finished[2]);
	second_done = true
}

/* What is left when all is quiet: each request of the ring has exactly one completion. */
active proctype auditor()
{
	second_done && (owner == 0) && claim == AVAIL && !IN_FLIGHT && first_gone && first_closed;
	assert(ring_completions == submitted && launched == ended && launched == executed)
}

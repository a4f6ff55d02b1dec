// SPDX-License-Identifier: MIT
/*
 * START, STOP and read() with two readers: every completion is read once. A reader's buffer may be
 * bad; the completion is still there then (R2).
 *
 * case: R3: each completion is read exactly once	|			| ok
 * case: R3: two readers without the read lock		| NO_READ_LOCK		| assertion violated
 * case: R2: taken before the copy			| TAKE_FIRST		| invalid end state
 * case: R1: claim before RUN				| CLAIM_FIRST		| assertion violated
 * case: R1: STOP between claim and RUN			| STOP_IN_GAP ENDLESS	| invalid end state
 * case: R4: a STOP of an endless guest is never lost	| ENDLESS		| ok
 * case: R11: interrupts drained after the look		| DRAIN_LATE ENDLESS	| invalid end state
 */
#ifdef ENDLESS
#define GUEST_EXITS false
#define ROUNDS 1
#else
#define ROUNDS 3
#endif
#define FIRST_OWNER 1
#include "vp.pml"

bool read_lock;
byte delivered;

active proctype starter()
{
	mtype:errno error;
	byte round;

	do
	:: round == ROUNDS -> break
	:: else ->
		claim == AVAIL;
		if
#ifndef ENDLESS
		:: begin(1, NOBODY, false)
#endif
		:: begin(1, NOBODY, true)
		fi;
		if
		:: error == SUCCESS -> round++
		:: else -> assert(error == EBUSY)
		fi
	od;
	delivered == ROUNDS && claim == AVAIL;
	assert(ended == ROUNDS && executed == ROUNDS)
}

/* STOP as soon as the VMM believes that something runs: START has been called. */
active proctype stopper()
{
end_never:
	claim == ASYNC;
	claim_stop(1)
}

active [2] proctype reader()
{
	bool got, good_buffer = true;

	if
	:: good_buffer = true
	:: good_buffer = false
	fi;
end_waiting:
	do
	:: finished[1] ->
#ifndef NO_READ_LOCK
		atomic { !read_lock -> read_lock = true };
#endif
		LOCK;
		got = finished[1];
#ifdef TAKE_FIRST
		take(1);
#endif
		UNLOCK;
		if
		:: got && good_buffer ->
			delivered++;
			assert(delivered <= ended);
			LOCK;
			take(1);
			UNLOCK
		:: got && !good_buffer ->
			good_buffer = true /* EFAULT; the next buffer is good */
		:: else
		fi;
		read_lock = false
	od
}

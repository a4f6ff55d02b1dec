// SPDX-License-Identifier: MIT
/*
 * Linux brings the CPU online while its owner starts commands and closes (R7, R8). The claim is
 * reserved first, under the lock; only then the status byte becomes REMOVE. A refused conversion
 * is tried again, so in the end Linux always has the CPU, and the owner's START gets ENOENT.
 *
 * case: R8: given when idle, refused when busy	|			| ok
 * case: R7: in the end it is Linux's		|			| ok	| given
 * case: R8: REMOVE without the claim		| NO_RESERVE		| assertion violated
 * case: R8: reserved while a command runs	| RESERVE_BUSY		| assertion violated
 * case: R8: Linux's before the CPU has left	| DOES_NOT_WAIT		| assertion violated
 */
#define FIRST_OWNER 1
#include "vp.pml"

bool is_linux, owner_gone;

ltl given { <> is_linux }

active proctype user()
{
	mtype:errno error = SUCCESS;
	byte round;

	do
	:: round == 2 || error == ENOENT -> break
	:: else ->
		round++;
		thread_done = false;
		begin(1, THREAD, true);
		if
		:: error == SUCCESS -> thread_done
		:: else -> assert(error == ENOENT && claim == GONE && !executing)
		fi
	od;
	release(1);
	assert(owner == 0);
	owner_gone = true
}

active proctype hotplug()
{
	bool refused = true;

	do
	:: !refused -> break
	:: else ->
		/* A busy loop of refusals would be no news: again when it may work. */
		claim == AVAIL;
		LOCK;
#ifdef RESERVE_BUSY
		refused = false;
#else
		refused = (claim != AVAIL);
#endif
#ifndef NO_RESERVE
		if
		:: !refused -> claim = GONE
		:: else
		fi;
#endif
		UNLOCK
	od;
	atomic {
		assert(status == IDLE);
		status = REMOVE
	};
	request = true;
#ifndef DOES_NOT_WAIT
	status == REMOVED;
#endif
	atomic {
		reset = true; /* INIT */
		assert(parked && !executing);
		is_linux = true
	};
	status = REMOVED
}

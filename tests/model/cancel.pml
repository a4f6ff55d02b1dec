// SPDX-License-Identifier: MIT
/*
 * sidecar_vp_cancel() against sidecar_vp_run(): the library's flag above the driver (R4). The guest
 * exits by itself twice at most and never again, the VMM runs it until a run is CANCELLED. One
 * cancel, at any moment, ends exactly one run; what the driver kept of it ends no other.
 *
 * -DORIGINAL is a driver that knows STOP only: the run is a START, the flag is looked at again
 * after it, and a STOP that finds nothing is no error.
 *
 * case: R4: one cancel, one CANCELLED		|			| ok
 * case: R4: the same by STOP alone		| ORIGINAL		| ok
 * case: R4: cancel without the library's flag	| NO_FLAG		| invalid end state
 * case: R4: an intercept uses the cancel up	| INTERCEPT_CONSUMES	| invalid end state
 * case: R4: state stored after the flag's test	| STATE_LAST NO_STICKY	| invalid end state
 * case: R4: START without a second look	| ORIGINAL ONE_LOOK	| invalid end state
 * case: R4: a late STOP is reported		| ORIGINAL NO_RESTART	| assertion violated
 */
#define FIRST_OWNER 1
byte exits;
bool after; /* the cancelled run is over */
#define GUEST_EXITS (exits < 2 || after)
#if defined(ORIGINAL) || defined(NO_STICKY)
#define CANCEL_NOT_STICKY
#endif
#include "vp.pml"

bool flag, running;
byte cancels;
mtype:event = { INTERCEPTED, WAS_CANCELLED };

inline take_flag()
{
	d_step {
		wanted = flag;
		flag = false
	}
}

inline send_stop()
{
#ifdef ORIGINAL
	claim_stop(1)
#else
	claim_cancel(1)
#endif
}

inline launch_and_wait()
{
	thread_done = false;
#ifdef ORIGINAL
	begin(1, NOBODY, true);
#ifndef ONE_LOOK
	if
	:: flag -> send_stop()
	:: else
	fi;
#endif
	finished[1];
	LOCK;
	take(1);
	UNLOCK
#else
	begin(1, THREAD, true);
	if
	:: error == SUCCESS -> thread_done
	:: else -> assert(error == ECANCELED)
	fi
#endif
}

/* request.c and run.c: sets event. */
inline run_vp()
{
	do
	::
#ifndef STATE_LAST
		running = true;
#endif
		take_flag();
		if
		:: wanted ->
			event = WAS_CANCELLED;
			break
		:: else
		fi;
#ifdef STATE_LAST
		running = true;
#endif
		launch_and_wait();
		running = false;
		if
		:: error == SUCCESS && outcome == INTERCEPT ->
#ifdef INTERCEPT_CONSUMES
			flag = false;
#endif
			exits = (exits < 2 -> exits + 1 : exits);
			event = INTERCEPTED;
			break
		:: else
		fi;
		take_flag();
		if
		:: wanted ->
			event = WAS_CANCELLED;
			break
		:: else ->
#ifdef NO_RESTART
			event = WAS_CANCELLED;
			break
#else
			skip /* a STOP for an earlier run */
#endif
		fi
	od;
	running = false
}

active proctype vmm()
{
	mtype:errno error;
	mtype:event event = INTERCEPTED;
	bool wanted;

	do
	:: event == WAS_CANCELLED -> break
	:: else -> run_vp()
	od;
	assert(cancels == 1);
	after = true;
	run_vp();
	assert(event == INTERCEPTED)
}

active proctype canceller()
{
	cancels++;
#ifndef NO_FLAG
	flag = true;
#endif
	if
	:: running -> send_stop()
	:: else
	fi
}

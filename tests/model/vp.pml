// SPDX-License-Identifier: MIT
/*
 * One VP: the steps of driver/claim.c under its lock, and the loop of kernel/dispatch.c. The models
 * that include this say who calls them. Names are those of the C code; docs/protocol.md has the
 * table of states.
 *
 * Shared with the CPU, so each access is a step of its own: status, request, response, reset. What
 * scan_lock guards changes in one step. Not here: the tick that looks at every busy VP each 100 ms
 * (it would hide a lost interrupt; doorbell.pml and quiet.pml say why none is lost) and several
 * VPs (they share the lock and nothing else; two CPUs on one interrupt are in doorbell.pml).
 */
#ifndef FIRST_OWNER
#define FIRST_OWNER 0
#endif

mtype:status = { IDLE, RUN, STOP, REMOVE, REMOVED };
mtype:claim = {
	AVAIL, CLAIMING, SYNC, SYNC_STOPPING, ASYNC, ASYNC_STOPPING, ASYNC_STOPPED, CLOSING, GONE
};
mtype:waiter = { NOBODY, THREAD, RING };
mtype:errno = { SUCCESS, EINTR, EBUSY, ENOENT, ECANCELED, ETIMEDOUT };
mtype:outcome = { NOTHING, INTERCEPT, STOPPED, DONE };

mtype:status status = IDLE;
bool request;	 /* interrupts, pending */
bool response;
bool reset;	 /* INIT: the CPU does nothing any more */
mtype:outcome outcome = NOTHING; /* in the page; valid while IDLE */

bool scan_lock;
mtype:claim claim = AVAIL;
byte owner = FIRST_OWNER; /* a file's number; 0 = nobody */
byte releaser;		  /* who gives the claim up: a file's number, or MOVER */
bool busy, cancelled, runs_guest, failing, failed;
mtype:waiter waiter = NOBODY;
bool finished[3], failed_result[3]; /* what read() will find, by file */
bool thread_done;		    /* the waiter of a RUN */
mtype:errno thread_error = SUCCESS;
byte ring_completions;
mtype:errno ring_error = SUCCESS;

/* What is true, for the assertions. */
byte launched, executed, ended;
bool executing, parked, ended_cpu;
bool looked_idle, swapped; /* results of inlines, under scan_lock */

#define MOVER 9

#define LOCK atomic { !scan_lock -> scan_lock = true }
#define UNLOCK scan_lock = false

#define IN_FLIGHT (claim == SYNC || claim == SYNC_STOPPING || \
		   claim == ASYNC || claim == ASYNC_STOPPING)
#define IS_STOPPING (claim == SYNC_STOPPING || claim == ASYNC_STOPPING)

/* Whether the guest may exit by itself; a model that needs an endless one says so. */
#ifndef GUEST_EXITS
#define GUEST_EXITS true
#endif
#ifndef CPU_DIES
#define CPU_DIES false
#endif

/* ---- the sidecar CPU ------------------------------------------------------------------------- */

active proctype sidecar_cpu()
{
	{
		do
		::
			do
			:: status == IDLE ->
end_halted:
				request;
				request = false
			:: CPU_DIES ->
end_dead:
				false
			:: status != IDLE ->
				break
			od;
			if
			:: status == REMOVE ->
				atomic {
					parked = true;
					status = REMOVED
				};
				response = true;
end_parked:
				false
			:: else ->
				assert(status == RUN || status == STOP)
			fi;
			executing = true;
#ifndef DRAIN_LATE
			request = false; /* arch_drain */
#endif
			if
			:: runs_guest ->
				do
				:: status == STOP ->
					outcome = STOPPED;
					break
				:: else ->
#ifdef DRAIN_LATE
					request = false;
#endif
					/* In the guest; what is pending ends it at once. */
					if
					:: request -> request = false
					:: GUEST_EXITS ->
						outcome = INTERCEPT;
						break
					:: CPU_DIES -> goto end_dead
					fi
				od
			:: !runs_guest && !CPU_DIES ->
				outcome = DONE
			:: !runs_guest && CPU_DIES ->
				if
				:: outcome = DONE
				:: goto end_dead
				fi
			fi;
			atomic {
				assert(!failed);
				executed++;
				executing = false;
				status = IDLE
			};
			response = true
		od
	} unless {
		reset -> ended_cpu = true
	}
}

/* ---- what ends a command; under scan_lock ---------------------------------------------------- */

inline finish(why)
{
	d_step {
		assert(IN_FLIGHT && ended < launched);	     /* nothing ends twice */
		assert(why == ETIMEDOUT || executed == launched); /* R1 */
		ended++;
		busy = false;
		if
		:: claim == SYNC || claim == SYNC_STOPPING ->
			thread_error = (releaser && why == SUCCESS -> EINTR : why);
			thread_done = true;
			claim = AVAIL
		:: waiter == RING ->
			ring_error = (releaser && IS_STOPPING && why == SUCCESS -> ECANCELED : why);
			ring_completions++;
			claim = AVAIL
		:: else ->
			if
			:: why == SUCCESS ->
				claim = ASYNC_STOPPED;
				finished[owner] = true
			:: else ->
				claim = AVAIL;
				failed_result[owner] = true
			fi
		fi;
		waiter = NOBODY
	}
}

inline look()
{
	/* Another status would block here for ever. */
	if
	:: status == IDLE ->
		finish(SUCCESS);
		looked_idle = true
	:: status == RUN || status == STOP ->
		looked_idle = false
	fi
}

inline stop()
{
	if
	:: IN_FLIGHT && !IS_STOPPING && !failing ->
#ifdef STOP_IN_GAP
		looked_idle = false;
#else
		look();
#endif
		if
		:: looked_idle
		:: else ->
			atomic {
				swapped = (status == RUN);
				if
				:: swapped -> status = STOP
				:: else
				fi
			};
			if
			:: swapped ->
				claim = (claim == SYNC -> SYNC_STOPPING : ASYNC_STOPPING);
				request = true
			:: else ->
#ifdef STOP_IN_GAP
				skip /* "it has ended by itself" */
#else
				look()
#endif
			fi
		fi
	:: else
	fi
}

inline in_flight_now(kind)
{
	waiter = kind;
	claim = (kind == THREAD -> SYNC : ASYNC);
	busy = true
}

/* Sets error. */
inline launch(kind, is_run)
{
	runs_guest = is_run;
	if
	:: is_run && cancelled ->
		cancelled = false;
		error = ECANCELED
	:: else ->
		error = SUCCESS;
#ifdef CLAIM_FIRST
		in_flight_now(kind);
		UNLOCK;
		LOCK;
#endif
#ifdef STOP_IN_GAP
		claim = (kind == THREAD -> SYNC : ASYNC);
		UNLOCK;
		LOCK;
#endif
		atomic {
			assert(status == IDLE);
			launched++;
			status = RUN
		};
#ifndef CLAIM_FIRST
		atomic {
			in_flight_now(kind)
		};
#endif
		request = true
	fi
}

/* The completion interrupt. needs_attention is doorbell.pml's. */
active proctype handler()
{
end_waiting:
	do
	:: response ->
		response = false;
		LOCK;
		if
		:: busy -> look()
		:: else
		fi;
		UNLOCK
	od
}

/* ---- callers; each takes the lock ------------------------------------------------------------ */

/* startable(): sets error. */
inline startable(file)
{
	if
	:: claim == GONE -> error = ENOENT
	:: claim != GONE && failed -> error = ETIMEDOUT
	:: claim != GONE && !failed && (claim != AVAIL || failing) -> error = EBUSY
#ifndef NO_RELEASER
	:: claim == AVAIL && !failed && releaser -> error = EBUSY
#endif
	:: else -> error = (owner && owner != file -> EBUSY : SUCCESS)
	fi
}

inline begin(file, kind, is_run)
{
	LOCK;
	startable(file);
	if
	:: error == SUCCESS && owner == file -> launch(kind, is_run)
	:: error == SUCCESS && owner != file -> error = EBUSY /* closed in between */
	:: else
	fi;
	UNLOCK
}

inline claim_own(file)
{
	LOCK;
	startable(file);
	if
	:: error == SUCCESS && owner != file ->
		atomic {
			owner = file;
			claim = CLAIMING
		};
		UNLOCK;
		assert(status == IDLE && !executing); /* zap and bind: the VP is nobody else's */
		LOCK;
		claim = AVAIL
	:: else
	fi;
	UNLOCK
}

inline claim_stop(file)
{
	LOCK;
	if
	:: owner == file && claim == ASYNC -> stop()
	:: else
	fi;
	UNLOCK
}

inline claim_cancel(file)
{
	LOCK;
	if
	:: owner == file ->
#ifndef CANCEL_NOT_STICKY
		cancelled = cancelled || !IN_FLIGHT || !runs_guest;
#endif
		stop()
	:: else
	fi;
	UNLOCK
}

/* Under scan_lock. */
inline take(file)
{
	d_step {
		if
		:: finished[file] && claim == ASYNC_STOPPED -> claim = AVAIL
		:: else
		fi;
		finished[file] = false;
		failed_result[file] = false
	}
}

/* ->flush of the last descriptor. */
inline release(file)
{
	LOCK;
	if
	:: owner == file && !releaser ->
		releaser = file;
#ifndef CLOSE_DOES_NOT_STOP
		stop()
#endif
	:: else
	fi;
	UNLOCK;
	if
	:: releaser == file ->
#ifndef CLOSE_DOES_NOT_WAIT
		/* begin_closing(); the wait looks again at every change */
		atomic {
			!scan_lock && (claim == AVAIL || claim == ASYNC_STOPPED || claim == GONE) &&
				!failing ->
			finished[file] = false;
			failed_result[file] = false;
			claim = (claim == GONE -> GONE : CLOSING)
		};
#endif
		assert(!busy && !executing); /* scrub: nobody else touches the pages */
		LOCK;
		d_step {
			owner = 0;
			releaser = 0;
			cancelled = false;
			claim = (claim == CLOSING -> AVAIL : claim)
		};
		UNLOCK
	:: else ->
		owner != file /* a RESET has come first, and takes it from the file */
	fi
}

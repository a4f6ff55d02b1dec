// SPDX-License-Identifier: MIT
/*
 * Two sidecar CPUs, one completion interrupt that coalesces, and needs_attention (R2, R11).
 *
 * A CPU halts until an interrupt is pending, whoever sent it. Linux's interrupt is one pending bit,
 * set by either CPU and by strangers. Whether or not a driver trusts needs_attention, no completion
 * may be left: ours scans always (the tick that would find a lost one 100 ms later is left out);
 * -DTRUSTS_FLAG is a driver that skips a node whose flag is 0, which the protocol allows.
 *
 * case: R2: every completion is found			|			| ok
 * case: R2: also by a driver that trusts the flag	| TRUSTS_FLAG		| ok
 * case: R2: flag cleared after the scan		| TRUSTS_FLAG FLAG_LAST	| invalid end state
 * case: R2: interrupt before the flag			| TRUSTS_FLAG RING_FIRST | invalid end state
 * case: R2: interrupt before the status byte		| STATUS_LAST		| invalid end state
 * case: R11: halt without a last look			| SLEEPS_BLINDLY	| invalid end state
 * case: R11: an interrupt taken for a request		| WAKE_IS_REQUEST	| assertion violated
 */
#define CPUS 2
#define ROUNDS 2

mtype:status = { IDLE, RUN };

mtype:status status[CPUS] = IDLE;
bool request[CPUS];   /* pending at the sidecar CPU */
bool response;	      /* pending at Linux */
bool needs_attention;
bool busy[CPUS];      /* on the driver's list */
byte executed[CPUS];
byte found[CPUS];

proctype sidecar_cpu(byte me)
{
	do
	::
#ifdef SLEEPS_BLINDLY
		/* The look with interrupts on: one that arrives before the halt is taken here. */
		if
		:: status[me] == IDLE ->
			request[me] = false;
end_blind:
			request[me]
		:: else
		fi
#else
		do
		:: status[me] == IDLE ->
end_halted:
			request[me]; /* sti; hlt: what is pending ends it at once */
			request[me] = false
#ifdef WAKE_IS_REQUEST
			;
			break
#endif
		:: else ->
			break
		od
#endif
		;
		if
		:: status[me] != RUN ->
#ifdef WAKE_IS_REQUEST
			assert(false) /* executes what nobody asked for */
#else
			skip
#endif
		:: else ->
			request[me] = false; /* arch_drain */
			executed[me]++;
#ifdef STATUS_LAST
			needs_attention = true;
			response = true;
			status[me] = IDLE
#else
			status[me] = IDLE;
#ifdef RING_FIRST
			response = true;
			needs_attention = true
#else
			needs_attention = true;
			response = true
#endif
#endif
		fi
	od
}

inline look(cpu)
{
	if
	:: busy[cpu] && status[cpu] == IDLE ->
		assert(executed[cpu] == found[cpu] + 1); /* R1 */
		found[cpu]++;
		busy[cpu] = false
	:: else
	fi
}

/* An edge: acknowledged first, so one that comes meanwhile is handled again. */
active proctype handler()
{
end_waiting:
	do
	:: response ->
		response = false;
#ifdef TRUSTS_FLAG
		if
		:: !needs_attention -> goto end_waiting
		:: else
		fi;
#endif
#ifndef FLAG_LAST
		needs_attention = false;
#endif
		look(0);
		look(1)
#ifdef FLAG_LAST
		;
		needs_attention = false
#endif
	od
}

proctype user(byte cpu)
{
	byte round;

	do
	:: round == ROUNDS - cpu -> break
	:: else ->
		atomic {
			assert(!busy[cpu] && status[cpu] == IDLE);
			busy[cpu] = true;
			status[cpu] = RUN
		}
		request[cpu] = true;
		!busy[cpu]; /* for ever, if the completion is lost */
		round++
	od
	assert(found[cpu] == round && executed[cpu] == round)
}

/* Linux's broadcasts reach sidecar CPUs, and anybody may use a vector. */
active proctype stranger()
{
	request[0] = true;
	response = true
}

init
{
	atomic {
		run sidecar_cpu(0);
		run sidecar_cpu(1);
		run user(0);
		run user(1)
	}
}

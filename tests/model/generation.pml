// SPDX-License-Identifier: MIT
/*
 * Guest memory under a CPU that runs (R17). One page, mapped, unmapped while the VP runs, maps
 * again with another page, unmapped again; the CPU may keep what it has translated until a flush.
 *
 *   driver (partition.c)                    CPU (run.c)
 *   clear the nested entry                  take RUN: publish the generation
 *   raise generation; full barrier          before each entry: read generation; changed: flush
 *   kick, if it executes and has not seen   store generation_seen
 *   wait: IDLE or generation_seen is new    enter; an interrupt ends the guest
 *   unpin
 *
 * The guest reaches the page at any moment: through the translation that it has, or by a walk.
 * Both must lead to pinned memory. The driver's store of generation and its load of the status byte
 * are a pair of the kind that a store buffer breaks, so it has one (tso.pml).
 *
 * case: R17: no translation outlives its page		|			| ok
 * case: R17: an unmap ends				|			| ok			| unmap_ends
 * case: R17: unpinned before the new generation	| UNPIN_FIRST		| assertion violated
 * case: R17: entry cleared after the new generation	| CLEAR_LAST		| assertion violated
 * case: R17: no barrier between generation and status	| NO_BARRIER		| assertion violated
 * case: R17: no kick					| NO_KICK		| acceptance cycle	| unmap_ends
 * case: R17: seen without a flush			| NO_FLUSH		| assertion violated
 * case: R17: seen is stored at the exit of the old	| SEEN_AT_EXIT		| assertion violated
 * case: R17: an idle CPU does not look			| NO_LOOK_AT_BEGIN	| assertion violated
 */
#include "tso.pml"

#define ROUNDS 2

mtype:status = { IDLE, RUN };

mtype:status status = IDLE;
bool request;
byte generation = 1, generation_slot, generation_seen = 1;
bool generation_buffered;
byte entry;	 /* nested entry: 0 = none, else the page's number */
bool pinned[4];
byte cached;	 /* what the CPU's TLB has for it, 0 = nothing */
bool starting = true, unmapping = true;

/* A guest that never exits by itself delays no unmap. */
ltl unmap_ends { <> !unmapping }

active proctype driver_buffer()
{
end_empty:
	do
	:: DRAIN(generation)
	od
}

#define HAS_PASSED (status == IDLE || generation_seen == new)

inline unpin(page)
{
	pinned[page] = false
}

active proctype partition()
{
	byte round, page, new = 1;

	do
	:: round == ROUNDS -> break
	:: else ->
		round++;
		page = round;
		pinned[page] = true;
		entry = page; /* was absent: no flush */
		new++;
#ifdef UNPIN_FIRST
		entry = 0;
		unpin(page);
#endif
#ifdef CLEAR_LAST
		STORE(generation, new);
		BARRIER(generation);
#else
		entry = 0;
		STORE(generation, new);
#ifndef NO_BARRIER
		BARRIER(generation);
#endif
#endif
#ifndef NO_KICK
		if
		:: HAS_PASSED
		:: else -> request = true
		fi;
#endif
		HAS_PASSED;
#ifdef CLEAR_LAST
		entry = 0;
#endif
		BARRIER(generation); /* the lock that the unpinning takes, at the latest */
		unpin(page)
	od;
	unmapping = false
}

/* Starts commands as long as memory comes and goes. */
active proctype caller()
{
	byte commands;

	do
	:: unmapping && commands < 2 && status == IDLE ->
		commands++;
		status = RUN;
		request = true
	:: !unmapping || commands == 2 ->
		break
	od;
	starting = false
}

inline publish_generation()
{
	looked = generation;
	if
	:: looked != own ->
#ifndef NO_FLUSH
		cached = 0;
#endif
		own = looked
	:: else
	fi;
	generation_seen = looked
}

inline guest_access()
{
	d_step {
		if
		:: cached == 0 -> cached = entry
		:: else
		fi;
		assert(cached == 0 || pinned[cached])
	}
}

active proctype sidecar_cpu()
{
	byte looked, own = 1;

	do
	::
		do
		:: status == IDLE ->
end_halted:
			request;
			request = false
		:: status == RUN ->
			break
		od;
#ifndef NO_LOOK_AT_BEGIN
		publish_generation();
#endif
		do
		::
#ifdef SEEN_AT_EXIT
			looked = generation;
			generation_seen = looked;
#else
#ifndef NO_LOOK_AT_BEGIN
			publish_generation();
#endif
#endif
			/* In the guest: until an interrupt, or an intercept below. */
			do
			:: !request ->
				guest_access()
			:: request ->
				request = false;
				break
			:: goto intercept
			od
		od;
intercept:
		status = IDLE
	od
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may use a VP, and what it is doing.
 *
 * Three things say it, and only this file changes them: the claim (enum scdrv_claim), the owner,
 * and the status byte that the sidecar CPU shares. All three change under node->scan_lock, so
 * nobody sees one without the others:
 *
 *   claim           owner   status       what changes it
 *   REMOVED         any     not ours     hotplug only
 *   AVAIL           any     IDLE         START, RUN, close, hotplug
 *   CLAIMING        new     IDLE         own() goes on: zap mappings, bind memory; then AVAIL
 *   ASYNC, SYNC     set     RUN -> IDLE  the scan, STOP, CANCEL, a signal, close, a deadline
 *   *_STOPPING      set     STOP -> IDLE the scan, a deadline
 *   ASYNC_STOPPED   set     IDLE         read(), close
 *   CLOSING         any     any          release_vp() goes on: scrub, unbind; then AVAIL, no owner;
 *                                        or move.c has the VP: it is parked, or starting
 *
 * A VP with a command in flight is on node->busy. The completion interrupt clears needs_attention
 * first and then looks at the status byte of each of them (R2); the status byte was RUN before the
 * VP came to the list (R1). What ends goes to its only waiter: the thread in RUN, a ring's request
 * (uring.c), or the bit maps of the owner's file, whose readers take turns (R3). A ring's request
 * is ASYNC with a waiter; it leaves nothing to be read, so AVAIL follows at once.
 *
 * While a VP is busy a timer looks at deadlines. A command that is not RUN_VP gets a deadline, a
 * STOP gets one; the first is answered with a STOP, the second with a reset of the CPU by
 * fail_work, and ETIMEDOUT for the waiter (R9).
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>

#include "claim.h"
#include "partition.h"
#include "trace.h"

#define SIGNAL_GRACE_MS 20 /* R5: a register command takes microseconds */
#define TICK_MAX_MS 100
#define SLOW_FACTOR 2 /* asleep, a command takes the wake-up's time longer */
#define MXCSR_MASK 0xffffu /* every bit that FXRSTOR accepts; APM vol. 2, 11.5.9 */

/* ---- a command in flight; all under scan_lock ------------------------------------------------ */

static bool in_flight(const struct scdrv_vp *vp)
{
	switch (vp->claim) {
	case SCDRV_SYNC:
	case SCDRV_SYNC_STOPPING:
	case SCDRV_ASYNC:
	case SCDRV_ASYNC_STOPPING:
		return true;
	}
	return false;
}

static bool is_sync(const struct scdrv_vp *vp)
{
	return vp->claim == SCDRV_SYNC || vp->claim == SCDRV_SYNC_STOPPING;
}

static bool is_stopping(const struct scdrv_vp *vp)
{
	return vp->claim == SCDRV_SYNC_STOPPING || vp->claim == SCDRV_ASYNC_STOPPING;
}

static void set_claim(struct scdrv_vp *vp, enum scdrv_claim claim)
{
	shm_write(&vp->claim, claim);
}

static void set_deadline(struct scdrv_vp *vp)
{
	vp->deadline = jiffies + msecs_to_jiffies(scdrv_timeout_ms);
	vp->has_deadline = true;
}

static unsigned long next_tick(void)
{
	unsigned int ms = min_t(unsigned int, TICK_MAX_MS, scdrv_timeout_ms / 4);

	return jiffies + max(msecs_to_jiffies(ms), 1ul);
}

static void add_result(struct scdrv_file *file, unsigned long *map, struct scdrv_vp *vp)
{
	if (!__test_and_set_bit(vp->index, map))
		WRITE_ONCE(file->results, file->results + 1);
	wake_up_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
}

static void drop_result(struct scdrv_file *file, unsigned long *map, struct scdrv_vp *vp)
{
	if (__test_and_clear_bit(vp->index, map))
		WRITE_ONCE(file->results, file->results - 1);
}

static void finish_sync(struct scdrv_vp *vp, int error)
{
	vp->waiter->error = error;
	WRITE_ONCE(vp->waiter->done, true);
	vp->waiter = NULL;
	set_claim(vp, SCDRV_AVAIL);
}

static void finish_async(struct scdrv_vp *vp, int error)
{
	set_claim(vp, error ? SCDRV_AVAIL : SCDRV_ASYNC_STOPPED);
	add_result(vp->owner, error ? vp->owner->failed : vp->owner->finished, vp);
}

/* ECANCELED only if the closer's STOP reached a CPU that was still executing the command. */
static void finish_ring(struct scdrv_vp *vp, int error)
{
	struct scdrv_waiter *waiter = vp->waiter;

	waiter->error = vp->releaser && is_stopping(vp) && !error ? -ECANCELED : error;
	vp->waiter = NULL;
	set_claim(vp, SCDRV_AVAIL);
	waiter->end(waiter);
}

static void finish(struct scdrv_vp *vp, int error)
{
	list_del_init(&vp->busy);
	vp->has_deadline = false;
	if (is_sync(vp))
		finish_sync(vp, vp->releaser && !error ? -EINTR : error);
	else if (vp->waiter)
		finish_ring(vp, error);
	else
		finish_async(vp, error);
	trace_complete(vp, error);
	wake_up_all(&vp->wait);
}

/* The CPU will be reset by fail_work, because that may sleep. */
static void fail_later(struct scdrv_vp *vp, const char *reason)
{
	if (vp->failing)
		return;
	vp->failing = true;
	vp->failing_reason = reason;
	list_move_tail(&vp->busy, &vp->node->failing);
	queue_work(system_unbound_wq, &vp->node->fail_work);
}

/* Ends a command whose CPU is IDLE. False while the CPU still executes it. */
static bool look(struct scdrv_vp *vp)
{
	switch (scdrv_status(vp)) {
	case SIDECAR_STATUS_IDLE:
		finish(vp, 0);
		return true;
	case SIDECAR_STATUS_RUN:
	case SIDECAR_STATUS_STOP:
		return false;
	}
	fail_later(vp, "has an impossible status");
	return true;
}

static void stop(struct scdrv_vp *vp)
{
	if (!in_flight(vp) || is_stopping(vp) || vp->failing || look(vp))
		return;
	set_deadline(vp);
	if (!shm_cas_u8(vp->status, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP)) {
		look(vp); /* it has ended by itself */
		return;
	}
	set_claim(vp, is_sync(vp) ? SCDRV_SYNC_STOPPING : SCDRV_ASYNC_STOPPING);
	trace_stop(vp, 0);
	scdrv_kick(vp);
}

/* Publishes the command; the CPU is IDLE and the VP AVAIL and owned. */
static int launch(struct scdrv_vp *vp, struct scdrv_waiter *waiter)
{
	/* Read once. A user who lies about it meets the deadline, and the STOP that it brings. */
	u32 command = shm_read(&vp->command->command);

	vp->has_deadline = false;
	vp->code = command;
	vp->runs_guest = command == SIDECAR_COMMAND_RUN_VP;
	if (vp->runs_guest && vp->cancelled) {
		vp->cancelled = false;
		return -ECANCELED;
	}
	if (!vp->runs_guest)
		set_deadline(vp);
	shm_write(&vp->state->quiet, waiter && waiter->watches);
	if (!shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_RUN)) {
		fail_later(vp, "has an impossible status");
		return -EIO;
	}
	vp->waiter = waiter;
	set_claim(vp, waiter && !waiter->end ? SCDRV_SYNC : SCDRV_ASYNC);
	list_add_tail(&vp->busy, &vp->node->busy);
	if (!timer_pending(&vp->node->tick))
		mod_timer(&vp->node->tick, next_tick());
	trace_start(vp, 0);
	scdrv_kick(vp);
	return 0;
}

/* ---- what ends commands ---------------------------------------------------------------------- */

void scdrv_node_scan(struct scdrv_node *node)
{
	struct scdrv_vp *vp, *next;
	unsigned long flags;

	spin_lock_irqsave(&node->scan_lock, flags);
	shm_exchange(&node->control->needs_attention, 0); /* before the scan: R2 */
	if (node->claimable) {
		list_for_each_entry_safe(vp, next, &node->busy, busy)
			look(vp);
	}
	spin_unlock_irqrestore(&node->scan_lock, flags);
	wake_up_all(&node->wait);
}

/* Nobody can have the completion any more, and a guest may run for ever. */
static bool is_orphaned(const struct scdrv_vp *vp)
{
	return vp->waiter && vp->waiter->is_orphaned && vp->waiter->is_orphaned(vp->waiter);
}

static void check_deadline(struct scdrv_vp *vp)
{
	if (look(vp))
		return;
	if (is_orphaned(vp) && !is_stopping(vp))
		stop(vp);
	if (shm_read(&vp->state->cpu_state) == SIDECAR_CPU_FAULTED)
		fail_later(vp, "took a fault in the sidecar kernel");
	else if (!vp->has_deadline || time_before(jiffies, vp->deadline))
		return;
	else if (is_stopping(vp))
		fail_later(vp, "did not answer STOP");
	else
		stop(vp);
}

static void tick(struct timer_list *timer)
{
	struct scdrv_node *node = from_timer(node, timer, tick);
	struct scdrv_vp *vp, *next;
	unsigned long flags;

	spin_lock_irqsave(&node->scan_lock, flags);
	list_for_each_entry_safe(vp, next, &node->busy, busy)
		check_deadline(vp);
	if (!list_empty(&node->busy))
		mod_timer(&node->tick, next_tick());
	spin_unlock_irqrestore(&node->scan_lock, flags);
}

static struct scdrv_vp *next_failing(struct scdrv_node *node)
{
	struct scdrv_vp *vp;
	unsigned long flags;

	spin_lock_irqsave(&node->scan_lock, flags);
	vp = list_first_entry_or_null(&node->failing, struct scdrv_vp, busy);
	if (vp)
		list_del_init(&vp->busy);
	spin_unlock_irqrestore(&node->scan_lock, flags);
	return vp;
}

static void fail_now(struct scdrv_vp *vp)
{
	unsigned long flags;

	scdrv_vp_fail(vp, vp->failing_reason);
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	vp->failing = false;
	if (in_flight(vp))
		finish(vp, -ETIMEDOUT);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

static void fail_work(struct work_struct *work)
{
	struct scdrv_node *node = container_of(work, struct scdrv_node, fail_work);
	struct scdrv_vp *vp;

	while ((vp = next_failing(node)))
		fail_now(vp);
}

void scdrv_claim_fail(struct scdrv_vp *vp, const char *reason)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (in_flight(vp))
		fail_later(vp, reason);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	wait_event(vp->wait, !READ_ONCE(vp->failing));
}

void scdrv_claim_kick(struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (in_flight(vp) && !vp->failing)
		scdrv_kick(vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* ---- ownership ------------------------------------------------------------------------------- */

static bool shut; /* under every scan_lock */

/* Whether this file may start a command now; under scan_lock. */
static int startable(const struct scdrv_file *file, const struct scdrv_vp *vp)
{
	if (vp->claim == SCDRV_REMOVED || shut)
		return -ENOENT;
	if (shm_read(&vp->failed))
		return -ETIMEDOUT;
	if (vp->claim != SCDRV_AVAIL || vp->failing || vp->releaser)
		return -EBUSY;
	return vp->owner && vp->owner != file ? -EBUSY : 0;
}

/* Under scan_lock and map_lock. The partition's reference is the VP's from here on. */
static struct scdrv_partition *set_owner(struct scdrv_file *file, struct scdrv_vp *vp)
{
	vp->owner = file;
	vp->claimer = current->files;
	vp->claimer_pid = task_tgid_nr(current);
	file->claims++;
	set_claim(vp, SCDRV_CLAIMING);
	trace_claim(vp);
	return file->partition ? scdrv_partition_get(file->partition) : NULL;
}

/* The owner's pages come back by fault; everybody else's fault gets SIGBUS. */
static void zap_mappings(struct scdrv_vp *vp)
{
	unmap_mapping_range(vp->node->map_file->f_mapping,
			    (loff_t)vp->index * SIDECAR_PER_CPU_SHMEM, SIDECAR_PER_CPU_SHMEM, 1);
}

static void set_claim_locked(struct scdrv_vp *vp, enum scdrv_claim claim)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	set_claim(vp, claim);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

int scdrv_claim_own(struct scdrv_file *file, struct scdrv_vp *vp)
{
	struct scdrv_partition *partition = NULL;
	unsigned long flags;
	int error;

	if (scdrv_claim_is_owner(file, vp))
		return 0;
	down_write(&vp->node->map_lock); /* a fault in progress inserts before the zap */
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	error = startable(file, vp);
	if (!error && vp->owner == file)
		error = -EALREADY;
	if (!error)
		partition = set_owner(file, vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	up_write(&vp->node->map_lock);
	if (error)
		return error == -EALREADY ? 0 : error;

	zap_mappings(vp);
	scdrv_partition_bind(partition, vp);
	set_claim_locked(vp, SCDRV_AVAIL);
	return 0;
}

/* Starts a command of a claimed VP. waiter: NULL for START. */
static int begin(struct scdrv_file *file, struct scdrv_vp *vp, struct scdrv_waiter *waiter)
{
	unsigned long flags;
	int error;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	error = startable(file, vp);
	if (!error && !vp->owner)
		error = -EBUSY; /* closed in between */
	/* Only the claimer's close would end it, and the file lives as long as it is pending. */
	if (!error && waiter && waiter->end && vp->claimer != current->files)
		error = -EBUSY;
	if (!error)
		error = launch(vp, waiter);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return error;
}

int scdrv_claim_attach(struct scdrv_file *file, struct scdrv_partition *partition)
{
	struct scdrv_partition *old = NULL;
	unsigned long flags;
	int error = 0;

	spin_lock_irqsave(&file->node->scan_lock, flags);
	if (file->claims) {
		error = -EBUSY;
	} else {
		old = file->partition;
		file->partition = partition;
	}
	spin_unlock_irqrestore(&file->node->scan_lock, flags);
	scdrv_partition_put(old);
	return error;
}

/* ---- START, RUN, a ring's request, STOP, CANCEL ---------------------------------------------- */

int scdrv_claim_start(struct scdrv_file *file, struct scdrv_vp *vp)
{
	return begin(file, vp, NULL);
}

int scdrv_claim_submit(struct scdrv_file *file, struct scdrv_vp *vp, struct scdrv_waiter *waiter)
{
	return begin(file, vp, waiter);
}

/* R5. True when the command had to be stopped. */
static bool stop_after_signal(struct scdrv_vp *vp, struct scdrv_waiter *waiter)
{
	unsigned long flags;
	bool stopped;

	if (wait_event_timeout(vp->wait, READ_ONCE(waiter->done),
			       msecs_to_jiffies(SIGNAL_GRACE_MS)))
		return false;
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	stopped = !waiter->done;
	if (stopped)
		stop(vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	wait_event(vp->wait, READ_ONCE(waiter->done)); /* bounded by the deadline of the STOP */
	return stopped;
}

static void look_locked(struct scdrv_vp *vp, const struct scdrv_waiter *waiter)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (!waiter->done && !vp->failing)
		look(vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

static u64 spin_ns(void)
{
	return scdrv_spin_us * (u64)NSEC_PER_USEC;
}

/* Whether the watcher should go on; anybody else who wants this CPU comes first. */
static bool may_watch(const struct scdrv_waiter *waiter, u64 end)
{
	return !READ_ONCE(waiter->done) && !need_resched() && !signal_pending(current) &&
	       ktime_get_ns() < end;
}

/*
 * A command that ends within a few microseconds costs less watched than slept for: no interrupt, no
 * scheduler. The CPU was told by quiet, before RUN, that nobody needs its notification; taking that
 * back and looking once more closes the gap (the exchange pairs with the kernel's, see dispatch.c).
 */
static void watch(struct scdrv_vp *vp, struct scdrv_waiter *waiter)
{
	u64 end = ktime_get_ns() + spin_ns();

	while (may_watch(waiter, end) && scdrv_status(vp) != SIDECAR_STATUS_IDLE)
		cpu_relax();
	shm_exchange(&vp->state->quiet, 0);
	look_locked(vp, waiter);
}

int scdrv_claim_run(struct scdrv_file *file, struct scdrv_vp *vp)
{
	/* Whoever took longer than the watch last time would only be watched in vain again. */
	struct scdrv_waiter waiter = {.watches = scdrv_spin_us && !READ_ONCE(vp->slow)};
	u64 start = ktime_get_ns();
	bool stopped = false;
	unsigned long flags;
	int error;

	error = begin(file, vp, &waiter);
	if (error)
		return error;
	if (waiter.watches)
		watch(vp, &waiter);
	if (wait_event_interruptible(vp->wait, READ_ONCE(waiter.done)))
		stopped = stop_after_signal(vp, &waiter);
	WRITE_ONCE(vp->slow, ktime_get_ns() - start > SLOW_FACTOR * spin_ns());
	/* Whoever set done may still be using the waiter inside the lock. */
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	error = waiter.error;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return error ? error : stopped ? -EINTR : 0;
}

/* The original's answers: no error in any state between START and read(). */
int scdrv_claim_stop(struct scdrv_file *file, struct scdrv_vp *vp)
{
	unsigned long flags;
	int error = 0;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (vp->owner != file)
		error = -EINVAL;
	else if (vp->claim == SCDRV_ASYNC)
		stop(vp);
	else if (vp->claim != SCDRV_ASYNC_STOPPING && vp->claim != SCDRV_ASYNC_STOPPED)
		error = -EINVAL;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return error;
}

/* Sticky, so that a caller of RUN, which cannot be left, may have looked at its own flag before. */
void scdrv_claim_cancel(struct scdrv_file *file, struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (vp->owner == file) {
		vp->cancelled |= !in_flight(vp) || !vp->runs_guest;
		stop(vp);
	}
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* ---- results --------------------------------------------------------------------------------- */

int scdrv_claim_peek(struct scdrv_file *file, struct scdrv_vp **vp)
{
	struct scdrv_node *node = file->node;
	unsigned long flags, index;
	int result = 0;

	spin_lock_irqsave(&node->scan_lock, flags);
	index = find_first_bit(file->finished, node->cpu_count);
	if (index < node->cpu_count) {
		result = 1;
	} else {
		index = find_first_bit(file->failed, node->cpu_count);
		if (index < node->cpu_count)
			result = -ETIMEDOUT;
	}
	if (result)
		*vp = &node->vps[index];
	spin_unlock_irqrestore(&node->scan_lock, flags);
	return result;
}

/* Close or another take may have been here since the peek; then there is nothing left to do. */
void scdrv_claim_take(struct scdrv_file *file, struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (test_bit(vp->index, file->finished) && vp->claim == SCDRV_ASYNC_STOPPED)
		set_claim(vp, SCDRV_AVAIL);
	drop_result(file, file->finished, vp);
	drop_result(file, file->failed, vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void begin_release(struct scdrv_file *file, struct scdrv_vp *vp, fl_owner_t claimer)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (vp->owner == file && (!claimer || vp->claimer == claimer) && !vp->releaser) {
		vp->releaser = current;
		stop(vp);
	}
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* With nothing in flight and nothing half done: the VP is the closer's alone. */
static bool begin_closing(struct scdrv_file *file, struct scdrv_vp *vp)
{
	unsigned long flags;
	bool quiet = false;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (vp->claim == SCDRV_AVAIL || vp->claim == SCDRV_ASYNC_STOPPED)
		quiet = !vp->failing;
	else if (vp->claim == SCDRV_REMOVED)
		quiet = true;
	if (quiet) {
		drop_result(file, file->finished, vp);
		drop_result(file, file->failed, vp);
		if (vp->claim != SCDRV_REMOVED)
			set_claim(vp, SCDRV_CLOSING);
	}
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return quiet;
}

/* Nothing of the old owner is left; the x87 and SSE controls are those of a reset processor. */
static void scrub(struct scdrv_vp *vp)
{
	memset(vp->command, 0, sizeof(*vp->command));
	memset(vp->register_page, 0, sizeof(*vp->register_page));
	vp->command->cpu_context.fx_state.fcw = HV_FX_DEFAULT_FCW;
	vp->command->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	vp->command->cpu_context.fx_state.mxcsr_mask = MXCSR_MASK;
}

static void end_release(struct scdrv_file *file, struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	vp->owner = NULL;
	vp->claimer = NULL;
	vp->releaser = NULL;
	vp->cancelled = false;
	file->claims--;
	if (vp->claim == SCDRV_CLOSING)
		set_claim(vp, SCDRV_AVAIL);
	trace_release(vp);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

static void release_vp(struct scdrv_file *file, struct scdrv_vp *vp)
{
	wait_event(vp->wait, begin_closing(file, vp)); /* bounded by the deadline of the STOP */
	scrub(vp);
	scdrv_partition_unbind(vp);
	end_release(file, vp);
}

/* False while somebody else, who has come first, takes the VP from this file. */
static bool is_released(struct scdrv_file *file, struct scdrv_vp *vp, fl_owner_t claimer)
{
	unsigned long flags;
	bool released;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	released = vp->owner != file || (claimer && vp->claimer != claimer);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return released;
}

/*
 * All are told to stop before the first is waited for. Who else takes VPs away may be waiting for
 * one of these, so all of these come before the first of those.
 */
void scdrv_claim_release(struct scdrv_file *file, fl_owner_t claimer)
{
	struct scdrv_node *node = file->node;
	struct scdrv_vp *vp;
	unsigned int i;

	if (!READ_ONCE(file->claims))
		return;
	for (i = 0; i < node->cpu_count; i++)
		begin_release(file, &node->vps[i], claimer);
	for (i = 0; i < node->cpu_count; i++) {
		if (READ_ONCE(node->vps[i].releaser) == current)
			release_vp(file, &node->vps[i]);
	}
	for (i = 0; i < node->cpu_count; i++) {
		vp = &node->vps[i];
		wait_event(vp->wait, is_released(file, vp, claimer));
	}
}

/* ---- move.c takes a VP, whoever owns it ------------------------------------------------------ */

static bool begin_seize(struct scdrv_vp *vp)
{
	unsigned long flags;
	bool begun;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	begun = !vp->releaser && !vp->failing && vp->claim != SCDRV_CLAIMING;
	if (begun)
		vp->releaser = current;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return begun;
}

void scdrv_claim_seize(struct scdrv_vp *vp)
{
	wait_event(vp->wait, begin_seize(vp)); /* bounded by the deadline of a close's STOP */
}

/* A completion that nobody has read ends as those in flight do: its page is gone. */
static void spoil_completion(struct scdrv_vp *vp)
{
	drop_result(vp->owner, vp->owner->finished, vp);
	add_result(vp->owner, vp->owner->failed, vp);
}

static int hold(struct scdrv_vp *vp)
{
	if (vp->claim == SCDRV_REMOVED)
		return -ENOENT;
	if (vp->failing)
		return -EAGAIN;
	if (in_flight(vp)) {
		vp->failing = true;
		list_del_init(&vp->busy);
		return 0;
	}
	if (vp->claim == SCDRV_ASYNC_STOPPED)
		spoil_completion(vp);
	set_claim(vp, SCDRV_CLOSING);
	return 0;
}

int scdrv_claim_hold(struct scdrv_vp *vp)
{
	unsigned long flags;
	int error;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	error = hold(vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	if (error == -EAGAIN)
		wait_event(vp->wait, !READ_ONCE(vp->failing));
	return error;
}

void scdrv_claim_end_held(struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	vp->failing = false;
	if (in_flight(vp))
		finish(vp, -ETIMEDOUT);
	set_claim(vp, SCDRV_CLOSING);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

void scdrv_claim_disown(struct scdrv_vp *vp)
{
	unsigned long flags;

	scrub(vp);
	scdrv_partition_unbind(vp);
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (vp->owner) {
		vp->owner->claims--;
		trace_release(vp);
	}
	vp->owner = NULL;
	vp->claimer = NULL;
	vp->cancelled = false;
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

void scdrv_claim_let_go(struct scdrv_vp *vp, enum scdrv_claim claim, const char *failure)
{
	unsigned long flags;

	if (claim == SCDRV_AVAIL)
		scrub(vp); /* its kernel has cleared the pages, controls and all */
	spin_lock_irqsave(&vp->node->scan_lock, flags);
	vp->reason = failure;
	shm_write(&vp->failed, failure ? 1u : 0u);
	vp->releaser = NULL;
	set_claim(vp, claim);
	if (failure)
		trace_fail(vp, failure);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	wake_up_all(&vp->node->wait);
}

/* ---- reboot ---------------------------------------------------------------------------------- */

void scdrv_claim_shut(void)
{
	unsigned long flags;
	unsigned int n;

	WRITE_ONCE(shut, true);
	for (n = 0; n < scdrv_node_count; n++) {
		/* Who looked before has started by now. */
		spin_lock_irqsave(&scdrv_nodes[n]->scan_lock, flags);
		spin_unlock_irqrestore(&scdrv_nodes[n]->scan_lock, flags);
	}
}

void scdrv_claim_stop_now(struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	stop(vp);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

bool scdrv_claim_is_settled(struct scdrv_vp *vp)
{
	unsigned long flags;
	bool settled;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	settled = !in_flight(vp) && !vp->failing && vp->claim != SCDRV_CLAIMING;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return settled;
}

void scdrv_claim_remove_vp(struct scdrv_vp *vp)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	list_del_init(&vp->busy);
	vp->failing = false;
	if (in_flight(vp))
		finish(vp, -ETIMEDOUT);
	if (vp->claim == SCDRV_ASYNC_STOPPED)
		spoil_completion(vp);
	set_claim(vp, SCDRV_REMOVED);
	wake_up_all(&vp->wait);
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* ---- hotplug --------------------------------------------------------------------------------- */

/* Inside cpus_write_lock, so fail_work cannot be resetting the CPU at the same time. */
int scdrv_vp_reserve_for_hotplug(struct scdrv_vp *vp)
{
	unsigned long flags;
	int error = 0;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	if (shm_read(&vp->failed) && in_flight(vp))
		finish(vp, -ETIMEDOUT);
	if (vp->claim == SCDRV_AVAIL && !(vp->failing && !shm_read(&vp->failed)))
		set_claim(vp, SCDRV_REMOVED);
	else
		error = -EBUSY;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
	return error;
}

/* ---- what others see ------------------------------------------------------------------------- */

static u32 describe_state(const struct scdrv_vp *vp)
{
	if (vp->claim == SCDRV_REMOVED)
		return SIDECAR_CPU_STATE_REMOVED;
	if (shm_read(&vp->failed))
		return SIDECAR_CPU_STATE_FAILED;
	return vp->claim == SCDRV_AVAIL ? SIDECAR_CPU_STATE_IDLE : SIDECAR_CPU_STATE_BUSY;
}

void scdrv_claim_describe(struct scdrv_vp *vp, struct scdrv_claim_info *info)
{
	unsigned long flags;

	spin_lock_irqsave(&vp->node->scan_lock, flags);
	info->state = describe_state(vp);
	info->owner = vp->owner;
	info->owner_pid = vp->owner ? vp->claimer_pid : 0;
	info->reason = shm_read(&vp->failed) ? vp->reason : NULL;
	spin_unlock_irqrestore(&vp->node->scan_lock, flags);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static void set_claimable(struct scdrv_node *node, bool claimable)
{
	unsigned long flags;

	spin_lock_irqsave(&node->scan_lock, flags);
	node->claimable = claimable;
	spin_unlock_irqrestore(&node->scan_lock, flags);
}

int scdrv_claim_add(struct scdrv_node *node)
{
	loff_t size = (loff_t)node->cpu_count * SIDECAR_PER_CPU_SHMEM;
	unsigned int i;

	/* Empty, without a name: only its address space is used, to find every mapping. */
	node->map_file = shmem_file_setup("sidecar", size, VM_NORESERVE);
	if (IS_ERR(node->map_file))
		return PTR_ERR(node->map_file);
	init_rwsem(&node->map_lock);
	INIT_LIST_HEAD(&node->busy);
	INIT_LIST_HEAD(&node->failing);
	INIT_WORK(&node->fail_work, fail_work);
	timer_setup(&node->tick, tick, 0);
	for (i = 0; i < node->cpu_count; i++) {
		INIT_LIST_HEAD(&node->vps[i].busy);
		INIT_LIST_HEAD(&node->vps[i].partition_link);
		scrub(&node->vps[i]);
	}
	set_claimable(node, true);
	return 0;
}

void scdrv_claim_remove(struct scdrv_node *node)
{
	set_claimable(node, false);
	del_timer_sync(&node->tick);
	flush_work(&node->fail_work);
	fput(node->map_file);
}

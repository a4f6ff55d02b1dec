// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAKE, GIVE and RESET: CPUs in bulk, from Linux to the sidecar, back, and from the beginning.
 *
 * Entries are looked at one after the other, as if each were a call of its own; what starts CPUs
 * collects them in a batch first, and they start in one burst. An entry whose CPU is in the batch
 * already ends the batch, so that it finds the CPU as its predecessor has left it.
 *
 * One caller at a time. He has the VP seized (claim.c) from the moment it is in the batch until it
 * is let go, so neither its owner nor a close nor Linux gets in between. Linux's hotplug lock is
 * held while CPUs are parked or started, and only then: Linux's own moves, and closes, which wait
 * for memory, happen outside of it.
 */
#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "claim.h"
#include "device.h"
#include "ioctl.h"
#include "move.h"
#include "trace.h"

static DEFINE_MUTEX(moving);
static bool open; /* false: no CPU enters the sidecar any more */

/* CPUs of one node that will start together, and what is told of each. */
struct batch {
	unsigned int count;
	struct entry {
		struct scdrv_vp *vp;
		struct sidecar_move *move; /* NULL: nobody asked */
		bool was_online;
	} *entries; /* as many as the node has CPUs */
	struct scdrv_vp **vps; /* as many; those of a step */
};

static int batch_init(struct batch *batch, unsigned int cpus)
{
	batch->count = 0;
	batch->entries = kvcalloc(cpus, sizeof(*batch->entries), GFP_KERNEL);
	batch->vps = kvcalloc(cpus, sizeof(*batch->vps), GFP_KERNEL);
	return batch->entries && batch->vps ? 0 : -ENOMEM;
}

static void batch_free(struct batch *batch)
{
	kvfree(batch->entries);
	kvfree(batch->vps);
}

static bool batch_has(const struct batch *batch, const struct scdrv_vp *vp)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++) {
		if (batch->entries[i].vp == vp)
			return true;
	}
	return false;
}

static void batch_add(struct batch *batch, struct scdrv_vp *vp, struct sidecar_move *move,
		      bool was_online)
{
	scdrv_claim_seize(vp);
	batch->entries[batch->count++] = (struct entry){vp, move, was_online};
}

static void tell(struct sidecar_move *move, int error)
{
	if (move)
		move->error = -error;
}

static bool is_removed(const struct scdrv_vp *vp)
{
	return shm_read_acquire(&vp->claim) == SCDRV_REMOVED;
}

/* ---- starting -------------------------------------------------------------------------------- */

/*
 * The CPUs of the batch that Linux still has offline; the others are Linux's. One that nothing
 * moves may still use memory of its guest, which therefore stays bound to it: it does not start.
 */
static unsigned int collect_movable(struct batch *batch)
{
	unsigned int i, count = 0;

	for (i = 0; i < batch->count; i++) {
		struct scdrv_vp *vp = batch->entries[i].vp;

		if (!cpu_online(vp->cpu) && !vp->unreachable)
			batch->vps[count++] = vp;
	}
	return count;
}

static void park_batch(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++)
		batch->vps[i] = batch->entries[i].vp;
	cpus_read_lock();
	scdrv_boot_park(batch->vps, batch->count);
	cpus_read_unlock();
}

/* absent: what a CPU is that did not start, and why. Under cpus_read_lock. */
static void settle(struct entry *entry, enum scdrv_claim absent, const char *reason)
{
	struct scdrv_vp *vp = entry->vp;

	if (cpu_online(vp->cpu)) {
		tell(entry->move, -EBUSY);
		scdrv_claim_let_go(vp, SCDRV_REMOVED, NULL);
	} else if (scdrv_status(vp) == SIDECAR_STATUS_IDLE) {
		vp->leaving = false;
		tell(entry->move, 0);
		scdrv_claim_let_go(vp, SCDRV_AVAIL, NULL);
	} else {
		tell(entry->move, -ETIMEDOUT);
		scdrv_claim_let_go(vp, absent, reason);
	}
}

/* Each is disowned. Let go under the same lock: Linux finds it in one place or the other. */
static void start_batch(struct batch *batch, enum scdrv_claim absent, const char *reason)
{
	unsigned int i;

	cpus_read_lock();
	scdrv_boot_restart(batch->vps, collect_movable(batch));
	for (i = 0; i < batch->count; i++)
		settle(&batch->entries[i], absent, reason);
	cpus_read_unlock();
}

/* ---- TAKE ------------------------------------------------------------------------------------ */

static void return_to_linux(const struct entry *entry)
{
	int error;

	if (!entry->was_online || entry->move->error != ETIMEDOUT)
		return;
	error = add_cpu(entry->vp->cpu);
	if (error)
		pr_err("CPU %u, which did not start, does not come online either: error %d\n",
		       entry->vp->cpu, error);
}

static void take_batch(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++)
		scdrv_claim_disown(batch->entries[i].vp);
	start_batch(batch, SCDRV_REMOVED, NULL);
	for (i = 0; i < batch->count; i++) {
		return_to_linux(&batch->entries[i]);
		trace_take(batch->entries[i].vp, -batch->entries[i].move->error);
	}
}

static int take(struct batch *batch, struct scdrv_vp *vp, struct sidecar_move *move)
{
	bool was_online = cpu_online(vp->cpu);
	int error;

	if (!scdrv_boot_can_restart(vp))
		return -EOPNOTSUPP;
	if (!is_removed(vp))
		return -EEXIST;
	error = was_online ? remove_cpu(vp->cpu) : 0;
	if (!error)
		batch_add(batch, vp, move, was_online);
	return error;
}

/* ---- RESET ----------------------------------------------------------------------------------- */

static void drop_entry(struct batch *batch, unsigned int index, int error)
{
	struct entry *entry = &batch->entries[index];

	tell(entry->move, error);
	scdrv_claim_let_go(entry->vp, SCDRV_REMOVED, NULL);
	*entry = batch->entries[--batch->count];
}

/* False when Linux has taken it since. A CPU that is being reset as failed comes to rest first. */
static bool hold_entry(struct batch *batch, unsigned int index)
{
	int error;

	do
		error = scdrv_claim_hold(batch->entries[index].vp);
	while (error == -EAGAIN);
	if (error)
		drop_entry(batch, index, error);
	return !error;
}

static void hold_batch(struct batch *batch)
{
	unsigned int i = 0;

	while (i < batch->count) {
		if (hold_entry(batch, i))
			i++;
	}
}

/* The memory of a guest is let go when its CPU is parked, and outside of the hotplug lock. */
static void reset_batch(struct batch *batch)
{
	unsigned int i;

	hold_batch(batch);
	park_batch(batch);
	for (i = 0; i < batch->count; i++)
		scdrv_claim_end_held(batch->entries[i].vp);
	for (i = 0; i < batch->count; i++)
		scdrv_claim_disown(batch->entries[i].vp);
	start_batch(batch, SCDRV_AVAIL, "did not start after a reset");
}

static int reset(struct batch *batch, struct scdrv_vp *vp, struct sidecar_move *move)
{
	if (!scdrv_boot_can_restart(vp))
		return -EOPNOTSUPP;
	if (is_removed(vp))
		return -ENOENT;
	batch_add(batch, vp, move, false);
	return 0;
}

/* ---- GIVE ------------------------------------------------------------------------------------ */

/* Linux had it and could not bring it online. */
static void return_to_sidecar(struct scdrv_vp *vp)
{
	struct entry entry = {vp};
	struct batch batch = {1, &entry, &vp};

	scdrv_claim_seize(vp);
	scdrv_claim_disown(vp);
	start_batch(&batch, SCDRV_AVAIL, "did not start after Linux refused it");
}

static int give(struct scdrv_vp *vp)
{
	int error;

	if (is_removed(vp))
		return -ENOENT;
	error = add_cpu(vp->cpu);
	if (error && is_removed(vp) && !cpu_online(vp->cpu) && scdrv_boot_can_restart(vp))
		return_to_sidecar(vp);
	return error;
}

static void look_for_returned(struct scdrv_node *node)
{
	unsigned int i;

	for (i = 1; i < node->cpu_count; i++) {
		struct scdrv_vp *vp = &node->vps[i];

		if (READ_ONCE(vp->leaving) && is_removed(vp) && !cpu_online(vp->cpu) &&
		    scdrv_boot_can_restart(vp))
			return_to_sidecar(vp);
	}
}

static void return_work(struct work_struct *work)
{
	unsigned int n;

	mutex_lock(&moving);
	for (n = 0; READ_ONCE(open) && n < scdrv_node_count; n++)
		look_for_returned(scdrv_nodes[n]);
	mutex_unlock(&moving);
}

static DECLARE_WORK(returned, return_work);

void scdrv_move_return_later(void)
{
	queue_work(system_unbound_wq, &returned);
}

void scdrv_move_flush(void)
{
	cancel_work_sync(&returned);
}

int scdrv_move_init(void)
{
	WRITE_ONCE(open, true);
	return 0;
}

/* Whoever is moving CPUs looks at it before each; then the mutex is free. */
void scdrv_move_exit(void)
{
	WRITE_ONCE(open, false);
	mutex_lock(&moving);
	mutex_unlock(&moving);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static void run_batch(struct batch *batch, unsigned int request)
{
	if (!batch->count)
		return;
	if (request == SIDECAR_IOC_TAKE)
		take_batch(batch);
	else
		reset_batch(batch);
	batch->count = 0;
}

static int move_one(struct batch *batch, struct scdrv_vp *vp, unsigned int request,
		    struct sidecar_move *move)
{
	int error;

	if (signal_pending(current) || !READ_ONCE(open))
		return -EINTR; /* not open: the machine goes down */
	if (!vp || !vp->index)
		return -EINVAL;
	if (batch_has(batch, vp))
		run_batch(batch, request);
	switch (request) {
	case SIDECAR_IOC_TAKE:
		error = take(batch, vp, move);
		if (error)
			trace_take(vp, error);
		return error;
	case SIDECAR_IOC_GIVE:
		error = give(vp);
		trace_give(vp, error);
		return error;
	default:
		return reset(batch, vp, move);
	}
}

static int move_all(struct scdrv_file *file, unsigned int request, struct sidecar_move *moves,
		    unsigned int count)
{
	struct batch batch;
	unsigned int i;
	int error = batch_init(&batch, file->node->cpu_count);

	if (!error)
		error = mutex_lock_killable(&moving);
	if (!error) {
		for (i = 0; i < count; i++)
			tell(&moves[i], move_one(&batch, scdrv_file_vp(file, moves[i].cpu),
						 request, &moves[i]));
		run_batch(&batch, request);
		mutex_unlock(&moving);
	}
	batch_free(&batch);
	return error;
}

static int move_copied(struct scdrv_file *file, unsigned int request,
		       const struct sidecar_ioctl_move *argument)
{
	struct sidecar_move __user *user = u64_to_user_ptr(argument->moves);
	size_t size = argument->count * sizeof(struct sidecar_move);
	struct sidecar_move *moves = vmemdup_user(user, size);
	int error;

	if (IS_ERR(moves))
		return PTR_ERR(moves);
	error = move_all(file, request, moves, argument->count);
	if (!error && copy_to_user(user, moves, size))
		error = -EFAULT;
	kvfree(moves);
	return error;
}

long scdrv_move(struct scdrv_file *file, unsigned int request, void __user *argument)
{
	struct sidecar_ioctl_move move;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!scdrv_boot_can_restart_any())
		return -EOPNOTSUPP;
	error = scdrv_copy_struct(&move, sizeof(move), argument);
	if (error)
		return error;
	if (!move.count || move.count > SIDECAR_MAX_MOVES)
		return -EINVAL;
	return move_copied(file, request, &move);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may use a VP, and what it is doing: the driver's half of the state machine whose other half
 * is the status byte. See the essay at the top of claim.c.
 */
#ifndef SCDRV_CLAIM_H
#define SCDRV_CLAIM_H

#include <linux/fs.h>

#include "driver.h"

struct scdrv_partition;

/* One open file of a node's device. */
struct scdrv_file {
	struct scdrv_node *node;
	wait_queue_head_t wait; /* read() and poll() of this file */
	struct mutex read_lock; /* one reader at a time looks, copies and takes (R3) */

	/* Under node->scan_lock. Bits are indices in the node. */
	struct scdrv_partition *partition; /* a reference, or NULL */
	unsigned int claims;		   /* VPs that this file owns */
	unsigned int results;		   /* bits in both maps */
	unsigned long *finished;	   /* completions that nobody has read */
	unsigned long *failed;		   /* asynchronous commands that ended with their CPU */
};

/*
 * What waits for one command, under node->scan_lock: a RUN, on the stack of its thread, which looks
 * at done; or a ring's request, inside it, whose end() is called and then owns it. end() is called
 * under the lock, in any context.
 */
struct scdrv_waiter {
	void (*end)(struct scdrv_waiter *waiter); /* NULL: a RUN */
	bool (*is_orphaned)(const struct scdrv_waiter *waiter); /* or NULL; under the lock */
	bool watches; /* a RUN that looks at the status byte itself before it sleeps */
	bool done;
	int error;
};

int scdrv_claim_add(struct scdrv_node *node);	  /* before the first open */
void scdrv_claim_remove(struct scdrv_node *node); /* after the last release */

/* Claims the VP for file if it is nobody's; 0 also if it is the file's already. May sleep. */
int scdrv_claim_own(struct scdrv_file *file, struct scdrv_vp *vp);

/* A moment later it may be wrong; whoever starts a command looks again, under the lock. */
static inline bool scdrv_claim_is_owner(const struct scdrv_file *file, const struct scdrv_vp *vp)
{
	return READ_ONCE(vp->owner) == file;
}

/* Of a VP that the file owns, else EBUSY: see scdrv_file_claim(). */
int scdrv_claim_start(struct scdrv_file *file, struct scdrv_vp *vp);
int scdrv_claim_run(struct scdrv_file *file, struct scdrv_vp *vp);
/*
 * START for a ring's request. The VP must have been claimed through the caller's descriptor table,
 * else EBUSY. Never sleeps. After 0 waiter->end() is called exactly once, perhaps already.
 */
int scdrv_claim_submit(struct scdrv_file *file, struct scdrv_vp *vp, struct scdrv_waiter *waiter);
int scdrv_claim_stop(struct scdrv_file *file, struct scdrv_vp *vp);
void scdrv_claim_cancel(struct scdrv_file *file, struct scdrv_vp *vp);

/*
 * The next result of this file, which stays: 1 and the CPU number, -ETIMEDOUT for a CPU that
 * failed, or 0 for none. Taking it makes the VP free for its next command. Both under read_lock.
 */
int scdrv_claim_peek(struct scdrv_file *file, struct scdrv_vp **vp);
void scdrv_claim_take(struct scdrv_file *file, struct scdrv_vp *vp);

/* -EBUSY when the file owns a VP. Consumes the reference only on success. */
int scdrv_claim_attach(struct scdrv_file *file, struct scdrv_partition *partition);

/* Stops, scrubs and gives up the file's VPs that claimer claimed; NULL: all of them. May sleep. */
void scdrv_claim_release(struct scdrv_file *file, fl_owner_t claimer);

/*
 * For move.c, in this order, each for a VP that the last has succeeded for. The first three may
 * sleep; nobody who seizes more than one VP waits for anything between hold and end_held but for
 * the trampoline.
 *
 * seize:    no new command begins and nobody closes it; what is in flight goes on.
 * hold:     the CPU may now be parked. -ENOENT not in the sidecar; -EAGAIN it was being reset as
 *           failed, and now has been. No command is ended yet.
 * end_held: the CPU is parked; a command in flight ends with ETIMEDOUT.
 * disown:   nothing of an owner is left. Also after seize of a VP that is SCDRV_REMOVED.
 * let_go:   SCDRV_AVAIL or SCDRV_REMOVED from now on; failure is NULL or why it has failed.
 */
void scdrv_claim_seize(struct scdrv_vp *vp);
int scdrv_claim_hold(struct scdrv_vp *vp);
void scdrv_claim_end_held(struct scdrv_vp *vp);
void scdrv_claim_disown(struct scdrv_vp *vp);
void scdrv_claim_let_go(struct scdrv_vp *vp, enum scdrv_claim claim, const char *failure);

/*
 * For reboot: shut lets no command and no claim begin any more, and stop_now stops what is in
 * flight. settled: nothing is in flight and nothing half claimed. remove: SCDRV_REMOVED; a command
 * that is still in flight, on a CPU that has been parked, ends with ETIMEDOUT.
 */
void scdrv_claim_shut(void);
void scdrv_claim_stop_now(struct scdrv_vp *vp);
bool scdrv_claim_is_settled(struct scdrv_vp *vp);
void scdrv_claim_remove_vp(struct scdrv_vp *vp);

struct scdrv_claim_info {
	u32 state;		 /* SIDECAR_CPU_STATE_* */
	const void *owner;	 /* to be compared, not used; NULL: nobody's */
	pid_t owner_pid;	 /* 0: nobody's */
	const char *reason;	 /* why it failed, or NULL */
};

void scdrv_claim_describe(struct scdrv_vp *vp, struct scdrv_claim_info *info);

/* The request interrupt, if the CPU is executing a command. */
void scdrv_claim_kick(struct scdrv_vp *vp);

/* Resets a CPU that does not answer and ends its command with ETIMEDOUT. May sleep. */
void scdrv_claim_fail(struct scdrv_vp *vp, const char *reason);

#endif

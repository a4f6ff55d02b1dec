/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share.
 *
 *   main.c       parameters, init and exit, one call a line
 *   plan.c       which CPUs become which node; pure
 *   adopt.c      CPUs that a boot shim has started before Linux
 *   image.c      the sidecar kernel's ELF file, through the firmware loader
 *   memory.c     node memory
 *   apic.c       INIT, SIPI and fixed interrupts to a physical APIC ID
 *   trampoline.c the page below 1 MiB and the tables that a CPU comes up on
 *   boot.c       conductor, start, park, forced reset
 *   irq.c        one Linux IRQ a node for completions
 *   hotplug.c    a sidecar CPU becomes Linux's
 *   move.c       CPUs in bulk, to the sidecar and back, and from the beginning
 *   power.c      suspend, reboot, kexec, panic
 *   device.c     the character device: open, read, poll, close
 *   ioctl.c      its ioctls
 *   uring.c      its commands for a ring
 *   mmap.c       the shared pages in user mode
 *   claim.c      who may use a VP and what it is doing, in one file
 *   partition.c  guest memory
 *   nested.c     nested page tables
 *   walk.c       page tables as ranges, for people
 *   trace.c      tracepoints
 *   sysfs.c      what a person can see
 *   debugfs.c    what a person can see of a dead CPU
 *
 * Lock order, outer first: move.c's, mmap_lock, partition->lock, cpus_read_lock, the trampoline's,
 * node->map_lock, node->scan_lock. A hotplug callback (inside cpus_write_lock) takes only the last.
 *
 * Nodes live from before the CPUs start until after they are parked; nothing is freed while a
 * file is open (fops.owner), so nobody counts references to them.
 */
#ifndef SCDRV_DRIVER_H
#define SCDRV_DRIVER_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <sidecar/abi.h>
#include <sidecar/ioctl.h>

#include "shm.h"

#undef pr_fmt
#define pr_fmt(fmt) "sidecar: " fmt

/* Where a VP is, for Linux. claim.c changes it, under node->scan_lock once there is a device. */
enum scdrv_claim {
	SCDRV_AVAIL = 0,	  /* in the sidecar, nothing in flight */
	SCDRV_SYNC = 1,		  /* RUN */
	SCDRV_ASYNC = 2,	  /* START, status byte is RUN */
	SCDRV_ASYNC_STOPPING = 3, /* STOP asked for */
	SCDRV_ASYNC_STOPPED = 4,  /* complete, not yet read */
	SCDRV_CLAIMING = 5,	  /* gets its owner and its memory; status byte is IDLE (R1) */
	SCDRV_CLOSING = 6,	  /* the owner's close is cleaning it up */
	SCDRV_SYNC_STOPPING = 7,  /* RUN, stopped by a signal, CANCEL or close */
	SCDRV_REMOVED = 0xff,	  /* not in the sidecar: Linux's, or nobody's */
};

struct scdrv_node;
struct scdrv_file;	/* claim.h: one per open file */
struct scdrv_waiter;	/* claim.h */
struct scdrv_partition; /* partition.h */

/* One CPU of a node; index 0 is the base CPU, always SCDRV_REMOVED. */
struct scdrv_vp {
	struct scdrv_node *node;
	u32 index;   /* in the node: control->cpu_status[index] */
	u32 cpu;     /* Linux CPU number */
	u32 apic_id; /* physical */
	u64 cr3;     /* PA of its page tables, as the sidecar kernel said; 0: it did not */

	/* Memory shared with the sidecar CPU: shm_*() only. Set before the first IDLE. */
	u8 *status;
	struct sidecar_command_page *command;
	struct hv_register_page *register_page;
	struct sidecar_state_page *state; /* NULL for the base CPU */

	/* boot.c, hotplug.c, device.c: shm_*() on both. */
	u32 claim;	    /* enum scdrv_claim */
	u32 failed;	    /* 1: did not answer in time and has been reset; ETIMEDOUT */
	const char *reason; /* why it failed; a literal, set before failed */
	bool unreachable;   /* boot.c: not even INIT and SIPI moved it; its memory is never freed */
	bool leaving;	    /* hotplug.c: Linux has begun to bring it online, and is not through */

	wait_queue_head_t wait; /* woken for every change of this VP, by scan and by failures */

	/* claim.c's own, under node->scan_lock. */
	struct scdrv_file *owner;
	fl_owner_t claimer;	     /* whose close ends the claim */
	pid_t claimer_pid;	     /* for people */
	struct scdrv_waiter *waiter; /* of the RUN or ring's request in flight */
	struct list_head busy;	     /* in node->busy or node->failing while in flight */
	unsigned long deadline;	     /* jiffies; means something if has_deadline */
	bool has_deadline;
	u32 code;	 /* SIDECAR_COMMAND_* of the command in flight, or of the last one */
	bool runs_guest; /* the command in flight, or the last one, is RUN_VP */
	bool slow;	 /* the last RUN took too long for watching it */
	bool cancelled;	 /* CANCEL found no RUN_VP in flight: the next one does not start */
	bool failing;	 /* about to be reset; no longer scanned */
	struct task_struct *releaser; /* its owner closes, or move.c has it; no new command */
	const char *failing_reason;

	/* partition.c's own: changes while CLAIMING or CLOSING; the link under its lock. */
	struct scdrv_partition *partition;
	struct list_head partition_link;

	/* sysfs.c's own. */
	struct kobject kobject;
	struct completion kobject_released;
};

struct scdrv_node {
	u32 index;
	u32 base_cpu;
	u32 cpu_count; /* the base CPU included */
	int numa_node;

	/* memory.c: order-0 pages, physically contiguous, each with a reference of ours. */
	struct page *pages; /* NULL: adopted, reserved by the firmware's map */
	phys_addr_t memory;
	void *memory_va;
	size_t memory_size;

	/* boot.c, inside the above. */
	struct sidecar_control_page *control;
	phys_addr_t shmem; /* cpu_count times SIDECAR_PER_CPU_SHMEM */
	void *shmem_va;
	u32 request_vector; /* read once after boot; 0 = send none */

	/* irq.c */
	int irq; /* Linux number; 0 = none */
	u64 interrupts; /* handled; the handler's own, read with READ_ONCE */

	wait_queue_head_t wait; /* woken whenever any VP of the node finished or failed */

	/* device.c's, claim.c's and sysfs.c's own. */
	struct miscdevice misc;
	char name[32];
	spinlock_t scan_lock; /* Linux CPUs only; usable in hard interrupt context */
	bool claimable;	      /* claim.c has been set up; under scan_lock */
	struct list_head busy;	  /* VPs with a command in flight */
	struct list_head failing; /* VPs that fail_work will reset */
	struct timer_list tick;	  /* looks at deadlines while a VP is busy */
	struct work_struct fail_work;
	struct rw_semaphore map_lock; /* write: a VP gets an owner; read: a page is mapped */
	struct file *map_file;	      /* its mapping holds the VMAs of every open file */
	struct dentry *debugfs;

	struct scdrv_vp *vps; /* cpu_count */
};

/* ---- main.c ---------------------------------------------------------------------------------- */

extern struct scdrv_node **scdrv_nodes; /* scdrv_node_count, in the order of their indices */
extern unsigned int scdrv_node_count;
extern unsigned int scdrv_timeout_ms;
extern unsigned int scdrv_spin_us; /* how long RUN watches before it sleeps; 0 = not at all */
extern struct device *scdrv_root; /* /sys/devices/sidecar; parent of everything we register */

/* NULL when the CPU is in no node; the base CPU has a VP (SCDRV_REMOVED). */
struct scdrv_vp *scdrv_vp_of_cpu(unsigned int cpu);

/* ---- memory.c -------------------------------------------------------------------------------- */

int scdrv_memory_alloc(struct scdrv_node *node);
void scdrv_memory_free(struct scdrv_node *node);

/* ---- image.c --------------------------------------------------------------------------------- */

struct scdrv_image {
	struct page *pages; /* 2 MiB at a multiple of 2 MiB below 4 GiB */
	void *base;
	phys_addr_t base_pa;
	size_t size; /* as loaded, BSS included */
	phys_addr_t entry;
	u32 trampoline; /* offset from base */
	u32 trampoline_size;
	u32 backend; /* SIDECAR_BACKEND_* */
};

extern struct scdrv_image scdrv_image;

int scdrv_image_load(const char *name);
void scdrv_image_free(void);

/* ---- apic.c ---------------------------------------------------------------------------------- */

void scdrv_apic_init(u32 apic_id);		/* INIT: assert and, for old parts, deassert */
void scdrv_apic_sipi(u32 apic_id, u32 page);	/* page: PA >> 12, below 256 */
void scdrv_apic_fixed(u32 apic_id, u8 vector);

/* ---- boot.c ---------------------------------------------------------------------------------- */

extern u64 scdrv_start_ns; /* from the first INIT until the last CPU was IDLE */

/* Starts every CPU of every node; afterwards each VP is SCDRV_AVAIL or failed. */
int scdrv_boot_start(bool log);

/*
 * What a kernel that runs already has answered to whoever started it; no_state stands in for state
 * pages that it has not. Undone by scdrv_boot_stop. extension stays the caller's; extension_pa is
 * where a starting CPU reads it.
 */
int scdrv_boot_take(const struct sidecar_boot_output *output, struct sidecar_extension *extension,
		    u64 extension_pa, struct sidecar_state_page *no_state);

/* Parks every sidecar CPU in wait-for-SIPI; afterwards none of them uses memory of ours. */
void scdrv_boot_stop(void);

/* Whether INIT and SIPI start this CPU, or any, in the sidecar: not where a hypervisor does. */
bool scdrv_boot_can_restart(const struct scdrv_vp *vp);
bool scdrv_boot_can_restart_any(void);

/*
 * Both under cpus_read_lock, for CPUs that Linux has offline and that the caller alone uses; each
 * at most once. Park: whatever they do, they do it no longer and their status is REMOVED; a CPU
 * that cannot be moved is unreachable afterwards. Restart: all in one burst, from the beginning,
 * with a clean state page; status IDLE, or the CPU is parked. Both sleep.
 */
void scdrv_boot_park(struct scdrv_vp *const *vps, unsigned int count);
void scdrv_boot_restart(struct scdrv_vp *const *vps, unsigned int count);

/*
 * For reboot, after scdrv_claim_shut: every sidecar CPU waits for SIPI with SVM off, or has been
 * parked by force, and is SCDRV_REMOVED. How many did not need force. Bounded; sleeps; takes
 * cpus_read_lock.
 */
unsigned int scdrv_boot_park_all(void);

/* The request interrupt: look at your status byte. Any context. */
void scdrv_kick(struct scdrv_vp *vp);

/*
 * The CPU did not answer: resets it, so that it touches no memory any more, marks it failed with
 * SIDECAR_STATUS_REMOVED, and wakes everybody. vp->claim is left to the caller, who makes it
 * SCDRV_AVAIL or SCDRV_REMOVED in time; look at vp->failed first. May sleep; takes
 * cpus_read_lock. Nothing happens to a CPU that is not in the sidecar.
 */
void scdrv_vp_fail(struct scdrv_vp *vp, const char *reason);

/* True when the status byte becomes status before the deadline of timeout_ms. May sleep. */
bool scdrv_vp_wait_status(struct scdrv_vp *vp, u8 status, unsigned int timeout_ms);

static inline u8 scdrv_status(const struct scdrv_vp *vp)
{
	return shm_read_acquire(vp->status); /* partner: the sidecar CPU's release */
}

/* ---- irq.c ----------------------------------------------------------------------------------- */

int scdrv_irq_init(void);
void scdrv_irq_exit(void);
int scdrv_irq_add(struct scdrv_node *node);
void scdrv_irq_remove(struct scdrv_node *node);

/* ---- hotplug.c ------------------------------------------------------------------------------- */

int scdrv_hotplug_init(void);
void scdrv_hotplug_exit(void);

/*
 * SCDRV_AVAIL -> SCDRV_REMOVED, or -EBUSY. A failed VP is always given (Linux resets the CPU).
 * An owner that is only idle does not prevent it: his next START gets ENOENT.
 */
int scdrv_vp_reserve_for_hotplug(struct scdrv_vp *vp);

/* ---- move.c ---------------------------------------------------------------------------------- */

int scdrv_move_init(void);
void scdrv_move_exit(void); /* afterwards no CPU enters the sidecar; before the CPUs are parked */

/* Linux could not bring a CPU online that it had taken: it returns to the sidecar. Any context. */
void scdrv_move_return_later(void);
void scdrv_move_flush(void); /* after the last of the above */

/* ---- power.c --------------------------------------------------------------------------------- */

int scdrv_power_init(void);
void scdrv_power_exit(void);

/* ---- device.c (the other half) --------------------------------------------------------------- */

/* misc_register and all it needs; the node's CPUs are up and its IRQ works. Undoes itself. */
int scdrv_device_register(struct scdrv_node *node);
void scdrv_device_unregister(struct scdrv_node *node);

/*
 * After a completion interrupt, in hard interrupt context: marks finished VPs, wakes every waiter
 * (R2). Also called before scdrv_device_register and after _unregister: uses only what the
 * node has from the beginning (vps, wait queues, scan_lock).
 */
void scdrv_node_scan(struct scdrv_node *node);

/* ---- sysfs.c, debugfs.c (the other half) ----------------------------------------------------- */

int scdrv_sysfs_init(void); /* once, before the first device; scdrv_root exists */
void scdrv_sysfs_exit(void);
int scdrv_sysfs_add(struct scdrv_node *node); /* after scdrv_device_register */
void scdrv_sysfs_remove(struct scdrv_node *node);

/* Called by the above. debugfs may be absent; that is no error. */
void scdrv_debugfs_init(void);
void scdrv_debugfs_exit(void);
void scdrv_debugfs_add(struct scdrv_node *node);
void scdrv_debugfs_remove(struct scdrv_node *node);

#endif

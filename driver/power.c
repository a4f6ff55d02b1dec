// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the machine does as a whole.
 *
 * Suspend and hibernation are refused: Linux restores its own CPUs and knows nothing of ours.
 * Reboot, power-off and kexec find every sidecar CPU where a new kernel wants it: its guest
 * stopped, SVM off, waiting for SIPI. A panic tries the same without a lock, and does not insist.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "claim.h"
#include "driver.h"

#define QUIET_MS 2000u	     /* a guest leaves within microseconds; a busy host may be slow */
#define PANIC_LOOK_US 10u
#define PANIC_LOOKS 2000u    /* 20 ms for both steps together */

/* Calls visit for every CPU that is in the sidecar. */
static void for_each_vp(void (*visit)(struct scdrv_vp *vp))
{
	unsigned int n, i;

	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 1; i < scdrv_nodes[n]->cpu_count; i++) {
			struct scdrv_vp *vp = &scdrv_nodes[n]->vps[i];

			if (vp->status && shm_read_acquire(&vp->claim) != SCDRV_REMOVED)
				visit(vp);
		}
	}
}

static unsigned int counted;

static void count(struct scdrv_vp *vp)
{
	counted++;
}

/* ---- suspend --------------------------------------------------------------------------------- */

static int before_sleep(struct notifier_block *block, unsigned long event, void *unused)
{
	const char *what;

	if (event == PM_SUSPEND_PREPARE)
		what = "suspend";
	else if (event == PM_HIBERNATION_PREPARE)
		what = "hibernation";
	else
		return NOTIFY_DONE;
	counted = 0; /* Linux prepares for one sleep at a time */
	for_each_vp(count);
	if (!counted)
		return NOTIFY_DONE;
	pr_err("%s is refused: %u CPUs are in the sidecar\n", what, counted);
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block sleep_block = {.notifier_call = before_sleep};

/* ---- reboot and kexec ------------------------------------------------------------------------ */

static unsigned int unsettled;

static void look_whether_settled(struct scdrv_vp *vp)
{
	unsettled += !scdrv_claim_is_settled(vp);
}

static void wait_until_settled(void)
{
	unsigned long end = jiffies + msecs_to_jiffies(QUIET_MS);

	do {
		unsettled = 0;
		for_each_vp(look_whether_settled);
		if (!unsettled)
			return;
		msleep(1);
	} while (time_before(jiffies, end));
	pr_warn("%u CPUs are still busy after %u ms\n", unsettled, QUIET_MS);
}

/*
 * No command begins any more, so what is told to stop now stays stopped; a CPU that does not is
 * parked by force.
 */
static int before_reboot(struct notifier_block *block, unsigned long event, void *unused)
{
	scdrv_move_exit();
	scdrv_claim_shut();
	for_each_vp(scdrv_claim_stop_now);
	wait_until_settled();
	pr_info("%u CPUs have left the sidecar\n", scdrv_boot_park_all());
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = {.notifier_call = before_reboot};

/* ---- panic ----------------------------------------------------------------------------------- */

/*
 * Linux's other CPUs are stopped, perhaps inside a lock of ours. The status bytes and the interrupt
 * command register need none. A sidecar CPU writes only to memory of its own and of its guest, so
 * one that does not answer is left to its INIT.
 */
static void ask_to_leave(struct scdrv_vp *vp)
{
	if (shm_read(&vp->failed))
		return;
	shm_cas_u8(vp->status, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP);
	shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE);
	scdrv_kick(vp);
}

static unsigned int staying;

static void ask_again(struct scdrv_vp *vp)
{
	if (shm_read(&vp->failed) || scdrv_status(vp) == SIDECAR_STATUS_REMOVED)
		return;
	staying++;
	if (shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE))
		scdrv_kick(vp);
}

static void send_init(struct scdrv_vp *vp)
{
	scdrv_apic_init(vp->apic_id);
}

static int at_panic(struct notifier_block *block, unsigned long event, void *unused)
{
	unsigned int looks;

	counted = 0;
	for_each_vp(count);
	for_each_vp(ask_to_leave);
	for (looks = 0; looks < PANIC_LOOKS; looks++) {
		staying = 0;
		for_each_vp(ask_again);
		if (!staying)
			break;
		udelay(PANIC_LOOK_US);
	}
	for_each_vp(send_init);
	pr_emerg("%u CPUs have left the sidecar, %u did not answer\n", counted - staying, staying);
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = {.notifier_call = at_panic};

/* ---- set-up ---------------------------------------------------------------------------------- */

int scdrv_power_init(void)
{
	int error = register_pm_notifier(&sleep_block);

	if (error)
		return error;
	error = register_reboot_notifier(&reboot_block);
	if (error) {
		unregister_pm_notifier(&sleep_block);
		return error;
	}
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	return 0;
}

void scdrv_power_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	unregister_reboot_notifier(&reboot_block);
	unregister_pm_notifier(&sleep_block);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux brings a CPU online that the sidecar has: the CPU is taken out of the sidecar first. Our
 * step comes before anything of Linux's touches the CPU, under Linux's hotplug lock, so it never
 * waits longer than timeout_ms (R9), and what it refuses stays as it was (R8).
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>

#include "driver.h"
#include "trace.h"

static int state, late_state;

/* REMOVE and the answer; false when there was none. */
static bool hand_over(struct scdrv_vp *vp)
{
	if (!shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE))
		return false;
	scdrv_kick(vp);
	return scdrv_vp_wait_status(vp, SIDECAR_STATUS_REMOVED, scdrv_timeout_ms);
}

/*
 * The CPU spins now, or is dead. INIT stops the one; Linux's own INIT and SIPI move even the other.
 * From here on it is Linux's, whatever it did before.
 */
static void give_to_linux(struct scdrv_vp *vp)
{
	scdrv_apic_init(vp->apic_id);
	shm_write_release(vp->status, SIDECAR_STATUS_REMOVED);
	shm_write_release(&vp->failed, 0u);
	vp->leaving = true;
	wake_up_all(&vp->wait);
	wake_up_all(&vp->node->wait);
}

static int prepare_online(unsigned int cpu)
{
	struct scdrv_vp *vp = scdrv_vp_of_cpu(cpu);
	bool failed;

	if (!vp || shm_read_acquire(&vp->claim) == SCDRV_REMOVED)
		return 0;
	failed = shm_read_acquire(&vp->failed);
	if (scdrv_vp_reserve_for_hotplug(vp)) {
		pr_info("CPU %u runs a command and cannot become Linux's now\n", cpu);
		trace_convert(vp, -EBUSY);
		return -EBUSY;
	}
	if (!failed && !hand_over(vp))
		pr_err("CPU %u did not leave the sidecar in %u ms: it is reset\n", cpu,
		       scdrv_timeout_ms);
	give_to_linux(vp);
	trace_convert(vp, 0);
	return 0;
}

/* Among the last of Linux's steps: the CPU is Linux's. */
static int is_online(unsigned int cpu)
{
	struct scdrv_vp *vp = scdrv_vp_of_cpu(cpu);

	if (!vp)
		return 0;
	vp->leaving = false;
	vp->unreachable = false;
	return 0;
}

/* Offline again: it is nobody's. One that Linux could not start returns to the sidecar (R8). */
static int after_offline(unsigned int cpu)
{
	struct scdrv_vp *vp = scdrv_vp_of_cpu(cpu);

	if (vp && vp->index)
		shm_write_release(vp->status, SIDECAR_STATUS_REMOVED);
	if (vp && vp->leaving)
		scdrv_move_return_later();
	return 0;
}

int scdrv_hotplug_init(void)
{
	int result = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "sidecar:prepare",
					       prepare_online, after_offline);

	if (result < 0) {
		pr_err("no CPU hotplug state: error %d\n", result);
		return result;
	}
	state = result;
	result = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "sidecar:online", is_online, NULL);
	if (result < 0) {
		pr_err("no second CPU hotplug state: error %d\n", result);
		cpuhp_remove_state_nocalls(state);
		return result;
	}
	late_state = result;
	return 0;
}

void scdrv_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(late_state);
	cpuhp_remove_state_nocalls(state);
	scdrv_move_flush();
}

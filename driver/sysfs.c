// SPDX-License-Identifier: GPL-2.0-only
/* /sys/class/misc/mshv_vtl_sidecar<index>/cpu<number>/: what a person can see of a CPU. */
#include <linux/device.h>
#include <linux/math64.h>
#include <linux/sysfs.h>

#include <asm/tsc.h>

#include "claim.h"
#include "ioctl.h"

static const char *const state_names[] = {
	[SIDECAR_CPU_STATE_REMOVED] = "removed",
	[SIDECAR_CPU_STATE_IDLE] = "idle",
	[SIDECAR_CPU_STATE_BUSY] = "busy",
	[SIDECAR_CPU_STATE_FAILED] = "failed",
};

static const char *const exit_names[] = {
	[SIDECAR_EXIT_IO] = "io",
	[SIDECAR_EXIT_MSR] = "msr",
	[SIDECAR_EXIT_CPUID] = "cpuid",
	[SIDECAR_EXIT_HALT] = "halt",
	[SIDECAR_EXIT_HYPERCALL] = "hypercall",
	[SIDECAR_EXIT_MEMORY] = "memory",
	[SIDECAR_EXIT_EXCEPTION] = "exception",
	[SIDECAR_EXIT_UNRECOVERABLE] = "unrecoverable",
	[SIDECAR_EXIT_DELIVERABLE] = "deliverable",
	[SIDECAR_EXIT_INVALID_REGISTER] = "invalid_register",
	[SIDECAR_EXIT_INTERRUPT] = "interrupt",
	[SIDECAR_EXIT_INTERNAL] = "internal",
};
static_assert(ARRAY_SIZE(exit_names) == SIDECAR_EXIT_COUNT);

static ssize_t state_show(struct scdrv_vp *vp, char *text)
{
	struct scdrv_claim_info info;

	scdrv_claim_describe(vp, &info);
	return sysfs_emit(text, "%s\n", state_names[info.state]);
}

/* The process that claimed the VP. */
static ssize_t owner_show(struct scdrv_vp *vp, char *text)
{
	struct scdrv_claim_info info;

	scdrv_claim_describe(vp, &info);
	if (!info.owner)
		return sysfs_emit(text, "none\n");
	return sysfs_emit(text, "%d\n", info.owner_pid);
}

static ssize_t last_error_show(struct scdrv_vp *vp, char *text)
{
	struct scdrv_claim_info info;

	scdrv_claim_describe(vp, &info);
	return sysfs_emit(text, "%s\n", info.reason ? info.reason : "none");
}

/* The total is of what user mode saw; the last two kinds are the sidecar kernel's own. */
static ssize_t exits_show(struct scdrv_vp *vp, char *text)
{
	unsigned int i;
	int used = 0;

	for (i = 0; i < SIDECAR_EXIT_COUNT; i++)
		used += sysfs_emit_at(text, used, "%s %llu\n", exit_names[i],
				      shm_read(&vp->state->exits[i]));
	return used + sysfs_emit_at(text, used, "total %llu\n", scdrv_count_messages(vp));
}

static ssize_t entries_show(struct scdrv_vp *vp, char *text)
{
	return sysfs_emit(text, "%llu\n", shm_read(&vp->state->entries));
}

static ssize_t commands_show(struct scdrv_vp *vp, char *text)
{
	return sysfs_emit(text, "%llu\n", shm_read(&vp->state->commands));
}

/* The counter moves when the guest is left, not while it runs. */
static ssize_t guest_ns_show(struct scdrv_vp *vp, char *text)
{
	u64 ms;
	u32 rest;

	if (!tsc_khz)
		return sysfs_emit(text, "unknown\n");
	ms = div_u64_rem(shm_read(&vp->state->guest_ticks), tsc_khz, &rest);
	return sysfs_emit(text, "%llu\n", ms * NSEC_PER_MSEC +
					  div_u64((u64)rest * NSEC_PER_MSEC, tsc_khz));
}

/* A page holds the lines of all 256 vectors. */
static ssize_t foreign_interrupts_show(struct scdrv_vp *vp, char *text)
{
	unsigned int vector;
	int used = 0;
	u32 count;

	for (vector = 0; vector < ARRAY_SIZE(vp->state->foreign_vectors); vector++) {
		count = shm_read(&vp->state->foreign_vectors[vector]);
		if (count)
			used += sysfs_emit_at(text, used, "%u %u\n", vector, count);
	}
	return used + sysfs_emit_at(text, used, "total %llu\n",
				    shm_read(&vp->state->foreign_interrupts));
}

static ssize_t apic_id_show(struct scdrv_vp *vp, char *text)
{
	return sysfs_emit(text, "%u\n", vp->apic_id);
}

struct vp_attribute {
	struct attribute attribute;
	ssize_t (*show)(struct scdrv_vp *vp, char *text);
};

#define VP_ATTRIBUTE(name) \
	static struct vp_attribute name##_attribute = { { #name, 0444 }, name##_show }

VP_ATTRIBUTE(state);
VP_ATTRIBUTE(owner);
VP_ATTRIBUTE(last_error);
VP_ATTRIBUTE(exits);
VP_ATTRIBUTE(entries);
VP_ATTRIBUTE(commands);
VP_ATTRIBUTE(guest_ns);
VP_ATTRIBUTE(foreign_interrupts);
VP_ATTRIBUTE(apic_id);

static struct attribute *vp_attrs[] = {
	&state_attribute.attribute,   &owner_attribute.attribute,
	&last_error_attribute.attribute, &exits_attribute.attribute,
	&entries_attribute.attribute, &commands_attribute.attribute,
	&guest_ns_attribute.attribute, &foreign_interrupts_attribute.attribute,
	&apic_id_attribute.attribute,
	NULL,
};
ATTRIBUTE_GROUPS(vp);

static ssize_t vp_show(struct kobject *kobject, struct attribute *attribute, char *text)
{
	struct vp_attribute *which = container_of(attribute, struct vp_attribute, attribute);

	return which->show(container_of(kobject, struct scdrv_vp, kobject), text);
}

/* The VP outlives its kobject: whoever removes it waits for this. */
static void vp_release(struct kobject *kobject)
{
	complete(&container_of(kobject, struct scdrv_vp, kobject)->kobject_released);
}

static const struct sysfs_ops vp_sysfs_ops = { .show = vp_show };

static struct kobj_type vp_type = {
	.release = vp_release,
	.sysfs_ops = &vp_sysfs_ops,
	.default_groups = vp_groups,
};

static void remove_vp(struct scdrv_vp *vp)
{
	kobject_put(&vp->kobject);
	wait_for_completion(&vp->kobject_released);
}

static int add_vp(struct scdrv_vp *vp)
{
	int error;

	init_completion(&vp->kobject_released);
	memset(&vp->kobject, 0, sizeof(vp->kobject));
	error = kobject_init_and_add(&vp->kobject, &vp_type,
				     &vp->node->misc.this_device->kobj, "cpu%u", vp->cpu);
	if (error)
		remove_vp(vp);
	return error;
}

/* Index 0 is the base CPU, which Linux describes itself. */
static void remove_vps(struct scdrv_node *node, unsigned int end)
{
	while (end > 1)
		remove_vp(&node->vps[--end]);
}

int scdrv_sysfs_init(void)
{
	scdrv_debugfs_init();
	return 0;
}

void scdrv_sysfs_exit(void)
{
	scdrv_debugfs_exit();
}

int scdrv_sysfs_add(struct scdrv_node *node)
{
	unsigned int i;
	int error;

	for (i = 1; i < node->cpu_count; i++) {
		error = add_vp(&node->vps[i]);
		if (error) {
			remove_vps(node, i);
			return error;
		}
	}
	scdrv_debugfs_add(node);
	return 0;
}

void scdrv_sysfs_remove(struct scdrv_node *node)
{
	scdrv_debugfs_remove(node);
	remove_vps(node, node->cpu_count);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of a node's device; include/sidecar/ioctl.h is their contract. */
#include <linux/uaccess.h>

#include "claim.h"
#include "device.h"
#include "ioctl.h"
#include "move.h"
#include "partition.h"
#include "uring.h"

/* A larger struct is one of a newer program; its unknown part must be zero. */
int scdrv_copy_struct(void *to, size_t size, const void __user *from)
{
	u32 user_size;
	int error;

	if (get_user(user_size, (const u32 __user *)from))
		return -EFAULT;
	if (user_size < size || user_size > PAGE_SIZE)
		return -EINVAL;
	error = copy_struct_from_user(to, size, from, user_size);
	return error == -E2BIG ? -EINVAL : error;
}

static int copy_back(void __user *to, const void *from, size_t size)
{
	return copy_to_user(to, from, size) ? -EFAULT : 0;
}

struct scdrv_vp *scdrv_file_vp(struct scdrv_file *file, unsigned long cpu)
{
	struct scdrv_node *node = file->node;

	if (cpu < node->base_cpu || cpu - node->base_cpu >= node->cpu_count)
		return NULL;
	return &node->vps[cpu - node->base_cpu];
}

static long ioctl_info(struct scdrv_file *file, void __user *argument)
{
	struct sidecar_node_ioctl_info info = {
		.base_cpu = file->node->base_cpu,
		.cpu_count = file->node->cpu_count,
		.per_cpu_shmem = SIDECAR_PER_CPU_SHMEM,
	};

	return copy_back(argument, &info, sizeof(info));
}

static long ioctl_caps(void __user *argument)
{
	struct sidecar_ioctl_caps caps;
	u32 size;
	int error = scdrv_copy_struct(&caps, sizeof(caps), argument);

	if (error)
		return error;
	size = caps.size;
	caps = (struct sidecar_ioctl_caps){
		.size = size,
		.backend = scdrv_image.backend,
		.capabilities = SIDECAR_CAP_PARTITIONS | SIDECAR_CAP_CANCEL |
				SIDECAR_CAP_OWNERSHIP | SCDRV_URING_CAPABILITY |
				(scdrv_boot_can_restart_any() ? SIDECAR_CAP_MOVE : 0),
		.node_count = scdrv_node_count,
		.timeout_ms = scdrv_timeout_ms,
	};
	return copy_back(argument, &caps, sizeof(caps));
}

u64 scdrv_count_messages(const struct scdrv_vp *vp)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < SIDECAR_EXIT_MESSAGES; i++)
		sum += shm_read(&vp->state->exits[i]);
	return sum;
}

static long ioctl_cpu(struct scdrv_file *file, void __user *argument)
{
	struct scdrv_claim_info info;
	struct sidecar_ioctl_cpu cpu;
	struct scdrv_vp *vp;
	int error = scdrv_copy_struct(&cpu, sizeof(cpu), argument);

	if (error)
		return error;
	vp = scdrv_file_vp(file, cpu.cpu);
	if (!vp)
		return -EINVAL;
	scdrv_claim_describe(vp, &info);
	cpu.state = info.state;
	cpu.owned = !info.owner ? 0 : info.owner == file ? 1 : 2;
	cpu.entries = vp->state ? shm_read(&vp->state->entries) : 0;
	cpu.exits = vp->state ? scdrv_count_messages(vp) : 0;
	return copy_back(argument, &cpu, sizeof(cpu));
}

static long ioctl_attach(struct scdrv_file *file, unsigned long argument)
{
	struct scdrv_partition *partition;
	int error;

	if (argument > INT_MAX)
		return -EBADF;
	partition = scdrv_partition_get_fd(argument);
	if (IS_ERR(partition))
		return PTR_ERR(partition);
	error = scdrv_claim_attach(file, partition);
	if (error)
		scdrv_partition_put(partition);
	return error;
}

static long ioctl_vp(struct file *filp, unsigned int request, unsigned long cpu)
{
	struct scdrv_file *file = filp->private_data;
	struct scdrv_vp *vp = scdrv_file_vp(file, cpu);
	int error;

	if (!vp)
		return -EINVAL;
	switch (request) {
	case SIDECAR_IOC_START:
		error = scdrv_file_claim(filp, vp);
		return error ? error : scdrv_claim_start(file, vp);
	case SIDECAR_IOC_RUN:
		error = scdrv_file_claim(filp, vp);
		return error ? error : scdrv_claim_run(file, vp);
	case SIDECAR_IOC_STOP:
		return scdrv_claim_stop(file, vp);
	case SIDECAR_IOC_CLAIM:
		return scdrv_file_claim(filp, vp);
	default:
		scdrv_claim_cancel(file, vp);
		return 0;
	}
}

long scdrv_ioctl(struct file *filp, unsigned int request, unsigned long argument)
{
	struct scdrv_file *file = filp->private_data;

	switch (request) {
	case SIDECAR_IOC_START:
	case SIDECAR_IOC_RUN:
	case SIDECAR_IOC_STOP:
	case SIDECAR_IOC_CANCEL:
	case SIDECAR_IOC_CLAIM:
		return ioctl_vp(filp, request, argument);
	case SIDECAR_IOC_INFO:
		return ioctl_info(file, (void __user *)argument);
	case SIDECAR_IOC_CAPS:
		return ioctl_caps((void __user *)argument);
	case SIDECAR_IOC_CPU:
		return ioctl_cpu(file, (void __user *)argument);
	case SIDECAR_IOC_TAKE:
	case SIDECAR_IOC_GIVE:
	case SIDECAR_IOC_RESET:
		return scdrv_move(file, request, (void __user *)argument);
	case SIDECAR_IOC_PARTITION_CREATE:
		return scdrv_partition_create(file->node->numa_node);
	case SIDECAR_IOC_PARTITION_ATTACH:
		return ioctl_attach(file, argument);
	default:
		return -ENOTTY;
	}
}

// SPDX-License-Identifier: MIT
/* The real driver: devices, ioctls and sysfs. Handles are descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"

static int negative_errno(int result)
{
	return result < 0 ? -errno : result;
}

static int node_open(void *context, uint32_t index)
{
	const struct driver_ioctl_context *paths = context;
	char path[sizeof(paths->device_prefix) + 16];

	snprintf(path, sizeof(path), "%s%u", paths->device_prefix, index);
	return negative_errno(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
}

static void close_handle(void *context, int handle)
{
	(void)context;
	close(handle);
}

static int node_info(void *context, int node, struct sidecar_node_ioctl_info *info)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_INFO, info));
}

static int node_caps(void *context, int node, struct sidecar_ioctl_caps *caps)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_CAPS, caps));
}

static int cpu_info(void *context, int node, struct sidecar_ioctl_cpu *info)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_CPU, info));
}

static int node_map(void *context, int node, size_t length, void **memory)
{
	void *pages;

	(void)context;
	pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, node, 0);
	if (pages == MAP_FAILED)
		return -errno;
	/* A child that wrote there would harm the VPs. The driver may have seen to it already. */
	madvise(pages, length, MADV_DONTFORK);
	*memory = pages;
	return 0;
}

static void node_unmap(void *context, void *memory, size_t length)
{
	(void)context;
	munmap(memory, length);
}

static int claim(void *context, int node, uint32_t cpu)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_CLAIM, (unsigned long)cpu));
}

static int start(void *context, int node, uint32_t cpu)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_START, (unsigned long)cpu));
}

static int stop(void *context, int node, uint32_t cpu)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_STOP, (unsigned long)cpu));
}

static int run(void *context, int node, uint32_t cpu)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_RUN, (unsigned long)cpu));
}

static int cancel(void *context, int node, uint32_t cpu)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_CANCEL, (unsigned long)cpu));
}

static int start_prepare(void *context, int node, uint32_t cpu, struct io_uring *ring,
			 struct io_uring_sqe *sqe, uint64_t user_data)
{
	const struct sidecar_uring_cmd command = { .cpu = cpu };

	(void)context;
	(void)ring;
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, node, NULL, 0, 0);
	sqe->cmd_op = SIDECAR_URING_START;
	memcpy(sqe->cmd, &command, sizeof(command));
	io_uring_sqe_set_data64(sqe, user_data);
	return 0;
}

static int read_completion(void *context, int node, uint32_t *cpu)
{
	ssize_t length = read(node, cpu, sizeof(*cpu));

	(void)context;
	if (length < 0)
		return -errno;
	return length == sizeof(*cpu) ? 0 : -EIO;
}

static int poll_fd(void *context, int node)
{
	(void)context;
	return node;
}

static int partition_create(void *context, int node)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_PARTITION_CREATE));
}

static int partition_attach(void *context, int node, int partition)
{
	(void)context;
	return negative_errno(ioctl(node, SIDECAR_IOC_PARTITION_ATTACH, (unsigned long)partition));
}

static int partition_map(void *context, int partition, const struct sidecar_ioctl_map *map)
{
	(void)context;
	return negative_errno(ioctl(partition, SIDECAR_IOC_PARTITION_MAP, map));
}

static int partition_unmap(void *context, int partition, const struct sidecar_ioctl_unmap *unmap)
{
	(void)context;
	return negative_errno(ioctl(partition, SIDECAR_IOC_PARTITION_UNMAP, unmap));
}

static int online_open(void *context, uint32_t cpu)
{
	const struct driver_ioctl_context *paths = context;
	char path[sizeof(paths->cpu_sysfs_path) + 32];

	snprintf(path, sizeof(path), "%s/cpu%u/online", paths->cpu_sysfs_path, cpu);
	return negative_errno(open(path, O_WRONLY | O_CLOEXEC));
}

static int online_write(void *context, int online)
{
	(void)context;
	return negative_errno((int)pwrite(online, "1", 1, 0));
}

static int online_prepare(void *context, int online, struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	(void)context;
	if (!sqe)
		return -EAGAIN;
	io_uring_prep_write(sqe, online, "1", 1, 0);
	io_uring_sqe_set_data64(sqe, user_data);
	return 0;
}

const struct sidecar_driver driver_ioctl = {
	.node_open = node_open,
	.node_close = close_handle,
	.node_info = node_info,
	.node_caps = node_caps,
	.cpu_info = cpu_info,
	.node_map = node_map,
	.node_unmap = node_unmap,
	.claim = claim,
	.start = start,
	.stop = stop,
	.run = run,
	.cancel = cancel,
	.start_prepare = start_prepare,
	.read_completion = read_completion,
	.poll_fd = poll_fd,
	.partition_create = partition_create,
	.partition_close = close_handle,
	.partition_attach = partition_attach,
	.partition_map = partition_map,
	.partition_unmap = partition_unmap,
	.online_open = online_open,
	.online_close = close_handle,
	.online_write = online_write,
	.online_prepare = online_prepare,
};

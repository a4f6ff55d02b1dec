/* SPDX-License-Identifier: MIT */
/*
 * The seam: what the library asks of the driver, one function an operation. driver_ioctl.c has
 * the real ones; a test brings its own and opens its client with sidecar_open_with().
 *
 * All return 0 (or a handle) or a negative errno, with the values of <sidecar/ioctl.h>. A node
 * handle is one open node file, with what that means for owning VPs. Operations on different
 * handles, and on different CPUs of one handle, come from different threads at once; stop and
 * cancel also from signal handlers and while another operation on the same CPU is in progress.
 */
#ifndef LIBSIDECAR_DRIVER_H
#define LIBSIDECAR_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include <sidecar/ioctl.h>
#include <sidecar/sidecar.h>

struct io_uring;
struct io_uring_sqe;

struct sidecar_driver {
	/* Node files. ENOENT: no node of that index. */
	int (*node_open)(void *context, uint32_t index);
	void (*node_close)(void *context, int node);
	int (*node_info)(void *context, int node, struct sidecar_node_ioctl_info *info);
	int (*node_caps)(void *context, int node, struct sidecar_ioctl_caps *caps); /* or ENOTTY */
	int (*cpu_info)(void *context, int node, struct sidecar_ioctl_cpu *info);   /* or ENOTTY */
	int (*node_map)(void *context, int node, size_t length, void **memory);
	void (*node_unmap)(void *context, void *memory, size_t length);

	/*
	 * On a CPU. cancel is used when the node has SIDECAR_CAP_CANCEL, else stop. With that, run
	 * and start of RUN_VP answer ECANCELED, once, when a cancel came while nothing was in flight.
	 * claim is used when the node has SIDECAR_CAP_OWNERSHIP.
	 */
	int (*claim)(void *context, int node, uint32_t cpu);
	int (*start)(void *context, int node, uint32_t cpu);
	int (*stop)(void *context, int node, uint32_t cpu);
	int (*run)(void *context, int node, uint32_t cpu);
	int (*cancel)(void *context, int node, uint32_t cpu);

	/*
	 * START by way of a ring, when the node has SIDECAR_CAP_URING_CMD: fills this submission of
	 * the ring, whose completion has that user_data and as result 0 or START's error. On an
	 * error the submission is still free.
	 */
	int (*start_prepare)(void *context, int node, uint32_t cpu, struct io_uring *ring,
			     struct io_uring_sqe *sqe, uint64_t user_data);

	/*
	 * One completion, or EAGAIN. ETIMEDOUT: a CPU with an operation in flight has failed and
	 * will not complete it; cpu_info tells which.
	 */
	int (*read_completion)(void *context, int node, uint32_t *cpu);
	/* Polls readable while there is one, and wakes pollers for each new one. */
	int (*poll_fd)(void *context, int node);

	/* Partitions; used when the node has SIDECAR_CAP_PARTITIONS. */
	int (*partition_create)(void *context, int node);
	void (*partition_close)(void *context, int partition);
	int (*partition_attach)(void *context, int node, int partition);
	int (*partition_map)(void *context, int partition, const struct sidecar_ioctl_map *map);
	int (*partition_unmap)(void *context, int partition,
			       const struct sidecar_ioctl_unmap *unmap);

	/*
	 * The CPU's online file. online_write is one attempt, blocking. online_prepare is the same
	 * by way of a ring: it fills one submission of the ring, or posts a completion there later
	 * by IORING_OP_MSG_RING, with that user_data and 1 or a negative errno as result; EAGAIN:
	 * the submission queue is full. The handle stays open until then.
	 */
	int (*online_open)(void *context, uint32_t cpu);
	void (*online_close)(void *context, int online);
	int (*online_write)(void *context, int online);
	int (*online_prepare)(void *context, int online, struct io_uring *ring, uint64_t user_data);
};

/*
 * sidecar_open() over another driver; context goes to each of its functions, and both outlive the
 * client. options->device_prefix and cpu_sysfs_path have no effect. In the static library only.
 */
int sidecar_open_with(const struct sidecar_options *options, const struct sidecar_driver *driver,
		      void *context, struct sidecar **client);

/* The real operations. Their context is a struct driver_ioctl_context. */
extern const struct sidecar_driver driver_ioctl;

struct driver_ioctl_context {
	char device_prefix[256];
	char cpu_sysfs_path[256];
};

#endif

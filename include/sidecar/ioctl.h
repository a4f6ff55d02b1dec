/* SPDX-License-Identifier: MIT */
/*
 * The driver's device, /dev/mshv_vtl_sidecar<index>, one per node.
 *
 * START, STOP, RUN and INFO, read(), poll() and mmap() are those of the original driver. Numbers
 * 0xE0 and up are ours; a driver that does not know them answers ENOTTY. Errors are errno values.
 */
#ifndef SIDECAR_IOCTL_H
#define SIDECAR_IOCTL_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#include <sidecar/hv.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIDECAR_DEVICE_PREFIX "mshv_vtl_sidecar"
#define SIDECAR_IOC_TYPE 0xB8

struct sidecar_node_ioctl_info {
	uint32_t base_cpu;
	uint32_t cpu_count;	/* the base CPU included */
	uint32_t per_cpu_shmem; /* bytes of shared memory per CPU */
};
SIDECAR_ASSERT_SIZE(struct sidecar_node_ioctl_info, 12);

/*
 * The argument of the first three is a Linux CPU number, by value.
 *
 * START  asks a CPU to take the command in its command page; read() tells when it is complete.
 *        EINVAL CPU outside the node, ENOENT not in the sidecar, EBUSY in use or owned by another
 *        open file, ETIMEDOUT the CPU has failed, EBADF the descriptor was closed meanwhile.
 * STOP   asks a started CPU to stop. EINVAL: no command of START's is pending. Consumes nothing.
 * RUN    START and waiting in one. EINTR: a signal; the command was stopped, its page is valid.
 *        RUN and START of RUN_VP: ECANCELED, see CANCEL.
 */
#define SIDECAR_IOC_START _IO(SIDECAR_IOC_TYPE, 0xF0)
#define SIDECAR_IOC_STOP _IO(SIDECAR_IOC_TYPE, 0xF1)
#define SIDECAR_IOC_RUN _IO(SIDECAR_IOC_TYPE, 0xF2)
#define SIDECAR_IOC_INFO _IOR(SIDECAR_IOC_TYPE, 0xF3, struct sidecar_node_ioctl_info)

/* ---- extensions ------------------------------------------------------------------------------ */

/* Each extension struct begins with its size; a driver that knows fewer bytes answers EINVAL. */

#define SIDECAR_CAP_PARTITIONS (1ull << 0) /* PARTITION_*: the guest's memory is the VMM's to map */
#define SIDECAR_CAP_CANCEL (1ull << 1)	   /* CANCEL */
#define SIDECAR_CAP_OWNERSHIP (1ull << 2)  /* a VP belongs to the open file that claimed it */
#define SIDECAR_CAP_URING_CMD (1ull << 3)  /* operations as IORING_OP_URING_CMD */
#define SIDECAR_CAP_MOVE (1ull << 4)	   /* TAKE, GIVE, RESET */

struct sidecar_ioctl_caps {
	uint32_t size;
	uint32_t backend;      /* out: SIDECAR_BACKEND_* */
	uint64_t capabilities; /* out: SIDECAR_CAP_* */
	uint32_t node_count;   /* out: how many nodes this driver has */
	uint32_t timeout_ms;   /* out: the bound of every wait but RUN_VP's own */
};
SIDECAR_ASSERT_SIZE(struct sidecar_ioctl_caps, 24);

/* What the driver knows of one CPU of the node. */
#define SIDECAR_CPU_STATE_REMOVED 0u /* Linux's, or nobody's */
#define SIDECAR_CPU_STATE_IDLE 1u
#define SIDECAR_CPU_STATE_BUSY 2u
#define SIDECAR_CPU_STATE_FAILED 3u

struct sidecar_ioctl_cpu {
	uint32_t size;
	uint32_t cpu;	   /* in: Linux CPU number */
	uint32_t state;	   /* out: SIDECAR_CPU_STATE_* */
	uint32_t owned;	   /* out: 0 nobody's, 1 this open file's, 2 another's */
	uint64_t entries;  /* out: guest entries since the CPU came up */
	uint64_t exits;	   /* out: intercepts reported since then */
};
SIDECAR_ASSERT_SIZE(struct sidecar_ioctl_cpu, 32);

#define SIDECAR_MAP_READ 1u
#define SIDECAR_MAP_WRITE 2u
#define SIDECAR_MAP_EXECUTE 4u

/*
 * On the descriptor of a partition. Addresses and length are multiples of 4096; user memory must
 * be the caller's, is pinned until unmapped and charged to RLIMIT_MEMLOCK once.
 * EINVAL unaligned, empty, beyond 2^48 or unknown flags; EEXIST overlaps a mapped range; EFAULT
 * not the caller's memory; ENOMEM RLIMIT_MEMLOCK or no memory; unmap: ENOENT not what was mapped,
 * ETIMEDOUT a CPU that could not even be reset may still use it: the pages stay pinned.
 */
struct sidecar_ioctl_map {
	uint32_t size;
	uint32_t flags; /* SIDECAR_MAP_*; AMD-V guests can always read and execute what is mapped
			   READ; EXECUTE absent sets no-execute */
	uint64_t gpa;
	uint64_t user;
	uint64_t length;
};
SIDECAR_ASSERT_SIZE(struct sidecar_ioctl_map, 32);

struct sidecar_ioctl_unmap {
	uint32_t size;
	uint32_t flags; /* 0 */
	uint64_t gpa;
	uint64_t length; /* whole ranges as they were mapped */
};
SIDECAR_ASSERT_SIZE(struct sidecar_ioctl_unmap, 24);

/* On the node's descriptor. */
#define SIDECAR_IOC_CAPS _IOWR(SIDECAR_IOC_TYPE, 0xE0, struct sidecar_ioctl_caps)
/*
 * STOP that is never an error for a CPU of the node, and sticky: when the caller owns the VP and no
 * RUN_VP is in flight on it, the next RUN_VP does not start but ends with ECANCELED, once, whether
 * it comes by RUN, START or URING_START. Closing forgets it.
 */
#define SIDECAR_IOC_CANCEL _IO(SIDECAR_IOC_TYPE, 0xE1)
/* Returns the descriptor of a new, empty partition. */
#define SIDECAR_IOC_PARTITION_CREATE _IO(SIDECAR_IOC_TYPE, 0xE2)
/* Argument: a partition's descriptor. EBUSY after this open file has claimed a VP; EBADF. */
#define SIDECAR_IOC_PARTITION_ATTACH _IO(SIDECAR_IOC_TYPE, 0xE3)
#define SIDECAR_IOC_CPU _IOWR(SIDECAR_IOC_TYPE, 0xE4, struct sidecar_ioctl_cpu)
/*
 * Claims a CPU without starting a command, so that its pages are this open file's before anything
 * is written there. Argument and errors are START's; success without effect for the owner.
 */
#define SIDECAR_IOC_CLAIM _IO(SIDECAR_IOC_TYPE, 0xE5)

/*
 * CPUs of the node go from Linux to the sidecar, or back, or begin anew. For CAP_SYS_ADMIN, else
 * EPERM. The call answers 0 when it has looked at every entry; each has an errno of its own, and a
 * CPU that is refused by either side is where it was. EINVAL: count is 0 or above
 * SIDECAR_MAX_MOVES. Entries after a signal, and all while the machine goes down, have EINTR.
 * EOPNOTSUPP, for an entry: INIT and SIPI do not start this CPU (a hypervisor does).
 *
 * TAKE   Linux takes the CPU offline, if it is online, and it starts in the sidecar, idle and
 *        nobody's; many start at once. EINVAL outside the node or its base CPU; EEXIST in the
 *        sidecar already; ETIMEDOUT it did not start, and is Linux's again; what Linux refuses with.
 * GIVE   Linux brings the CPU online. EINVAL as above; ENOENT not in the sidecar; EBUSY a command is
 *        in flight; what Linux refuses with, and then it is in the sidecar again, idle.
 * RESET  INIT and SIPI, whatever the CPU does, and it starts in the sidecar again, nobody's. A
 *        command in flight ends with ETIMEDOUT. EINVAL, ENOENT as GIVE; ETIMEDOUT it did not start
 *        and is failed.
 */
#define SIDECAR_MAX_MOVES 4096u

struct sidecar_move {
	uint32_t cpu;  /* in: Linux CPU number */
	int32_t error; /* out: 0, or an errno value above 0 */
};
SIDECAR_ASSERT_SIZE(struct sidecar_move, 8);

struct sidecar_ioctl_move {
	uint32_t size;
	uint32_t count; /* entries */
	uint64_t moves; /* address of the array of struct sidecar_move */
};
SIDECAR_ASSERT_SIZE(struct sidecar_ioctl_move, 16);

#define SIDECAR_IOC_TAKE _IOWR(SIDECAR_IOC_TYPE, 0xE6, struct sidecar_ioctl_move)
#define SIDECAR_IOC_GIVE _IOWR(SIDECAR_IOC_TYPE, 0xE7, struct sidecar_ioctl_move)
#define SIDECAR_IOC_RESET _IOWR(SIDECAR_IOC_TYPE, 0xEA, struct sidecar_ioctl_move)

/*
 * IORING_OP_URING_CMD on the node's descriptor, with this as cmd_op and struct sidecar_uring_cmd
 * as the 16 bytes of payload: START whose completion is the CQE, not read(). The CQE's result is 0
 * when the command is complete, or START's errno; ECANCELED when the owner closed meanwhile and the
 * command was stopped, or as CANCEL says. STOP and CANCEL work on it as on START.
 */
#define SIDECAR_URING_START 0xF8u

struct sidecar_uring_cmd {
	uint32_t cpu;
	uint32_t flags;	   /* 0, else EINVAL */
	uint64_t reserved; /* 0, else EINVAL */
};
SIDECAR_ASSERT_SIZE(struct sidecar_uring_cmd, 16);

/* On a partition's descriptor. */
#define SIDECAR_IOC_PARTITION_MAP _IOW(SIDECAR_IOC_TYPE, 0xE8, struct sidecar_ioctl_map)
#define SIDECAR_IOC_PARTITION_UNMAP _IOW(SIDECAR_IOC_TYPE, 0xE9, struct sidecar_ioctl_unmap)

#ifdef __cplusplus
}
#endif

#endif

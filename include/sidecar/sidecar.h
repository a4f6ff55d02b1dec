/* SPDX-License-Identifier: MIT */
/*
 * libsidecar: run virtual processors on CPUs that never booted Linux.
 *
 * Four nouns, all opaque:
 *
 *   struct sidecar            the client: every node of the machine. Any thread.
 *   struct sidecar_partition  a guest's memory. Any thread.
 *   struct sidecar_vp         one CPU, exclusive, with at most one operation in flight. One thread
 *                             at a time, but sidecar_vp_cancel() from anywhere.
 *   struct sidecar_queue      operations on many VPs from one thread, with events by value. Only
 *                             the thread that created it.
 *
 * Errors: a function returns 0 or a count, or a negative errno value; the text and the details are
 * in the object that it was called on (in the client for one that makes an object). Each kind of
 * error has one errno value of its own besides those of the system (SIDECAR_ERROR_* below). The
 * library never prints, aborts or exits.
 *
 * Deadlines are absolute, in nanoseconds of CLOCK_MONOTONIC; 0 has always passed.
 *
 * A child after fork() must not use what its parent opened: the mappings are not there.
 */
#ifndef SIDECAR_SIDECAR_H
#define SIDECAR_SIDECAR_H

#include <stddef.h>
#include <stdint.h>

#include <sidecar/abi.h>
#include <sidecar/hv.h>
#include <sidecar/ioctl.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)
#pragma GCC diagnostic push
/* sidecar_error() beside struct sidecar_error is as stat() beside struct stat. */
#pragma GCC diagnostic ignored "-Wshadow"

/* ---- version --------------------------------------------------------------------------------- */

#define SIDECAR_VERSION_MAJOR 0
#define SIDECAR_VERSION_MINOR 1
#define SIDECAR_VERSION_PATCH 0
#define SIDECAR_VERSION_NUMBER \
	((SIDECAR_VERSION_MAJOR << 16) | (SIDECAR_VERSION_MINOR << 8) | SIDECAR_VERSION_PATCH)

/* The library that runs, where the macros are the one that was compiled against. */
uint32_t sidecar_version(void);
const char *sidecar_version_string(void);

/* ---- errors ---------------------------------------------------------------------------------- */

enum sidecar_error_kind {
	SIDECAR_ERROR_NONE,
	SIDECAR_ERROR_ERRNO,	  /* the library's or the driver's; code is the errno value */
	SIDECAR_ERROR_TEXT,	  /* EIO: the sidecar kernel refused the command; text is its own */
	SIDECAR_ERROR_HYPERVISOR, /* EREMOTEIO: hv_status says why, index which register */
	SIDECAR_ERROR_PROTOCOL,	  /* EPROTO: the shared page holds what no kernel may write */
	SIDECAR_ERROR_TIMEOUT,	  /* ETIMEDOUT: a bounded wait ended; the CPU counts as failed */
	SIDECAR_ERROR_CANCELLED	  /* ECANCELED */
};

#define SIDECAR_ERROR_TEXT_SIZE 512u
#define SIDECAR_NO_INDEX UINT32_MAX

/* Written by the library, its size too. */
struct sidecar_error {
	uint32_t size;
	uint32_t kind;	    /* enum sidecar_error_kind */
	int32_t code;	    /* negative errno, as the function returned it; 0 = no error so far */
	uint32_t hv_status; /* HV_STATUS_*, when kind is HYPERVISOR */
	uint32_t index;	    /* of the first register that failed, or SIDECAR_NO_INDEX */
	uint32_t reserved[11];
	char text[SIDECAR_ERROR_TEXT_SIZE]; /* one line, NUL at its end, never empty on an error */
};
SIDECAR_ASSERT_SIZE(struct sidecar_error, 64 + SIDECAR_ERROR_TEXT_SIZE);

/* ---- client ---------------------------------------------------------------------------------- */

struct sidecar;
struct sidecar_partition;
struct sidecar_vp;
struct sidecar_queue;

#define SIDECAR_NO_DEADLINE UINT64_MAX
#define SIDECAR_DEFAULT_TIMEOUT_NS UINT64_C(5000000000)

/* Zero everything but size; the library takes the defaults for zeroes. */
struct sidecar_options {
	size_t size;		     /* sizeof(struct sidecar_options) */
	const char *device_prefix;   /* "/dev/mshv_vtl_sidecar"; the node's index is appended */
	const char *cpu_sysfs_path;  /* "/sys/devices/system/cpu" */
	uint64_t timeout_ns;	     /* bound of every wait but a run's own; 5 s */
	struct sidecar_error *error; /* where sidecar_open() leaves its error; may be NULL */

	/*
	 * Told of what happens, one line of text at a time, by whichever thread it happens in;
	 * never from inside sidecar_vp_cancel(). It must not call the library. NULL: nobody is.
	 */
	void (*log)(void *context, uint32_t level, const char *text);
	void *log_context;
};

enum sidecar_log_level {
	SIDECAR_LOG_ERROR,   /* a CPU has failed */
	SIDECAR_LOG_WARNING, /* an operation has */
	SIDECAR_LOG_INFO,    /* nodes found, conversions */
	SIDECAR_LOG_DEBUG    /* VPs made and destroyed */
};

#define SIDECAR_ABSENT 1 /* this machine has no sidecar */

/*
 * Opens every node. Returns 0; SIDECAR_ABSENT when there is no node at all, which is no failure,
 * with *client NULL; or a negative errno with the text in options->error.
 * *client is the caller's, to be closed with sidecar_close().
 */
int sidecar_open(const struct sidecar_options *options, struct sidecar **client);

/* EBUSY while one of its partitions, VPs or queues exists. NULL is allowed. */
int sidecar_close(struct sidecar *client);

/* The last error of any thread on this client; valid until this thread asks for another one. */
const struct sidecar_error *sidecar_error(struct sidecar *client);

#define SIDECAR_NO_NUMA_NODE UINT32_MAX

/* A node: CPUs base_cpu to base_cpu + cpu_count - 1. Written by the library, its size too. */
struct sidecar_node_info {
	uint32_t size;
	uint32_t index;	       /* the device's */
	uint32_t base_cpu;     /* Linux's own; not a VP */
	uint32_t cpu_count;    /* the base CPU included */
	uint64_t capabilities; /* SIDECAR_CAP_*; 0 for a driver without extensions */
	uint32_t backend;      /* SIDECAR_BACKEND_*; 0 for a driver without extensions */
	uint32_t numa_node;    /* Linux's number of its memory node, or SIDECAR_NO_NUMA_NODE */
	uint32_t reserved[8];
};
SIDECAR_ASSERT_SIZE(struct sidecar_node_info, 64);

/* Nodes are in the order of their base CPUs. There may be gaps between them. */
uint32_t sidecar_node_count(const struct sidecar *client);

/* ENOENT: no such node. */
int sidecar_node_info(struct sidecar *client, uint32_t i, struct sidecar_node_info *info);

/* The node that holds a CPU. ENOENT: none does. info may be NULL. */
int sidecar_cpu_lookup(struct sidecar *client, uint32_t cpu, struct sidecar_node_info *info);

/* What the driver knows of a CPU. Written by the library, its size too. */
struct sidecar_cpu_info {
	uint32_t size;
	uint32_t cpu;
	uint32_t state;	  /* SIDECAR_CPU_STATE_* */
	uint32_t owned;	  /* 0 nobody's, 1 this client's, 2 another's */
	uint64_t entries; /* guest entries since the CPU came up */
	uint64_t exits;	  /* intercepts reported since then */
	uint32_t reserved[8];
};
SIDECAR_ASSERT_SIZE(struct sidecar_cpu_info, 64);

/* ENOENT: the CPU is in no node. ENOTSUP: the driver has no such call. */
int sidecar_cpu_info(struct sidecar *client, uint32_t cpu, struct sidecar_cpu_info *info);

/* ---- memory and threads of a node ------------------------------------------------------------ */

#define SIDECAR_MEMORY_POPULATE 1u    /* every page is there when the call returns */
#define SIDECAR_MEMORY_SMALL_PAGES 2u /* no huge pages */

/*
 * Memory for a guest, all zero, on the memory node of node i: 2 MiB pages when size is that or more
 * and there are any, else small ones that the kernel may join. ENOENT no such node; EINVAL no size
 * or unknown flags; ENOMEM. To be freed with sidecar_memory_free() and the same size; it does not
 * depend on the client.
 */
int sidecar_memory_alloc(struct sidecar *client, uint32_t i, size_t size, uint32_t flags,
			 void **memory);

/* Not while a partition maps it. NULL is allowed. */
void sidecar_memory_free(void *memory, size_t size);

/*
 * The calling thread runs on node i's base CPU from now on, where its completions come and, of a
 * queue created then, the ring is near. ENOENT no such node; EINVAL that CPU is offline.
 */
int sidecar_pin_thread(struct sidecar *client, uint32_t i);

/* ---- partition ------------------------------------------------------------------------------- */

/*
 * An empty partition. On nodes without SIDECAR_CAP_PARTITIONS the partition is the whole guest:
 * it has no memory calls (ENOTSUP). To be closed with sidecar_partition_close().
 */
int sidecar_partition_create(struct sidecar *client, struct sidecar_partition **partition);

/* Unmaps everything. EBUSY while a VP is in it. NULL is allowed. */
int sidecar_partition_close(struct sidecar_partition *partition);

/*
 * The guest sees length bytes of the caller's memory at gpa, at once, also in VPs that run.
 * flags: SIDECAR_MAP_*. Everything is a multiple of 4096. The memory is pinned until unmapped.
 * EINVAL unaligned, empty, beyond 2^48, unknown flags; EEXIST overlaps what is mapped; EFAULT not
 * the caller's memory; ENOMEM too much for RLIMIT_MEMLOCK, the text names limit and need.
 */
int sidecar_partition_map(struct sidecar_partition *partition, uint64_t gpa, void *memory,
			  uint64_t length, uint32_t flags);

/* Whole ranges as they were mapped, else ENOENT. No VP sees the memory when it returns. */
int sidecar_partition_unmap(struct sidecar_partition *partition, uint64_t gpa, uint64_t length);

/* The last error of any thread on it; valid until this thread asks for another one. */
const struct sidecar_error *sidecar_partition_error(struct sidecar_partition *partition);

/* ---- events ---------------------------------------------------------------------------------- */

enum sidecar_operation {
	SIDECAR_OPERATION_NONE,
	SIDECAR_OPERATION_RUN,
	SIDECAR_OPERATION_GET_REGISTERS,
	SIDECAR_OPERATION_SET_REGISTERS,
	SIDECAR_OPERATION_TRANSLATE,
	SIDECAR_OPERATION_TEST,
	SIDECAR_OPERATION_CONVERT
};

enum sidecar_event_kind {
	SIDECAR_EVENT_NONE,
	SIDECAR_EVENT_INTERCEPT, /* a run ended with a message: sidecar_vp_message() */
	SIDECAR_EVENT_CANCELLED, /* a run ended without: by sidecar_vp_cancel(), error 0, or by its
				    deadline, error -ETIMEDOUT */
	SIDECAR_EVENT_DONE,	 /* any other operation succeeded */
	SIDECAR_EVENT_ERROR,	 /* the operation failed, the VP is usable: sidecar_vp_error() */
	SIDECAR_EVENT_FAILED,	 /* the CPU does not answer: destroy the VP */
	SIDECAR_EVENT_TURN	 /* a run ended without: the VP may be converted now, see
				    sidecar_vp_request_conversion() */
};

/* Written by the library, its size too. */
struct sidecar_event {
	uint32_t size;
	uint32_t kind;	    /* enum sidecar_event_kind */
	uint32_t operation; /* enum sidecar_operation */
	int32_t error;	    /* negative errno */
	struct sidecar_vp *vp;
	uint64_t user; /* as given to the prepare call */
	uint64_t reserved[4];
};
SIDECAR_ASSERT_SIZE(struct sidecar_event, 64);

/* ---- VP -------------------------------------------------------------------------------------- */

/*
 * Takes a CPU. partition NULL: a guest without memory in world S, the whole guest in world H.
 * The first VP of a partition on a node takes registers in reset state; a CPU stays the
 * partition's until its last VP on that node is destroyed, and a VP made on it again before that
 * finds the registers as they were.
 * ENOENT the CPU is in no node, is a base CPU, or is Linux's; EBUSY somebody has it already;
 * ETIMEDOUT it does not answer. To be destroyed with sidecar_vp_destroy().
 */
int sidecar_vp_create(struct sidecar *client, uint32_t cpu, struct sidecar_partition *partition,
		      struct sidecar_vp **vp);

/*
 * Ends the VP, cancelling and awaiting an operation in flight, which then has no event; one that
 * is attached to a queue must be destroyed by the queue's thread and is detached. NULL is allowed.
 */
int sidecar_vp_destroy(struct sidecar_vp *vp);

uint32_t sidecar_vp_cpu(const struct sidecar_vp *vp);

/*
 * Pointers that stay valid as long as the VP; touch what they point to only while nothing is in
 * flight. The context (general registers but RSP, CR2, x87 and SSE) and the register page are
 * shared with the CPU and take effect at the next run. The message is a private copy of the last
 * intercept's, its payload length checked.
 */
struct sidecar_cpu_context *sidecar_vp_context(struct sidecar_vp *vp);
struct hv_register_page *sidecar_vp_register_page(struct sidecar_vp *vp);
const struct hv_message *sidecar_vp_message(const struct sidecar_vp *vp);

/* The last error of this VP; valid as long as the VP. */
const struct sidecar_error *sidecar_vp_error(const struct sidecar_vp *vp);

/*
 * The blocking forms. EBUSY while an operation is in flight or prepared. Signals do not end them:
 * call sidecar_vp_cancel() in the handler.
 */

/*
 * Runs the guest until an intercept, a cancel or the deadline. Returns 0 with an event of kind
 * INTERCEPT or CANCELLED, or a negative errno with one of kind ERROR or FAILED. event may be NULL.
 */
int sidecar_vp_run(struct sidecar_vp *vp, uint64_t deadline_ns, struct sidecar_event *event);

/*
 * Makes the run in flight, or else the next one, end with CANCELLED. Sticky: only a CANCELLED
 * event takes it back; a run that ends with an intercept first leaves it for the next. From any
 * thread and from signal handlers, as long as the VP exists; errno is saved.
 */
int sidecar_vp_cancel(struct sidecar_vp *vp);

/*
 * Any number of registers of one VTL (HV_VTL_*), names in, values out or in. On EREMOTEIO
 * sidecar_vp_error() has the index and the status of the first that failed: those before it are
 * done, those after it untouched. Each takes the cheapest path that is right: context, register
 * page, command; what is changed in the page by hand is what a get returns. When an error has no
 * index, it is a value so changed that was refused.
 */
int sidecar_vp_get_registers(struct sidecar_vp *vp, uint8_t vtl, struct hv_register_assoc *regs,
			     size_t count);
int sidecar_vp_set_registers(struct sidecar_vp *vp, uint8_t vtl,
			     const struct hv_register_assoc *regs, size_t count);
int sidecar_vp_get_register(struct sidecar_vp *vp, uint8_t vtl, uint32_t name,
			    struct hv_u128 *value);
int sidecar_vp_set_register(struct sidecar_vp *vp, uint8_t vtl, uint32_t name,
			    struct hv_u128 value);
int sidecar_vp_get_register64(struct sidecar_vp *vp, uint8_t vtl, uint32_t name, uint64_t *value);
int sidecar_vp_set_register64(struct sidecar_vp *vp, uint8_t vtl, uint32_t name, uint64_t value);

/*
 * What has been changed in the register page, and waits for the next run, becomes the registers'
 * value now, and the page is off (is_valid 0) until the next run ends: before something other than
 * this library is to see the VP's registers. After an error the page is as it was.
 */
int sidecar_vp_flush_registers(struct sidecar_vp *vp);

/*
 * Walks the guest's page tables. flags: HV_TRANSLATE_*, with a VTL named in its top byte (EINVAL
 * without): (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT. A translation that fails is a success
 * with a result code in output->result.
 */
int sidecar_vp_translate(struct sidecar_vp *vp, uint64_t gva, uint64_t flags,
			 struct hv_translate_output *output);

/* Does nothing, on the VP's CPU: is it alive? */
int sidecar_vp_test(struct sidecar_vp *vp);

/*
 * Makes the CPU a Linux CPU. One at a time in a process; the others wait, first come, first
 * served. ETIMEDOUT when the deadline passes before it is this one's turn or before Linux could
 * begin; once Linux has begun it ends. After success the VP only can be destroyed (ENOENT); after
 * a failure it is as it was.
 */
int sidecar_vp_convert(struct sidecar_vp *vp, uint64_t deadline_ns);

/*
 * For a VP that is to go on running while others are converted. It takes its place in the line;
 * when it comes first, its run in flight, or else its next one, ends with an event of kind TURN,
 * and so does no other run. Then save it and convert it: that conversion waits for nobody. The
 * place is given up by the end of the conversion, whichever it is, by withdrawal, and by
 * sidecar_vp_destroy(); until then all others wait.
 * Both from any thread as long as the VP exists; their errors are in the client.
 * EALREADY it is in line; ENOENT (withdraw) it is not; EBUSY (withdraw) the conversion has begun.
 */
int sidecar_vp_request_conversion(struct sidecar_vp *vp);
int sidecar_vp_withdraw_conversion(struct sidecar_vp *vp);

#define SIDECAR_VP_STATE_VERSION 1u
#define SIDECAR_VP_STATE_REGISTERS 112u

/*
 * All that a VP is but its memory: registers, x87 and SSE, what is pending, MTRRs, activity. It has
 * no pointers and may be stored and moved.
 */
struct sidecar_vp_state {
	uint32_t size;	  /* written by sidecar_vp_save() */
	uint32_t version; /* SIDECAR_VP_STATE_VERSION */
	uint32_t backend; /* SIDECAR_BACKEND_*: where the values come from */
	uint32_t count;	  /* of registers */
	struct sidecar_cpu_context context;
	struct hv_register_assoc registers[SIDECAR_VP_STATE_REGISTERS]; /* of VTL 0 */
};
SIDECAR_ASSERT_SIZE(struct sidecar_vp_state,
		    16 + 1024 + SIDECAR_VP_STATE_REGISTERS * sizeof(struct hv_register_assoc));

/*
 * Every register that can be read, and set again, of an idle VP; what is changed and not yet run is
 * part of it. The VP is unchanged.
 */
int sidecar_vp_save(struct sidecar_vp *vp, struct sidecar_vp_state *state);

/*
 * Makes a VP, this one or another, what was saved. EINVAL: not a state, or another version's.
 * EREMOTEIO: the error's index says which of state->registers was refused; the VP has those
 * before it.
 */
int sidecar_vp_restore(struct sidecar_vp *vp, const struct sidecar_vp_state *state);

/* Since the VP was made. Written by the library, its size too. */
struct sidecar_vp_counters {
	uint32_t size;
	uint32_t cpu;
	uint64_t runs;		   /* RUN_VP commands; one that was started again counts twice */
	uint64_t commands;	   /* other commands */
	uint64_t intercepts;	   /* events of this kind, and so on */
	uint64_t cancelled;
	uint64_t turns;
	uint64_t done;
	uint64_t errors;	   /* ERROR and FAILED */
	uint64_t register_context; /* registers read or written in the context */
	uint64_t register_page;	   /* in the register page */
	uint64_t register_command; /* by a command */
	uint64_t register_skipped; /* not written: they had the value */
	uint64_t page_flushes;	   /* how often the register page was emptied */
	uint64_t reserved[3];
};
SIDECAR_ASSERT_SIZE(struct sidecar_vp_counters, 128);

/* By the thread that uses the VP. */
void sidecar_vp_counters(const struct sidecar_vp *vp, struct sidecar_vp_counters *counters);

/* ---- queue ----------------------------------------------------------------------------------- */

struct sidecar_queue_options {
	size_t size;	  /* sizeof(struct sidecar_queue_options) */
	uint32_t entries; /* of the ring; 0 = 128 */
	uint32_t reserved;
};

/* options may be NULL. To be closed with sidecar_queue_close() by the thread that creates it. */
int sidecar_queue_create(struct sidecar *client, const struct sidecar_queue_options *options,
			 struct sidecar_queue **queue);

/*
 * EBUSY while a VP is attached. NULL is allowed. EPERM from another thread, as in all that follow;
 * the text is in the client then.
 */
int sidecar_queue_close(struct sidecar_queue *queue);

/* Both only while nothing is in flight or prepared on the VP, else EBUSY. */
int sidecar_queue_attach(struct sidecar_queue *queue, struct sidecar_vp *vp);
int sidecar_queue_detach(struct sidecar_queue *queue, struct sidecar_vp *vp);

/*
 * Prepare an operation on an attached VP; sidecar_queue_submit() starts it and its event brings
 * user back. Arrays and outputs stay the library's until the event. EBUSY: one is in flight.
 */
int sidecar_queue_prepare_run(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user);
/* The run also ends at the deadline, with CANCELLED and error -ETIMEDOUT. */
int sidecar_queue_prepare_run_until(struct sidecar_queue *queue, struct sidecar_vp *vp,
				    uint64_t deadline_ns, uint64_t user);
int sidecar_queue_prepare_get_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, struct hv_register_assoc *regs, size_t count,
					uint64_t user);
int sidecar_queue_prepare_set_registers(struct sidecar_queue *queue, struct sidecar_vp *vp,
					uint8_t vtl, const struct hv_register_assoc *regs,
					size_t count, uint64_t user);
int sidecar_queue_prepare_translate(struct sidecar_queue *queue, struct sidecar_vp *vp,
				    uint64_t gva, uint64_t flags,
				    struct hv_translate_output *output, uint64_t user);
int sidecar_queue_prepare_test(struct sidecar_queue *queue, struct sidecar_vp *vp, uint64_t user);
int sidecar_queue_prepare_convert(struct sidecar_queue *queue, struct sidecar_vp *vp,
				  uint64_t deadline_ns, uint64_t user);

/*
 * Starts what was prepared and returns how many; one that cannot start has an ERROR event. To go on
 * to sidecar_queue_wait() at once does the same, and is one system call less.
 */
int sidecar_queue_submit(struct sidecar_queue *queue);

/*
 * Starts what was prepared, and takes up to max events, waiting until there are min of them,
 * nothing more is in flight, or the deadline has passed. Returns how many, or EINTR when a signal
 * came before the first one.
 */
int sidecar_queue_wait(struct sidecar_queue *queue, struct sidecar_event *events, uint32_t max,
		       uint32_t min, uint64_t deadline_ns);

/*
 * A descriptor that is readable when sidecar_queue_wait() with min 0 is worth a call; that call
 * makes it unreadable again. To be polled, by any thread, never read. Valid as long as the queue.
 */
int sidecar_queue_fd(struct sidecar_queue *queue);

/* Since the queue was made. Written by the library, its size too. */
struct sidecar_queue_counters {
	uint32_t size;
	uint32_t reserved0;
	uint64_t commands;   /* given to CPUs */
	uint64_t events;     /* all of them, and of these */
	uint64_t intercepts; /* INTERCEPT */
	uint64_t errors;     /* ERROR and FAILED */
	uint64_t waits;	     /* calls of sidecar_queue_wait() */
	uint64_t sleeps;     /* system calls that submit and wait */
	uint64_t submits;    /* system calls that only submit */
	uint64_t fetches;    /* system calls that only fetch completions */
	uint64_t reserved[7];
};
SIDECAR_ASSERT_SIZE(struct sidecar_queue_counters, 128);

void sidecar_queue_counters(const struct sidecar_queue *queue,
			    struct sidecar_queue_counters *counters);

/* The last error of this queue; valid as long as the queue. */
const struct sidecar_error *sidecar_queue_error(const struct sidecar_queue *queue);

/* ---- names ----------------------------------------------------------------------------------- */

/* Static texts, never NULL; "unknown" for a number without a name. */
const char *sidecar_error_kind_name(uint32_t kind);
const char *sidecar_event_kind_name(uint32_t kind);
const char *sidecar_operation_name(uint32_t operation);
const char *sidecar_cpu_state_name(uint32_t state);   /* SIDECAR_CPU_STATE_* */
const char *sidecar_cpu_status_name(uint32_t status); /* SIDECAR_STATUS_* */
const char *sidecar_backend_name(uint32_t backend);   /* SIDECAR_BACKEND_* */
const char *sidecar_command_name(uint32_t command);   /* SIDECAR_COMMAND_* */
const char *sidecar_hv_status_name(uint32_t status);  /* HV_STATUS_* */
const char *sidecar_message_name(uint32_t type);      /* HV_MESSAGE_* */
const char *sidecar_exit_name(uint32_t exit);	      /* SIDECAR_EXIT_* */
const char *sidecar_log_level_name(uint32_t level);   /* SIDECAR_LOG_* */
const char *sidecar_register_name(uint32_t name);     /* HV_REGISTER_* */

#pragma GCC diagnostic pop
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif

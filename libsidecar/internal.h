/* SPDX-License-Identifier: MIT */
/* The four nouns from the inside, and what the library's files offer each other. */
#ifndef LIBSIDECAR_INTERNAL_H
#define LIBSIDECAR_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sidecar/sidecar.h>

#include "driver.h"
#include "transport.h"

/* On the path of a run (path.c): what must not cost a call there, and what is rare. */
#define HOT static inline __attribute__((always_inline))
#define COLD __attribute__((noinline, cold))
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

/* How often a page is looked at whose completion was not believed, and a conversion retried. */
#define DOUBT_INTERVAL_NS NSEC_PER_MSEC
#define CONVERT_INTERVAL_NS (5 * NSEC_PER_MSEC)

struct node {
	struct sidecar_node_info info;
	uint32_t per_cpu_shmem;
	int handle; /* for questions and new partitions; never claims a VP */
};

struct sidecar {
	const struct sidecar_driver *driver;
	void *context;
	struct driver_ioctl_context ioctl_context; /* of the real driver */
	uint64_t timeout_ns;
	void (*log)(void *context, uint32_t level, const char *text);
	void *log_context;
	struct node *nodes; /* in the order of base_cpu; constant after open */
	uint32_t node_count;

	pthread_mutex_t lock; /* of all that follows */
	struct sidecar_error error;
	struct node_file *files;
	unsigned int partitions;
	unsigned int vps;
	unsigned int queues;
};

struct sidecar_partition {
	struct sidecar *client;
	int handle; /* -1: the whole guest */
	unsigned int vps; /* under the client's lock */

	pthread_mutex_t lock; /* of error */
	struct sidecar_error error;
};

/*
 * One open node file: who owns its VPs in the driver's eyes. There is one per client, partition
 * and node; a driver that knows no owners gives every completion to any reader, so that there is
 * only one per client and node then.
 */
struct node_file {
	struct node_file *next;
	struct sidecar *client;
	struct node *node;
	struct sidecar_partition *partition;
	int handle;
	int poll_fd;
	void *memory;
	size_t length;
	unsigned int users; /* under the client's lock */

	pthread_mutex_t lock; /* of slots, and of reading completions */
	struct sidecar_vp **slots; /* by cpu - base_cpu */

	const struct transport *blocking; /* of operations in a blocking form */
	const struct transport *queued;
};

/* See vp.c for the diagram. */
enum vp_state {
	VP_IDLE,
	VP_BUSY,       /* an operation is prepared, to go on, or over and not yet reported */
	VP_STARTED,    /* the CPU has, or is being given, a command that is bounded */
	VP_RUNNING,    /* the same with RUN_VP: a cancel has something to stop */
	VP_CONVERTING, /* waits for its turn, or Linux takes the CPU */
	VP_FINISHED,   /* the completion was read */
	VP_LOST,       /* the driver says instead that the CPU has failed */
	VP_FAILED,     /* the CPU does not answer; for good */
	VP_GONE	       /* converted; for good */
};

/* RIP, RSP, RFLAGS, six segments: what can be dirty in a register page, XMM registers aside. */
#define REGISTER_PAGE_FIELDS 9u

struct command;

/* The one operation of a VP that may be in flight. */
struct request {
	uint32_t operation; /* enum sidecar_operation */
	int result;	 /* of the command: 0, or the driver's error instead of one in the page */
	const struct transport *transport;
	const struct command *command;
	uint64_t user;
	uint64_t deadline_ns; /* of a run or a conversion */
	uint64_t stopped_ns;  /* 0 = no STOP sent so far */
	uint32_t looks;
	bool straight;	 /* a run that its queue takes the short way: see run.h */
	bool counted;	 /* among what its queue has in flight */
	bool slow;	 /* its queue must look at each completion as it comes */
	bool planned;	 /* the VP's register plan is this operation's */
	bool expired;	 /* the run's deadline has stopped it */
	bool doubted;	 /* a completion came and the result had not */

	uint32_t kind; /* of the event, when over */
	int error;

	/* From here on not of runs. */
	bool one_by_one; /* a chunk has failed: looking for the register */
	uint8_t vtl;
	uint64_t started_ns;
	struct hv_register_assoc *get;
	const struct hv_register_assoc *set;
	size_t count;
	size_t done;
	size_t chunk;

	uint64_t gva;
	uint64_t flags;
	struct hv_translate_output *output;
};

/*
 * How a register operation goes about its registers. The next command's are among those from
 * request.done on; the rest of that span takes a cheaper path, after the command.
 */
struct register_plan {
	bool context; /* registers that VTLs share are in the context */
	bool page;    /* the register page has this VTL's values */
	uint32_t known;
	struct register_known {
		uint64_t cr0, cr4, efer, dr7; /* as the page had them */
	} values;

	size_t span;
	uint32_t place[SIDECAR_MAX_REGISTERS]; /* of each register of the command */

	/* What was dirty in the page goes first, by a command of its own. */
	struct hv_register_assoc flush[REGISTER_PAGE_FIELDS];
	uint32_t flush_count;
	uint32_t flush_dirty;
};

/* A place in the queue of conversions; head of the process-wide list = its turn. */
struct conversion {
	struct conversion *next;
	int turn; /* the run in flight, or the next one, shall end for it; atomic */
	bool queued;	/* under the line's lock */
	bool requested; /* likewise: the VP goes on running meanwhile */
	bool writing;
	int online; /* handle of the online file, or -1 */
	uint64_t retry_ns;
};

struct sidecar_vp {
	/* shared with sidecar_vp_cancel() and with whoever reads completions */
	int state;	    /* enum vp_state, atomic */
	int cancel;	    /* sticky, atomic */
	int event_fd;	    /* written when something happens to the VP in another thread */

	struct sidecar *client;
	struct node_file *file;
	struct sidecar_partition *partition;
	uint32_t cpu;
	struct sidecar_command_page *page;
	struct hv_register_page *register_page;
	struct sidecar_queue *queue;  /* attached to, or NULL */
	struct sidecar_queue *straight; /* the same if runs there may take the short way */
	struct sidecar_queue *waiter; /* of the operation: NULL = a blocking form; atomic */
	bool ready;		      /* in the queue's ready list */
	bool poll_armed;	      /* the queue's poll of event_fd */
	bool overdue;		      /* a result was taken whose completion had not come */
	struct sidecar_vp *next;      /* in the queue's prepared or ready list */
	struct sidecar_vp *next_attached;
	uint32_t slot;		      /* in the queue's table, */
	uint64_t user_data;	      /* and what its commands' CQEs carry there */
	struct request request;
	struct conversion conversion;
	struct register_plan plan;
	struct sidecar_vp_counters counters;
	struct sidecar_error error;
	struct hv_message message;
};

/* ---- error.c ---- */

int error_vset(struct sidecar_error *error, uint32_t kind, int code, const char *format,
	       __builtin_va_list arguments);
int error_set(struct sidecar_error *error, uint32_t kind, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int client_error(struct sidecar *client, uint32_t kind, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int client_copy_error(struct sidecar *client, const struct sidecar_error *error);
int partition_error(struct sidecar_partition *partition, uint32_t kind, int code,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
const char *errno_text(int code);

/* ---- node.c ---- */

struct node *node_of_cpu(struct sidecar *client, uint32_t cpu);
int node_probe(struct sidecar *client, uint32_t index, struct node *node);
/* Under the client's lock: a file with one more user; it is closed with its last one. */
int node_file_get(struct sidecar *client, struct node *node, struct sidecar_partition *partition,
		  struct node_file **file);
void node_file_put(struct node_file *file);
/* false: the slot is taken. */
bool node_file_set_slot(struct node_file *file, uint32_t cpu, struct sidecar_vp *vp);
void node_file_clear_slot(struct node_file *file, uint32_t cpu);
/* Reads completions until there is none, or until vp's has come, and routes them. */
int node_file_drain(struct node_file *file, struct sidecar_queue *queue, struct sidecar_vp *vp);

/* ---- request.c ---- */

uint64_t now_ns(void);
static inline bool node_has(const struct sidecar_vp *vp, uint64_t capability)
{
	return (vp->file->node->info.capabilities & capability) != 0;
}

/* Completions may come that are not its command's: made up by the original, or overdue. */
static inline bool vp_may_be_told_more(const struct sidecar_vp *vp)
{
	return !node_has(vp, SIDECAR_CAP_OWNERSHIP) || vp->overdue;
}

static inline int vp_state(const struct sidecar_vp *vp)
{
	return __atomic_load_n(&vp->state, __ATOMIC_ACQUIRE);
}

/* In flight no longer, by the driver's word: request_finish() is next. */
static inline bool is_finished(int state)
{
	return state == VP_FINISHED || state == VP_LOST;
}

static inline bool is_in_flight(int state)
{
	return state == VP_STARTED || state == VP_RUNNING;
}

static inline void vp_set_state(struct sidecar_vp *vp, int state)
{
	__atomic_store_n(&vp->state, state, __ATOMIC_RELEASE);
}

bool vp_change_state(struct sidecar_vp *vp, int from, int to);
/* A reader of completions may still look when the owner has gone on. */
static inline struct sidecar_queue *vp_waiter(const struct sidecar_vp *vp)
{
	return __atomic_load_n(&vp->waiter, __ATOMIC_RELAXED);
}

/* From any thread: its owner shall look at it. */
void vp_wake(struct sidecar_vp *vp);
bool vp_cancelled(const struct sidecar_vp *vp);
/* Takes the sticky flag back; false: it was not set. */
static inline bool vp_take_cancel(struct sidecar_vp *vp)
{
	return __atomic_exchange_n(&vp->cancel, 0, __ATOMIC_SEQ_CST) != 0;
}

/* STOP, by the driver's best call for it. Also in signal handlers. */
int vp_send_stop(struct sidecar_vp *vp);
int vp_error(struct sidecar_vp *vp, uint32_t kind, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Takes an idle VP for an operation and clears its request. */
int vp_claim(struct sidecar_vp *vp, uint32_t operation, struct sidecar_queue *waiter);
/* Back to idle with nothing started. */
void vp_unclaim(struct sidecar_vp *vp);

/* Makes the CPU its file's, by a command that does nothing. */
int request_take_cpu(struct sidecar_vp *vp);
/* What is next for an operation. */
enum step {
	STEP_OVER,  /* its report: the outcome is known */
	STEP_WAIT,  /* a completion: it is in flight */
	STEP_BEGIN, /* request_begin(), once more: another chunk, or a run that nobody meant to stop */
};

enum step request_begin(struct sidecar_vp *vp);
/* The VP is FINISHED or LOST. */
enum step request_finish(struct sidecar_vp *vp);
/* The driver's word instead of a result. */
enum step request_refused(struct sidecar_vp *vp, int error);
/* For transports. */
bool request_has_arrived(const struct sidecar_vp *vp);
void request_stop(struct sidecar_vp *vp);
static inline int request_flight_state(const struct sidecar_vp *vp)
{
	return vp->request.operation == SIDECAR_OPERATION_RUN ? VP_RUNNING : VP_STARTED;
}

/* What time does to an operation in flight, its deadline included; returns when to look again. */
uint64_t request_tick(struct sidecar_vp *vp, uint64_t now);
static inline void request_over(struct sidecar_vp *vp, uint32_t kind, int error)
{
	vp->request.kind = kind;
	vp->request.error = error;
}

/* The driver can no longer tell; the CPU counts as failed. */
void request_fail(struct sidecar_vp *vp, int error);
/* Sleeps until something happened to the VP; 0, or the driver's error. */
int vp_sleep(struct sidecar_vp *vp, uint64_t until_ns);
/* Drives an operation in a blocking form to its end, from its beginning or from any step. */
void request_go_on(struct sidecar_vp *vp, enum step step);
void request_await(struct sidecar_vp *vp, uint64_t deadline_ns);
/* Makes the VP idle again, fills the event if there is one, returns the event's error. */
int request_report(struct sidecar_vp *vp, struct sidecar_event *event);

/* ---- run.c, registers.c, translate.c: one command each ---- */

/* Written where a result will be. No result of a kernel has these values. */
#define SENTINEL_BYTE 0xffu
#define SENTINEL_STATUS 0xffffu
#define SENTINEL_WORD UINT64_C(0x5345545f544f4e5f)

/*
 * encode writes the command page, arrived tells whether a result has replaced the sentinels, and
 * decode takes it: true when the outcome is known, false when another command is needed.
 */
struct command {
	void (*encode)(struct sidecar_vp *vp);
	bool (*arrived)(const struct sidecar_vp *vp);
	bool (*decode)(struct sidecar_vp *vp);
};

extern const struct command command_run;
extern const struct command command_get_registers;
extern const struct command command_set_registers;
extern const struct command command_translate;

/* A run was stopped, or kept from starting. True: somebody wanted that, and it is over. */
bool run_stopped(struct sidecar_vp *vp);

int registers_check(struct sidecar_vp *vp, const void *regs, size_t count);
/* Plans the next command. True: none is needed (any more), and the operation is over. */
bool registers_begin(struct sidecar_vp *vp);
/* However the operation ended, nothing that was dirty in the register page is lost. */
void registers_end(struct sidecar_vp *vp);
int translate_check(struct sidecar_vp *vp, uint64_t flags, const void *output);

/* ---- convert.c ---- */

/* Gets in line; true when it is the VP's turn at once. */
bool convert_enter(struct sidecar_vp *vp);
bool convert_is_first(struct sidecar_vp *vp);
void convert_leave(struct sidecar_vp *vp);
/* Opens the online file; an error is the outcome already. */
int convert_open(struct sidecar_vp *vp);
/* The outcome of one write. True: over; false: to be tried again at retry_ns. */
bool convert_result(struct sidecar_vp *vp, int result);
void convert_timed_out(struct sidecar_vp *vp);
/* Takes the turn of a VP that has asked for its conversion; false: it has none to take. */
bool convert_take_turn(struct sidecar_vp *vp);
/* Its turn ends the run in flight, as a cancel would. */
static inline bool convert_wants_stop(const struct sidecar_vp *vp)
{
	return __atomic_load_n(&vp->conversion.turn, __ATOMIC_SEQ_CST) != 0;
}

/* A VP that goes away leaves the line. */
void convert_forget(struct sidecar_vp *vp);

/* ---- memory.c ---- */

uint32_t memory_node_of(uint32_t cpu);

/* ---- trace.c: counters, the log, probes ---- */

/* A command is about to be given to the CPU; an operation is over. */
void trace_start(struct sidecar_vp *vp);
void trace_report(struct sidecar_vp *vp);
void trace_log(const struct sidecar *client, uint32_t level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- queue.c ---- */

/* For node_file_drain(): a VP of this queue, read by this queue's thread, is finished. */
void queue_ready(struct sidecar_queue *queue, struct sidecar_vp *vp);
int queue_forget(struct sidecar_queue *queue, struct sidecar_vp *vp);

#endif

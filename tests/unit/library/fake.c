// SPDX-License-Identifier: MIT
#include "fake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define MAX_FILES 64
#define MAX_PARTITIONS 32
#define MAX_RANGES 64
#define MAX_ONLINE 16

/* Handles of different kinds do not overlap, so that a mix-up is noticed. */
#define FILE_BASE 1000
#define PARTITION_BASE 2000
#define ONLINE_BASE 3000

#define TIMEOUT_MS 5000
#define DEAD_CPU_MS 100 /* how long close waits for one that may be dead */

enum cpu_state { AVAIL, SYNC, ASYNC, ASYNC_STOPPED, REMOVED };

/* A command that came through a ring, on its way to the CPU or there. */
struct ring_job {
	struct fake *fake;
	int handle;
	uint32_t cpu;
	int ring; /* a descriptor of ours for the ring that waits for it */
	uint64_t user_data;
};

struct fake_cpu {
	struct host_cpu host;
	enum cpu_state state;
	int owner; /* handle, or 0 */
	int user;  /* handle of the file that started what runs or is complete */
	/* CANCELs, and how many of them have ended a run or count no more; atomic. Sticky. */
	uint64_t cancels, cancels_done;
	int runs;      /* what it was last given is RUN_VP; atomic */
	bool failed;   /* a STOP was not answered */
	uint64_t stopped_ns;  /* when that was first seen, or 0 */
	struct ring_job *job; /* what waits for the command in flight, or NULL */
};

struct fake_node {
	struct fake *fake;
	struct sidecar_control_page *control;
	int memory;	/* memfd of the shared pages, */
	uint8_t *shmem; /* and the kernel's mapping of it */
	uint32_t base_cpu, cpu_count;
	struct fake_cpu *cpus;
};

struct fake_file {
	bool open;
	uint32_t node;
	int completions; /* eventfd, a semaphore: one for each that can be read */
	int partition;
	bool claimed;
	uint8_t *mapping; /* of the node's shared pages, or NULL */
};

struct fake_range {
	int partition;
	uint64_t gpa, length;
};

struct fake_fault {
	int error;
	unsigned int times, skip, calls;
};

struct fake_online {
	bool open;
	bool busy; /* a thread of online_prepare works on it */
	uint32_t cpu;
	pthread_t thread;
};

struct fake {
	pthread_mutex_t lock; /* of everything below, CPU threads included */
	pthread_cond_t idle;  /* some CPU has become IDLE, or REMOVED */
	uint64_t capabilities;
	uint32_t shmem_lie;
	uint64_t claims;
	uint32_t node_count;
	struct fake_node *nodes;
	uint32_t fabricated; /* CPU + 1 */
	struct fake_file files[MAX_FILES];
	bool partitions[MAX_PARTITIONS];
	struct fake_range ranges[MAX_RANGES];
	struct fake_online online[MAX_ONLINE];
	struct fake_fault faults[FAKE_OPERATIONS];
	int converting; /* conversions in progress */
	void (*before_start)(void *context);
	void *before_start_context;
	unsigned int timeout_ms; /* of an unanswered STOP, where this driver waits itself */
	struct io_uring requests; /* commands arrive here as messages of other rings */
	struct io_uring answers;
	int end;
	pthread_t server;
};

static void must(bool condition, const char *text)
{
	if (condition)
		return;
	fprintf(stderr, "fake driver: %s\n", text);
	abort();
}

static bool owns(const struct fake *fake)
{
	return fake->capabilities & SIDECAR_CAP_OWNERSHIP;
}

/* ---- faults ---------------------------------------------------------------------------------- */

void fake_fail(struct fake *fake, enum fake_operation operation, int error, unsigned int times,
	       unsigned int skip)
{
	struct fake_fault *fault = &fake->faults[operation];

	pthread_mutex_lock(&fake->lock);
	fault->error = error;
	fault->times = times;
	fault->skip = skip;
	pthread_mutex_unlock(&fake->lock);
}

unsigned int fake_calls(struct fake *fake, enum fake_operation operation)
{
	return __atomic_load_n(&fake->faults[operation].calls, __ATOMIC_RELAXED);
}

/* Under the lock. The error that a test has asked for, or 0. */
static int fault(struct fake *fake, enum fake_operation operation)
{
	struct fake_fault *fault = &fake->faults[operation];

	__atomic_add_fetch(&fault->calls, 1, __ATOMIC_RELAXED);
	if (!fault->times)
		return 0;
	if (fault->skip) {
		fault->skip--;
		return 0;
	}
	fault->times--;
	return -fault->error;
}

static int locked_fault(struct fake *fake, enum fake_operation operation)
{
	int error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, operation);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

void fake_lie_about_shmem(struct fake *fake, uint32_t per_cpu_shmem)
{
	fake->shmem_lie = per_cpu_shmem;
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* Written under the lock; STOP reads it without. */
static void set_state(struct fake_cpu *cpu, enum cpu_state state)
{
	__atomic_store_n(&cpu->state, state, __ATOMIC_SEQ_CST);
}

static uint8_t *status_byte(struct fake_node *node, uint32_t n)
{
	return &node->control->cpu_status[n];
}

static uint8_t status_of(struct fake_node *node, uint32_t n)
{
	return __atomic_load_n(status_byte(node, n), __ATOMIC_ACQUIRE);
}

static bool change_status(struct fake_node *node, uint32_t n, uint8_t from, uint8_t to)
{
	if (!__atomic_compare_exchange_n(status_byte(node, n), &from, to, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	host_cpu_interrupt(&node->cpus[n].host);
	return true;
}

static struct fake_file *file_of(struct fake *fake, int handle)
{
	int index = handle - FILE_BASE;

	must(index >= 0 && index < MAX_FILES && fake->files[index].open, "not an open file");
	return &fake->files[index];
}

/* A completion can be read: by its file, or by any file of the node when there are no owners. */
static void announce(struct fake *fake, uint32_t node, int user)
{
	bool owned = owns(fake);

	for (int i = 0; i < MAX_FILES; i++)
		if (fake->files[i].open && fake->files[i].node == node &&
		    (!owned || i + FILE_BASE == user))
			eventfd_write(fake->files[i].completions, 1);
}

/* Under the lock. */
static void post(struct fake *fake, const struct ring_job *job, int result)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&fake->answers);
	struct io_uring_cqe *cqe;

	must(sqe != NULL, "no submission");
	io_uring_prep_msg_ring(sqe, job->ring, (unsigned int)result, job->user_data, 0);
	must(io_uring_submit_and_wait(&fake->answers, 1) == 1, "no message");
	must(io_uring_peek_cqe(&fake->answers, &cqe) == 0, "no completion of a message");
	/* The result: the ring may be gone, and then nobody waits. */
	io_uring_cqe_seen(&fake->answers, cqe);
}

static void end_job(struct fake *fake, struct ring_job *job, int result)
{
	post(fake, job, result);
	close(job->ring);
	free(job);
}

/* Under the lock. The completion of a command that came through a ring. */
static void answer(struct fake *fake, struct fake_cpu *cpu, int result)
{
	struct ring_job *job = cpu->job;

	cpu->job = NULL;
	end_job(fake, job, result);
}

/* Under the lock. What became IDLE since the last look. */
static void scan(struct fake *fake, uint32_t index)
{
	struct fake_node *node = &fake->nodes[index];

	__atomic_exchange_n(&node->control->needs_attention, 0, __ATOMIC_SEQ_CST);
	for (uint32_t n = 1; n < node->cpu_count; n++) {
		if (node->cpus[n].state != ASYNC || status_of(node, n) != SIDECAR_STATUS_IDLE)
			continue;
		if (node->cpus[n].job) {
			set_state(&node->cpus[n], AVAIL);
			answer(fake, &node->cpus[n], 0);
			continue;
		}
		set_state(&node->cpus[n], ASYNC_STOPPED);
		announce(fake, index, node->cpus[n].user);
	}
	pthread_cond_broadcast(&fake->idle);
}

/* On the CPU's thread: the response interrupt. */
static void on_interrupt(void *context, uint32_t apic_id, uint8_t vector)
{
	struct fake_node *node = context;

	must(apic_id == node->base_cpu && vector == 0xf1, "interrupt to somewhere else");
	pthread_mutex_lock(&node->fake->lock);
	scan(node->fake, (uint32_t)(node - node->fake->nodes));
	pthread_mutex_unlock(&node->fake->lock);
}

/* Under the lock. Until the status is wanted; false when it takes too long. */
static bool wait_for_status(struct fake *fake, struct fake_node *node, uint32_t n, uint8_t wanted,
			    unsigned int ms)
{
	struct timespec limit;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += (long)(ms % 1000) * 1000000;
	limit.tv_sec += (time_t)(ms / 1000) + limit.tv_nsec / 1000000000;
	limit.tv_nsec %= 1000000000;
	while (status_of(node, n) != wanted && !error)
		error = pthread_cond_timedwait(&fake->idle, &fake->lock, &limit);
	return status_of(node, n) == wanted;
}

static struct fake_node *node_of(struct fake *fake, uint32_t cpu, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < fake->node_count; i++) {
		struct fake_node *node = &fake->nodes[i];

		if (cpu < node->base_cpu || cpu - node->base_cpu >= node->cpu_count)
			continue;
		*n = cpu - node->base_cpu;
		return node;
	}
	return NULL;
}

struct host_cpu *fake_host(struct fake *fake, uint32_t cpu)
{
	uint32_t n;
	struct fake_node *node = node_of(fake, cpu, &n);

	must(node && n, "not a sidecar CPU");
	/* A completion by way of a ring does not order memory where a thread sanitizer sees it. */
	pthread_mutex_lock(&fake->lock);
	pthread_mutex_unlock(&fake->lock);
	return &node->cpus[n].host;
}

struct sidecar_command_page *fake_page(struct fake *fake, uint32_t cpu)
{
	return fake_host(fake, cpu)->cpu.command;
}

/* ---- life of the machine --------------------------------------------------------------------- */

static enum host_exit io_guest(struct host_guest *guest, struct cpu *cpu,
			       struct hv_message *message)
{
	(void)cpu;
	message->header.type = HV_MESSAGE_IO_PORT_INTERCEPT;
	message->header.length = sizeof(struct hv_io_message);
	message->header.id = guest->entries;
	return HOST_INTERCEPT;
}

static struct host_guest default_guest = {.enter = io_guest};

static void start_cpu(struct fake_node *node, uint32_t n)
{
	struct fake_cpu *cpu = &node->cpus[n];
	uint8_t *pages = node->shmem + n * SIDECAR_PER_CPU_SHMEM;

	cpu->host.guest = malloc(sizeof(*cpu->host.guest));
	must(cpu->host.guest != NULL, "no memory");
	*cpu->host.guest = default_guest;
	cpu->host.interrupt = on_interrupt;
	cpu->host.context = node;
	*status_byte(node, n) = SIDECAR_STATUS_RUN;
	must(host_cpu_start(&cpu->host, node->base_cpu + n, n, node->control, (void *)pages,
			    (void *)(pages + SIDECAR_PAGE_SIZE)) == 0, "no thread");
	while (status_of(node, n) != SIDECAR_STATUS_IDLE)
		sched_yield();
}

static void start_node(struct fake *fake, uint32_t index, const struct fake_layout *layout)
{
	struct fake_node *node = &fake->nodes[index];
	size_t size = (size_t)layout->cpu_count * SIDECAR_PER_CPU_SHMEM;

	node->fake = fake;
	node->base_cpu = layout->base_cpu;
	node->cpu_count = layout->cpu_count;
	node->control = aligned_alloc(SIDECAR_PAGE_SIZE, SIDECAR_PAGE_SIZE);
	node->memory = memfd_create("fake-node", MFD_CLOEXEC);
	must(node->memory >= 0 && ftruncate(node->memory, (off_t)size) == 0, "no memfd");
	node->shmem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node->memory, 0);
	node->cpus = calloc(layout->cpu_count, sizeof(*node->cpus));
	must(node->control && node->shmem != MAP_FAILED && node->cpus, "no memory");
	memset(node->control, 0, SIDECAR_PAGE_SIZE);
	node->control->index = index;
	node->control->base_cpu = layout->base_cpu;
	node->control->cpu_count = layout->cpu_count;
	node->control->request_vector = SIDECAR_REQUEST_VECTOR;
	node->control->response_cpu = layout->base_cpu;
	node->control->response_vector = 0xf1;
	for (uint32_t n = 1; n < layout->cpu_count; n++)
		start_cpu(node, n);
}

static void *serve(void *argument);

static void start_server(struct fake *fake)
{
	must(io_uring_queue_init(64, &fake->requests, 0) == 0, "no ring");
	must(io_uring_queue_init(4, &fake->answers, 0) == 0, "no ring");
	must(pthread_create(&fake->server, NULL, serve, fake) == 0, "no thread");
}

static void end_server(struct fake *fake)
{
	__atomic_store_n(&fake->end, 1, __ATOMIC_RELEASE);
	pthread_join(fake->server, NULL);
	for (uint32_t i = 0; i < fake->node_count; i++)
		for (uint32_t n = 1; n < fake->nodes[i].cpu_count; n++)
			if (fake->nodes[i].cpus[n].job)
				answer(fake, &fake->nodes[i].cpus[n], -ECANCELED);
	io_uring_queue_exit(&fake->requests);
	io_uring_queue_exit(&fake->answers);
}

void fake_set_timeout(struct fake *fake, unsigned int ms)
{
	fake->timeout_ms = ms;
}

struct fake *fake_create(const struct fake_layout *layout, uint32_t count, uint64_t capabilities)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	pthread_condattr_t attributes;

	must(fake != NULL, "no memory");
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&fake->idle, &attributes);
	pthread_mutex_init(&fake->lock, NULL);
	fake->capabilities = capabilities;
	fake->node_count = count;
	fake->nodes = calloc(count + 1, sizeof(*fake->nodes));
	must(fake->nodes != NULL, "no memory");
	for (uint32_t i = 0; i < count; i++)
		start_node(fake, i, &layout[i]);
	fake->timeout_ms = TIMEOUT_MS;
	if (capabilities & SIDECAR_CAP_URING_CMD)
		start_server(fake);
	return fake;
}

void fake_remove(struct fake *fake, uint32_t cpu)
{
	uint32_t n;
	struct fake_node *node = node_of(fake, cpu, &n);

	pthread_mutex_lock(&fake->lock);
	must(change_status(node, n, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE), "CPU not idle");
	must(wait_for_status(fake, node, n, SIDECAR_STATUS_REMOVED, TIMEOUT_MS), "CPU not removed");
	set_state(&node->cpus[n], REMOVED);
	pthread_mutex_unlock(&fake->lock);
}

void fake_destroy(struct fake *fake)
{
	if (!fake)
		return;
	if (fake->capabilities & SIDECAR_CAP_URING_CMD)
		end_server(fake);
	for (uint32_t i = 0; i < fake->node_count; i++) {
		struct fake_node *node = &fake->nodes[i];

		for (uint32_t n = 1; n < node->cpu_count; n++) {
			host_cpu_end(&node->cpus[n].host);
			free(node->cpus[n].host.guest);
		}
		free(node->control);
		munmap(node->shmem, (size_t)node->cpu_count * SIDECAR_PER_CPU_SHMEM);
		close(node->memory);
		free(node->cpus);
	}
	free(fake->nodes);
	pthread_cond_destroy(&fake->idle);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
}

/* ---- node files ------------------------------------------------------------------------------ */

static int node_open(void *context, uint32_t index)
{
	struct fake *fake = context;
	int handle = -EMFILE, error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_NODE_OPEN);
	if (!error && index >= fake->node_count)
		error = -ENOENT;
	for (int i = 0; !error && handle < 0 && i < MAX_FILES; i++) {
		if (fake->files[i].open)
			continue;
		fake->files[i] = (struct fake_file){
			.open = true,
			.node = index,
			.completions = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE),
		};
		must(fake->files[i].completions >= 0, "no eventfd");
		handle = i + FILE_BASE;
	}
	pthread_mutex_unlock(&fake->lock);
	return error ? error : handle;
}

/* Under the lock. A claimed CPU's pages are its owner's: whoever else touches them dies of it. */
static void protect_pages(struct fake *fake, uint32_t node, uint32_t n, int owner)
{
	for (int i = 0; i < MAX_FILES; i++) {
		struct fake_file *file = &fake->files[i];
		bool allowed = !owner || owner == i + FILE_BASE;

		if (!file->open || !file->mapping || file->node != node)
			continue;
		must(mprotect(file->mapping + n * SIDECAR_PER_CPU_SHMEM, SIDECAR_PER_CPU_SHMEM,
			      allowed ? PROT_READ | PROT_WRITE : PROT_NONE) == 0, "mprotect");
	}
}

/* Under the lock. A VP whose owner goes is stopped, scrubbed, and nobody's. */
static void release_cpu(struct fake *fake, struct fake_node *node, uint32_t n)
{
	struct fake_cpu *cpu = &node->cpus[n];

	if (cpu->state == ASYNC || cpu->state == SYNC) {
		change_status(node, n, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP);
		/* A dead CPU stays as it is; the machine's end takes it. */
		if (!wait_for_status(fake, node, n, SIDECAR_STATUS_IDLE, DEAD_CPU_MS))
			return;
	}
	if (cpu->job)
		answer(fake, cpu, -ECANCELED);
	cpu->cancels_done = cpu->cancels;
	cpu->owner = 0;
	cpu->user = 0;
	memset(cpu->host.cpu.command, 0, SIDECAR_PER_CPU_SHMEM);
	protect_pages(fake, (uint32_t)(node - fake->nodes), n, 0);
	if (cpu->state != REMOVED)
		set_state(cpu, AVAIL);
}

static void node_close(void *context, int handle)
{
	struct fake *fake = context;
	struct fake_file *file;
	struct fake_node *node;

	pthread_mutex_lock(&fake->lock);
	file = file_of(fake, handle);
	node = &fake->nodes[file->node];
	for (uint32_t n = 1; n < node->cpu_count; n++)
		if (node->cpus[n].owner == handle)
			release_cpu(fake, node, n);
	close(file->completions);
	file->open = false;
	pthread_mutex_unlock(&fake->lock);
}

static int node_info(void *context, int handle, struct sidecar_node_ioctl_info *info)
{
	struct fake *fake = context;
	struct fake_node *node;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_NODE_INFO);
	node = &fake->nodes[file_of(fake, handle)->node];
	info->base_cpu = node->base_cpu;
	info->cpu_count = node->cpu_count;
	info->per_cpu_shmem = fake->shmem_lie ? fake->shmem_lie : SIDECAR_PER_CPU_SHMEM;
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int node_caps(void *context, int handle, struct sidecar_ioctl_caps *caps)
{
	struct fake *fake = context;
	int error = locked_fault(fake, FAKE_NODE_CAPS);

	(void)handle;
	if (error || !fake->capabilities)
		return error ? error : -ENOTTY;
	caps->backend = SIDECAR_BACKEND_SVM;
	caps->capabilities = fake->capabilities;
	caps->node_count = fake->node_count;
	caps->timeout_ms = TIMEOUT_MS;
	return 0;
}

static int cpu_info(void *context, int handle, struct sidecar_ioctl_cpu *info)
{
	struct fake *fake = context;
	struct fake_node *node;
	struct fake_cpu *cpu;
	uint32_t n;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_CPU_INFO);
	node = node_of(fake, info->cpu, &n);
	if (!error && !fake->capabilities)
		error = -ENOTTY;
	if (!error && (!node || node != &fake->nodes[file_of(fake, handle)->node]))
		error = -EINVAL;
	if (!error) {
		cpu = &node->cpus[n];
		info->state = n == 0 || cpu->state == REMOVED ? SIDECAR_CPU_STATE_REMOVED :
			      cpu->failed		    ? SIDECAR_CPU_STATE_FAILED :
			      cpu->state == AVAIL		    ? SIDECAR_CPU_STATE_IDLE :
								      SIDECAR_CPU_STATE_BUSY;
		info->owned = !cpu->owner ? 0 : cpu->owner == handle ? 1 : 2;
		info->entries = __atomic_load_n(&cpu->host.state.entries, __ATOMIC_RELAXED);
		info->exits = __atomic_load_n(&cpu->host.state.exits[SIDECAR_EXIT_IO],
					      __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int node_map(void *context, int handle, size_t length, void **memory)
{
	struct fake *fake = context;
	struct fake_file *file;
	struct fake_node *node;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_NODE_MAP);
	file = file_of(fake, handle);
	node = &fake->nodes[file->node];
	if (!error && length != (size_t)node->cpu_count * SIDECAR_PER_CPU_SHMEM)
		error = -EINVAL;
	if (!error) {
		file->mapping = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
				     node->memory, 0);
		must(file->mapping != MAP_FAILED, "no mapping");
		for (uint32_t n = 1; n < node->cpu_count; n++)
			if (owns(fake) && node->cpus[n].owner)
				protect_pages(fake, file->node, n, node->cpus[n].owner);
		*memory = file->mapping;
	}
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static void node_unmap(void *context, void *memory, size_t length)
{
	struct fake *fake = context;

	pthread_mutex_lock(&fake->lock);
	for (int i = 0; i < MAX_FILES; i++)
		if (fake->files[i].mapping == memory)
			fake->files[i].mapping = NULL;
	pthread_mutex_unlock(&fake->lock);
	must(munmap(memory, length) == 0, "unmaps what is not mapped");
}

/* ---- operations on a CPU --------------------------------------------------------------------- */

/* Under the lock. May this file drive this CPU? Claims it for the file when it is nobody's. */
static int take(struct fake *fake, int handle, uint32_t number, struct fake_node **node,
		uint32_t *n)
{
	struct fake_cpu *cpu;

	*node = node_of(fake, number, n);
	if (!*node || *node != &fake->nodes[file_of(fake, handle)->node])
		return -EINVAL;
	cpu = &(*node)->cpus[*n];
	if (*n == 0 || cpu->state == REMOVED)
		return -ENOENT;
	if (owns(fake) && cpu->owner && cpu->owner != handle)
		return -EBUSY;
	if (cpu->failed)
		return -ETIMEDOUT;
	if (cpu->state != AVAIL)
		return -EBUSY;
	if (cpu->owner != handle) {
		__atomic_store_n(&cpu->host.state.owner, ++fake->claims, __ATOMIC_RELEASE);
		cpu->owner = handle;
		if (owns(fake))
			protect_pages(fake, (uint32_t)(*node - fake->nodes), *n, handle);
	}
	cpu->user = handle;
	file_of(fake, handle)->claimed = true;
	return 0;
}

void fake_before_start(struct fake *fake, void (*hook)(void *context), void *context)
{
	fake->before_start_context = context;
	__atomic_store_n(&fake->before_start, hook, __ATOMIC_RELEASE);
}

static void call_hook(struct fake *fake)
{
	void (*hook)(void *) = __atomic_exchange_n(&fake->before_start, NULL, __ATOMIC_ACQ_REL);

	if (hook)
		hook(fake->before_start_context);
}

static bool is_run(struct fake_node *node, uint32_t n)
{
	return __atomic_load_n(&node->cpus[n].runs, __ATOMIC_SEQ_CST);
}

/* The page's command is the user's until the CPU runs, and then the kernel's. */
static void note_command(struct fake_node *node, uint32_t n)
{
	struct fake_cpu *cpu = &node->cpus[n];
	uint32_t command = __atomic_load_n(&cpu->host.cpu.command->command, __ATOMIC_ACQUIRE);

	__atomic_store_n(&cpu->runs, command == SIDECAR_COMMAND_RUN_VP, __ATOMIC_SEQ_CST);
}

/* The CANCELs up to that one; a later one may have come since, and stays. True: one was new. */
static bool settle_cancels(struct fake_cpu *cpu, uint64_t last)
{
	uint64_t done = __atomic_load_n(&cpu->cancels_done, __ATOMIC_SEQ_CST);

	while (done < last)
		if (__atomic_compare_exchange_n(&cpu->cancels_done, &done, last, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static bool take_cancelled(struct fake_node *node, uint32_t n)
{
	struct fake_cpu *cpu = &node->cpus[n];

	return is_run(node, n) &&
	       settle_cancels(cpu, __atomic_load_n(&cpu->cancels, __ATOMIC_SEQ_CST));
}

/*
 * Under the lock. CANCEL takes no lock: one that comes between the look at its flag and RUN finds
 * no run, and is found by the second look.
 */
static int launch(struct fake *fake, int handle, uint32_t number, enum cpu_state state,
		  struct fake_node **node, uint32_t *n)
{
	int error = take(fake, handle, number, node, n);

	if (error)
		return error;
	note_command(*node, *n);
	if (take_cancelled(*node, *n))
		return -ECANCELED;
	set_state(&(*node)->cpus[*n], state);
	(*node)->cpus[*n].stopped_ns = 0;
	must(change_status(*node, *n, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_RUN), "not idle");
	if (take_cancelled(*node, *n))
		change_status(*node, *n, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP);
	return 0;
}

static int claim(void *context, int handle, uint32_t number)
{
	struct fake *fake = context;
	struct fake_node *node;
	uint32_t n;
	int error;

	must(owns(fake), "CLAIM asked of a driver without owners");
	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_CLAIM);
	if (!error)
		error = take(fake, handle, number, &node, &n);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int start(void *context, int handle, uint32_t number)
{
	struct fake *fake = context;
	struct fake_node *node;
	uint32_t n;
	int error;

	call_hook(fake);
	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_START);
	if (!error)
		error = launch(fake, handle, number, ASYNC, &node, &n);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

/* ---- commands through a ring ---- */

/*
 * The submission is a message to a ring of this driver, so that the command begins when the library
 * submits it and not before; it has no completion there unless it fails.
 */
static int start_prepare(void *context, int handle, uint32_t cpu, struct io_uring *ring,
			 struct io_uring_sqe *sqe, uint64_t user_data)
{
	struct fake *fake = context;
	struct ring_job *job;

	must(fake->capabilities & SIDECAR_CAP_URING_CMD, "URING_CMD asked of a driver without it");
	job = malloc(sizeof(*job));
	must(job != NULL, "no memory");
	/* The server finds it by way of the kernel, which thread sanitizers do not follow. */
	pthread_mutex_lock(&fake->lock);
	*job = (struct ring_job){fake, handle, cpu, dup(ring->ring_fd), user_data};
	must(job->ring >= 0, "no descriptor");
	pthread_mutex_unlock(&fake->lock);
	io_uring_prep_msg_ring(sqe, fake->requests.ring_fd, 0, (uint64_t)(uintptr_t)job, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, user_data);
	return 0;
}

static void begin_job(struct fake *fake, struct ring_job *job)
{
	struct fake_node *node;
	uint32_t n;
	int error;

	call_hook(fake);
	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_START);
	if (!error && (node = node_of(fake, job->cpu, &n)) && node->cpus[n].state == AVAIL)
		node->cpus[n].job = job;
	if (!error)
		error = launch(fake, job->handle, job->cpu, ASYNC, &node, &n);
	if (error) {
		node = node_of(fake, job->cpu, &n);
		if (node && node->cpus[n].job == job)
			node->cpus[n].job = NULL;
		end_job(fake, job, error);
	}
	pthread_mutex_unlock(&fake->lock);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Under the lock. True: a STOP has been pending for too long. */
static bool is_overdue(struct fake *fake, struct fake_node *node, uint32_t n)
{
	struct fake_cpu *cpu = &node->cpus[n];

	if (status_of(node, n) != SIDECAR_STATUS_STOP) {
		cpu->stopped_ns = 0;
		return false;
	}
	if (!cpu->stopped_ns)
		cpu->stopped_ns = now_ms();
	return now_ms() - cpu->stopped_ns >= fake->timeout_ms;
}

static void check_deadlines(struct fake *fake)
{
	pthread_mutex_lock(&fake->lock);
	for (uint32_t i = 0; i < fake->node_count; i++)
		for (uint32_t n = 1; n < fake->nodes[i].cpu_count; n++) {
			struct fake_cpu *cpu = &fake->nodes[i].cpus[n];

			if (!cpu->job || !is_overdue(fake, &fake->nodes[i], n))
				continue;
			cpu->failed = true;
			answer(fake, cpu, -ETIMEDOUT);
		}
	pthread_mutex_unlock(&fake->lock);
}

static void *serve(void *argument)
{
	struct __kernel_timespec tick = {.tv_nsec = 5000000};
	struct fake *fake = argument;
	struct io_uring_cqe *cqe;
	struct ring_job *job;

	while (!__atomic_load_n(&fake->end, __ATOMIC_ACQUIRE)) {
		if (io_uring_wait_cqe_timeout(&fake->requests, &cqe, &tick) == 0) {
			job = (void *)(uintptr_t)cqe->user_data;
			io_uring_cqe_seen(&fake->requests, cqe);
			begin_job(fake, job);
		}
		check_deadlines(fake);
	}
	return NULL;
}

/* Under the lock. A guest may run as long as it likes; a STOP must be answered in time. */
static bool wait_for_end(struct fake *fake, struct fake_node *node, uint32_t n)
{
	if (!is_run(node, n))
		return wait_for_status(fake, node, n, SIDECAR_STATUS_IDLE, TIMEOUT_MS);
	while (!wait_for_status(fake, node, n, SIDECAR_STATUS_IDLE, 10))
		if (is_overdue(fake, node, n))
			return false;
	return true;
}

static int run(void *context, int handle, uint32_t number)
{
	struct fake *fake = context;
	struct fake_node *node;
	uint32_t n;
	int error;

	call_hook(fake);
	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_RUN);
	if (!error)
		error = launch(fake, handle, number, SYNC, &node, &n);
	if (!error) {
		if (wait_for_end(fake, node, n))
			set_state(&node->cpus[n], AVAIL);
		else
			error = -ETIMEDOUT;
		node->cpus[n].failed = error != 0;
	}
	pthread_mutex_unlock(&fake->lock);
	return error;
}

/* STOP must be async-signal-safe and legal while others hold the lock: it takes none. */
static int stop_without_lock(struct fake *fake, int handle, uint32_t number, bool strict)
{
	struct fake_node *node;
	uint32_t n;

	(void)handle;
	node = node_of(fake, number, &n);
	if (!node || n == 0)
		return -EINVAL;
	if (strict && __atomic_load_n(&node->cpus[n].state, __ATOMIC_SEQ_CST) != ASYNC)
		return -EINVAL;
	change_status(node, n, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP);
	return 0;
}

/* Sticky: it ends the run in flight, or else the next one. */
static int cancel_without_lock(struct fake *fake, uint32_t number)
{
	uint32_t n;
	struct fake_node *node = node_of(fake, number, &n);
	uint64_t last;

	if (!node || n == 0)
		return -EINVAL;
	last = __atomic_add_fetch(&node->cpus[n].cancels, 1, __ATOMIC_SEQ_CST);
	if (is_run(node, n) && change_status(node, n, SIDECAR_STATUS_RUN, SIDECAR_STATUS_STOP))
		settle_cancels(&node->cpus[n], last);
	return 0;
}

/* A fault of these two is set before any thread could look. */
static int unlocked_fault(struct fake *fake, enum fake_operation operation)
{
	struct fake_fault *fault = &fake->faults[operation];

	__atomic_add_fetch(&fault->calls, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&fault->times, __ATOMIC_RELAXED) ? -fault->error : 0;
}

static int stop(void *context, int handle, uint32_t number)
{
	struct fake *fake = context;
	int error = unlocked_fault(fake, FAKE_STOP);

	return error ? error : stop_without_lock(fake, handle, number, true);
}

static int cancel(void *context, int handle, uint32_t number)
{
	struct fake *fake = context;
	int error = unlocked_fault(fake, FAKE_CANCEL);

	(void)handle;
	must(fake->capabilities & SIDECAR_CAP_CANCEL, "CANCEL asked of a driver without it");
	return error ? error : cancel_without_lock(fake, number);
}

void fake_fabricate(struct fake *fake, uint32_t cpu)
{
	uint32_t n;
	struct fake_node *node = node_of(fake, cpu, &n);

	pthread_mutex_lock(&fake->lock);
	fake->fabricated = cpu + 1;
	announce(fake, (uint32_t)(node - fake->nodes), node->cpus[n].user);
	pthread_mutex_unlock(&fake->lock);
}

/* Under the lock. The lowest CPU whose completion this file may take, or 0. */
static uint32_t pick(struct fake *fake, int handle)
{
	bool owned = owns(fake);
	struct fake_node *node = &fake->nodes[file_of(fake, handle)->node];

	if (fake->fabricated) {
		uint32_t cpu = fake->fabricated - 1;

		fake->fabricated = 0;
		return cpu;
	}
	for (uint32_t n = 1; n < node->cpu_count; n++) {
		if (node->cpus[n].state != ASYNC_STOPPED ||
		    (owned && node->cpus[n].user != handle))
			continue;
		set_state(&node->cpus[n], AVAIL);
		return node->base_cpu + n;
	}
	return 0;
}

static int read_completion(void *context, int handle, uint32_t *cpu)
{
	struct fake *fake = context;
	uint32_t node;
	eventfd_t count;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_READ);
	if (!error) {
		*cpu = pick(fake, handle);
		error = *cpu ? 0 : -EAGAIN;
	}
	/* Without owners all files of the node have been told of it. */
	node = file_of(fake, handle)->node;
	for (int i = 0; !error && i < MAX_FILES; i++)
		if (fake->files[i].open && fake->files[i].node == node &&
		    (i + FILE_BASE == handle || !owns(fake)))
			eventfd_read(fake->files[i].completions, &count);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int poll_fd(void *context, int handle)
{
	struct fake *fake = context;
	int error = locked_fault(fake, FAKE_POLL_FD);

	return error ? error : file_of(fake, handle)->completions;
}

/* ---- partitions ------------------------------------------------------------------------------ */

static int partition_create(void *context, int handle)
{
	struct fake *fake = context;
	int result;

	pthread_mutex_lock(&fake->lock);
	file_of(fake, handle);
	result = fault(fake, FAKE_PARTITION_CREATE);
	for (int i = 0; result == 0; i++) {
		must(i < MAX_PARTITIONS, "too many partitions");
		if (fake->partitions[i])
			continue;
		fake->partitions[i] = true;
		result = i + PARTITION_BASE;
	}
	pthread_mutex_unlock(&fake->lock);
	return result;
}

static void check_partition(struct fake *fake, int partition)
{
	int index = partition - PARTITION_BASE;

	must(index >= 0 && index < MAX_PARTITIONS && fake->partitions[index], "not a partition");
}

static void partition_close(void *context, int partition)
{
	struct fake *fake = context;

	pthread_mutex_lock(&fake->lock);
	check_partition(fake, partition);
	fake->partitions[partition - PARTITION_BASE] = false;
	for (int i = 0; i < MAX_RANGES; i++)
		if (fake->ranges[i].partition == partition)
			fake->ranges[i] = (struct fake_range){0};
	pthread_mutex_unlock(&fake->lock);
}

static int partition_attach(void *context, int handle, int partition)
{
	struct fake *fake = context;
	struct fake_file *file;
	int error;

	pthread_mutex_lock(&fake->lock);
	check_partition(fake, partition);
	file = file_of(fake, handle);
	error = fault(fake, FAKE_PARTITION_ATTACH);
	if (!error && file->claimed)
		error = -EBUSY;
	if (!error)
		file->partition = partition;
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int add_range(struct fake *fake, int partition, const struct sidecar_ioctl_map *map)
{
	struct fake_range *room = NULL;

	for (int i = 0; i < MAX_RANGES; i++) {
		struct fake_range *range = &fake->ranges[i];

		if (!range->partition)
			room = range;
		else if (range->partition == partition && map->gpa < range->gpa + range->length &&
			 range->gpa < map->gpa + map->length)
			return -EEXIST;
	}
	must(room != NULL, "too many ranges");
	*room = (struct fake_range){partition, map->gpa, map->length};
	return 0;
}

static int partition_map(void *context, int partition, const struct sidecar_ioctl_map *map)
{
	struct fake *fake = context;
	int error;

	must(map->size == sizeof(*map), "size of map");
	pthread_mutex_lock(&fake->lock);
	check_partition(fake, partition);
	error = fault(fake, FAKE_PARTITION_MAP);
	if (!error)
		error = add_range(fake, partition, map);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int partition_unmap(void *context, int partition, const struct sidecar_ioctl_unmap *unmap)
{
	struct fake *fake = context;
	int error;

	must(unmap->size == sizeof(*unmap) && !unmap->flags, "size or flags of unmap");
	pthread_mutex_lock(&fake->lock);
	check_partition(fake, partition);
	error = fault(fake, FAKE_PARTITION_UNMAP);
	error = error ? error : -ENOENT;
	for (int i = 0; i < MAX_RANGES && error == -ENOENT; i++) {
		struct fake_range *range = &fake->ranges[i];

		if (range->partition != partition || range->gpa != unmap->gpa ||
		    range->length != unmap->length)
			continue;
		*range = (struct fake_range){0};
		error = 0;
	}
	pthread_mutex_unlock(&fake->lock);
	return error;
}

/* ---- conversion ------------------------------------------------------------------------------ */

static int online_open(void *context, uint32_t cpu)
{
	struct fake *fake = context;
	int result;

	pthread_mutex_lock(&fake->lock);
	result = fault(fake, FAKE_ONLINE_OPEN);
	for (int i = 0; result == 0; i++) {
		must(i < MAX_ONLINE, "too many online files");
		if (fake->online[i].open)
			continue;
		fake->online[i] = (struct fake_online){.open = true, .cpu = cpu};
		result = i + ONLINE_BASE;
	}
	pthread_mutex_unlock(&fake->lock);
	return result;
}

static struct fake_online *online_of(struct fake *fake, int handle)
{
	int index = handle - ONLINE_BASE;

	must(index >= 0 && index < MAX_ONLINE && fake->online[index].open, "not an online file");
	return &fake->online[index];
}

static void online_close(void *context, int handle)
{
	struct fake *fake = context;
	struct fake_online *online = online_of(fake, handle);

	if (online->busy)
		pthread_join(online->thread, NULL);
	pthread_mutex_lock(&fake->lock);
	online->open = false;
	pthread_mutex_unlock(&fake->lock);
}

/* What the hotplug callback does: a CPU in use stays where it is. */
static int online_write(void *context, int handle)
{
	struct fake *fake = context;
	uint32_t n, number = online_of(fake, handle)->cpu;
	struct fake_node *node = node_of(fake, number, &n);
	int error;

	/* Linux does one at a time, and the library asks for one at a time. */
	must(__atomic_add_fetch(&fake->converting, 1, __ATOMIC_SEQ_CST) == 1, "two conversions");
	usleep(500);
	pthread_mutex_lock(&fake->lock);
	error = fault(fake, FAKE_ONLINE_WRITE);
	if (!error && node && n && node->cpus[n].state != REMOVED) {
		if (node->cpus[n].state != AVAIL)
			error = -EBUSY;
		else if (!change_status(node, n, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE) ||
			 !wait_for_status(fake, node, n, SIDECAR_STATUS_REMOVED, TIMEOUT_MS))
			error = -ETIMEDOUT;
		else
			set_state(&node->cpus[n], REMOVED);
	}
	pthread_mutex_unlock(&fake->lock);
	__atomic_sub_fetch(&fake->converting, 1, __ATOMIC_SEQ_CST);
	return error;
}

struct online_job {
	struct fake *fake;
	int handle;
	int ring_fd;
	uint64_t user_data;
};

static void *online_thread(void *argument)
{
	struct online_job job = *(struct online_job *)argument;
	int error = online_write(job.fake, job.handle);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	free(argument);
	must(io_uring_queue_init(2, &ring, 0) == 0, "no ring");
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_msg_ring(sqe, job.ring_fd, (unsigned int)(error ? error : 1), job.user_data, 0);
	must(io_uring_submit_and_wait(&ring, 1) == 1, "no message");
	must(io_uring_peek_cqe(&ring, &cqe) == 0 && cqe->res >= 0, "message refused");
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
	return NULL;
}

static int online_prepare(void *context, int handle, struct io_uring *ring, uint64_t user_data)
{
	struct fake *fake = context;
	struct fake_online *online = online_of(fake, handle);
	struct online_job *job = malloc(sizeof(*job));

	must(job != NULL, "no memory");
	if (online->busy)
		pthread_join(online->thread, NULL);
	*job = (struct online_job){fake, handle, ring->ring_fd, user_data};
	online->busy = true;
	must(pthread_create(&online->thread, NULL, online_thread, job) == 0, "no thread");
	return 0;
}

/* ---- counts ---------------------------------------------------------------------------------- */

unsigned int fake_open_files(struct fake *fake)
{
	unsigned int count = 0;

	for (int i = 0; i < MAX_FILES; i++)
		count += fake->files[i].open;
	return count;
}

unsigned int fake_open_partitions(struct fake *fake)
{
	unsigned int count = 0;

	for (int i = 0; i < MAX_PARTITIONS; i++)
		count += fake->partitions[i];
	return count;
}

unsigned int fake_mapped_ranges(struct fake *fake)
{
	unsigned int count = 0;

	for (int i = 0; i < MAX_RANGES; i++)
		count += fake->ranges[i].partition != 0;
	return count;
}

const struct sidecar_driver fake_driver = {
	.node_open = node_open,
	.node_close = node_close,
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
	.partition_close = partition_close,
	.partition_attach = partition_attach,
	.partition_map = partition_map,
	.partition_unmap = partition_unmap,
	.online_open = online_open,
	.online_close = online_close,
	.online_write = online_write,
	.online_prepare = online_prepare,
};

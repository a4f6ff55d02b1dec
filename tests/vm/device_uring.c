// SPDX-License-Identifier: MIT
/*
 * Commands through a ring: the CQE is the completion, each has exactly one (R2, R3), it says what
 * happened, and none of them keeps a VP from anybody when its owner has gone (R6, R9).
 */
#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>

#include "device.h"

#define ENTRIES 64u
#define QUIET_MS 100
#define NO_CQE 1 /* no result is positive */
#define DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

/* ---- a ring ---------------------------------------------------------------------------------- */

static struct io_uring new_ring(unsigned int flags)
{
	struct io_uring ring;
	int error = io_uring_queue_init(ENTRIES, &ring, flags);

	if (error) {
		tap_check(false, "a ring with flags %#x: %s", flags, strerror(-error));
		exit(1);
	}
	return ring;
}

/* The CPU number is also the CQE's user_data. */
static struct io_uring_sqe *prepare(struct io_uring *ring, int fd, unsigned int cpu)
{
	struct sidecar_uring_cmd payload = { .cpu = cpu };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		abort();
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = SIDECAR_URING_START;
	sqe->user_data = cpu;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	return sqe;
}

static void submit(struct io_uring *ring, struct device *device, unsigned int cpu, uint32_t command)
{
	set_command(device, cpu, command);
	prepare(ring, device->fd, cpu);
	io_uring_submit(ring);
}

/* A result, or NO_CQE. */
static int wait_any(struct io_uring *ring, long long ms, uint64_t *user)
{
	struct __kernel_timespec time = { ms / 1000, ms % 1000 * 1000000 };
	struct io_uring_cqe *cqe;
	int result;

	*user = 0;
	if (io_uring_wait_cqe_timeout(ring, &cqe, &time))
		return NO_CQE;
	*user = cqe->user_data;
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

/* As a positive errno. */
static int wait_for(struct io_uring *ring, unsigned int cpu)
{
	uint64_t user;
	int result = wait_any(ring, 8000, &user);

	if (result <= 0 && user != cpu)
		tap_note("the CQE is of CPU %llu, wanted %u", (unsigned long long)user, cpu);
	return result == NO_CQE ? ETIME : user == cpu ? -result : EPROTO;
}

static bool is_quiet(struct io_uring *ring)
{
	uint64_t user;

	return wait_any(ring, QUIET_MS, &user) == NO_CQE;
}

static int uring(struct io_uring *ring, struct device *device, unsigned int cpu, uint32_t command)
{
	submit(ring, device, cpu, command);
	return wait_for(ring, cpu);
}

/* ---- success --------------------------------------------------------------------------------- */

static void test_caps(struct device *device)
{
	struct sidecar_ioctl_caps caps = { .size = sizeof(caps) };

	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, (unsigned long)&caps), 0, "CAPS");
	tap_check(caps.capabilities & SIDECAR_CAP_URING_CMD, "CAPS: URING_CMD");
}

static struct sidecar_registers_request *rip_request(struct device *device, uint64_t value)
{
	struct sidecar_registers_request *request = (void *)command_page(device, 1)->request_data;
	struct hv_register_assoc *entry = (void *)(request + 1);

	memset(request, 0, sizeof(*request) + sizeof(*entry));
	request->count = 1;
	request->status = 0xffff;
	entry->name = HV_REGISTER_RIP;
	entry->value.low = value;
	return request;
}

static void test_registers(struct io_uring *ring, struct device *device)
{
	struct sidecar_registers_request *request = rip_request(device, 0x1234);
	struct hv_register_assoc *entry = (void *)(request + 1);

	tap_equal(uring(ring, device, 1, SIDECAR_COMMAND_SET_REGISTERS), 0, "SET_REGISTERS");
	tap_equal(request->status, 0, "its status");
	rip_request(device, 0);
	tap_equal(uring(ring, device, 1, SIDECAR_COMMAND_GET_REGISTERS), 0, "GET_REGISTERS");
	tap_equal(request->status, 0, "its status");
	tap_equal(entry->value.low, 0x1234, "its value");
	rip_request(device, 0xfff0);
	tap_equal(uring(ring, device, 1, SIDECAR_COMMAND_SET_REGISTERS), 0, "SET_REGISTERS");
}

static void test_commands(struct io_uring *ring)
{
	struct device device = device_open();
	struct sidecar_command_page *page = command_page(&device, 1);
	struct sidecar_translate_response *response = (void *)page->request_data;
	uint32_t cpu;

	close(GIVE_GUEST(&device, port_guest));
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "NONE");
	tap_equal(page->command, SIDECAR_COMMAND_NONE, "the command is taken");
	test_registers(ring, &device);
	memset(page->request_data, 0, sizeof(struct sidecar_translate_request));
	response->output.result = 77; /* behind the request */
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_TRANSLATE_GVA), 0, "TRANSLATE_GVA");
	tap_check(response->output.result != 77, "its result is written");
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_RUN_VP), 0, "RUN_VP");
	tap_equal(run_result(&device, 1), SIDECAR_RUN_INTERCEPT, "ends with an intercept");
	tap_equal(page->intercept_message.header.type, HV_MESSAGE_IO_PORT_INTERCEPT, "I/O port");
	tap_equal(uring(ring, &device, 1, 77), 0, "an unknown command");
	tap_equal(page->has_error, 1, "has an error text");
	tap_equal(read(device.fd, &cpu, sizeof(cpu)) < 0 ? errno : 0, EAGAIN,
		  "R3: read has none of these completions");
	tap_check(is_quiet(ring), "nor is there a CQE too many");
	device_close(&device);
}

/* One enter; they run at the same time, because none of them ends. */
static void test_many(struct io_uring *ring)
{
	struct device device = device_open();
	unsigned int cpu, stopped = 0;
	uint64_t user, seen = 0;

	close(GIVE_GUEST(&device, endless_guest));
	for (cpu = 1; cpu < CPUS; cpu++) {
		set_command(&device, cpu, SIDECAR_COMMAND_RUN_VP);
		prepare(ring, device.fd, cpu);
	}
	tap_equal(io_uring_submit(ring), CPUS - 1, "three guests are run in one enter");
	tap_check(is_quiet(ring), "all run");
	for (cpu = 1; cpu < CPUS; cpu++)
		control(device.fd, SIDECAR_IOC_CANCEL, cpu);
	for (cpu = 1; cpu < CPUS; cpu++) {
		if (wait_any(ring, 5000, &user) == 0)
			seen |= 1u << user;
		stopped += run_result(&device, cpu) == SIDECAR_RUN_STOPPED;
	}
	tap_equal(seen, 0xe, "CANCEL ends each of them");
	tap_equal(stopped, CPUS - 1, "as stopped");
	tap_check(is_quiet(ring), "once");
	device_close(&device);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_payload(struct io_uring *ring, struct device *device)
{
	struct sidecar_uring_cmd bad_flags = { .cpu = 1, .flags = 1u << 31 };
	struct sidecar_uring_cmd bad_reserved = { .cpu = 1, .reserved = 1ull << 63 };
	struct io_uring_sqe *sqe;

	memcpy(prepare(ring, device->fd, 1)->cmd, &bad_flags, sizeof(bad_flags));
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 1), EINVAL, "flags");
	memcpy(prepare(ring, device->fd, 1)->cmd, &bad_reserved, sizeof(bad_reserved));
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 1), EINVAL, "reserved");
	sqe = prepare(ring, device->fd, 1);
	sqe->cmd_op = SIDECAR_URING_START + 1;
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 1), ENOTTY, "unknown cmd_op");
	tap_equal(describe(device, 1).owned, 0, "none of them claims the VP");
}

static void test_cpus(struct io_uring *ring, struct device *device)
{
	prepare(ring, device->fd, CPUS);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, CPUS), EINVAL, "a CPU outside the node");
	prepare(ring, device->fd, UINT32_MAX);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, UINT32_MAX), EINVAL, "a CPU far outside");
	prepare(ring, device->fd, 0);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 0), ENOENT, "R7: the base CPU");
}

static void test_busy(struct io_uring *ring, struct device *device)
{
	struct device other = device_open();

	submit(ring, device, 1, SIDECAR_COMMAND_RUN_VP);
	tap_check(is_quiet(ring), "a guest runs");
	tap_equal(uring(ring, device, 1, SIDECAR_COMMAND_RUN_VP), EBUSY, "a second in flight");
	tap_equal(control(device->fd, SIDECAR_IOC_START, 1), EBUSY, "START meanwhile");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, 1), EBUSY, "RUN meanwhile");
	tap_equal(describe(device, 1).state, SIDECAR_CPU_STATE_BUSY, "CPU: busy");
	prepare(ring, other.fd, 1);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 1), EBUSY, "another's");
	tap_equal(control(other.fd, SIDECAR_IOC_STOP, 1), EINVAL, "another's STOP");
	tap_equal(control(other.fd, SIDECAR_IOC_CANCEL, 1), 0, "another's CANCEL");
	tap_check(is_quiet(ring), "stops nothing");
	control(device->fd, SIDECAR_IOC_CANCEL, 1);
	tap_equal(wait_for(ring, 1), 0, "the owner's does");
	prepare(ring, other.fd, 1);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 1), EBUSY, "another's when idle");
	device_close(&other);
}

static void test_after_start(struct io_uring *ring, struct device *device)
{
	tap_equal(start(device, 2, SIDECAR_COMMAND_RUN_VP), 0, "START");
	prepare(ring, device->fd, 2);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 2), EBUSY, "a ring's while it runs");
	control(device->fd, SIDECAR_IOC_STOP, 2);
	sleep_ms(200);
	prepare(ring, device->fd, 2);
	io_uring_submit(ring);
	tap_equal(wait_for(ring, 2), EBUSY, "and while its completion is unread");
	tap_equal(wait_completion(device, 1000), 2, "which read has");
	tap_equal(uring(ring, device, 2, SIDECAR_COMMAND_NONE), 0, "then the VP is free");
}

static void test_errors(struct io_uring *ring)
{
	struct device device = device_open();

	close(GIVE_GUEST(&device, endless_guest));
	test_payload(ring, &device);
	test_cpus(ring, &device);
	test_busy(ring, &device);
	test_after_start(ring, &device);
	device_close(&device);
}

/* ---- STOP and CANCEL ------------------------------------------------------------------------- */

/* Whether Linux may have CPU 1: 0 or errno. */
static int take_cpu(void)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	int error = write(fd, "1", 1) == 1 ? 0 : errno;

	close(fd);
	return error;
}

static void test_stop(struct io_uring *ring)
{
	struct device device = device_open();
	const int fd = device.fd;

	close(GIVE_GUEST(&device, endless_guest));
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "NONE");
	tap_equal(control(fd, SIDECAR_IOC_STOP, 1), EINVAL, "STOP before");
	tap_equal(control(fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL before");
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "does nothing to NONE");
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_RUN_VP), ECANCELED, "R4: ends RUN_VP");
	submit(ring, &device, 1, SIDECAR_COMMAND_RUN_VP);
	tap_check(is_quiet(ring), "once");
	tap_equal(take_cpu(), EBUSY, "Linux does not get a busy CPU");
	tap_equal(control(fd, SIDECAR_IOC_STOP, 1), 0, "STOP during");
	tap_equal(wait_for(ring, 1), 0, "ends it");
	tap_equal(run_result(&device, 1), SIDECAR_RUN_STOPPED, "as stopped");
	tap_equal(control(fd, SIDECAR_IOC_STOP, 1), EINVAL, "STOP after");
	tap_equal(control(fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL after");
	tap_check(is_quiet(ring), "gives no second CQE");
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "the VP works");
	device_close(&device);
}

/*
 * A CANCEL at every moment of the run: each run ends once, and as stopped. A command that claims
 * its VP first may begin after the enter, so the VPs are claimed before.
 */
static void test_cancel_race(struct io_uring *ring)
{
	struct device device = device_open();
	unsigned int i, wrong = 0;

	close(GIVE_GUEST(&device, endless_guest));
	for (i = 1; i < CPUS; i++)
		wrong += run(&device, i, SIDECAR_COMMAND_NONE) != 0;
	for (i = 0; i < 300; i++) {
		submit(ring, &device, 1 + i % 3, SIDECAR_COMMAND_RUN_VP);
		usleep(i % 60);
		control(device.fd, SIDECAR_IOC_CANCEL, 1 + i % 3);
		wrong += wait_for(ring, 1 + i % 3) != 0;
		wrong += run_result(&device, 1 + i % 3) != SIDECAR_RUN_STOPPED;
	}
	tap_equal(wrong, 0, "CANCEL at many moments");
	tap_check(is_quiet(ring), "no CQE too many");
	device_close(&device);
}

/* ---- close ----------------------------------------------------------------------------------- */

static bool is_free(struct device *device, unsigned int cpu)
{
	return describe(device, cpu).owned == 0 &&
	       describe(device, cpu).state == SIDECAR_CPU_STATE_IDLE;
}

/* One CQE of each CPU, in any order: the kernel does not keep that of the completions. */
static void wait_all(struct io_uring *ring, int results[CPUS])
{
	unsigned int cpu;
	uint64_t user;
	int result;

	for (cpu = 1; cpu < CPUS; cpu++)
		results[cpu] = ETIME;
	for (cpu = 1; cpu < CPUS; cpu++) {
		result = wait_any(ring, 8000, &user);
		if (result != NO_CQE && user < CPUS)
			results[user] = results[user] == ETIME ? -result : EPROTO;
	}
}

static void test_close(struct io_uring *ring, struct device *witness)
{
	struct device device = device_open();
	int results[CPUS];
	long long begin;

	close(GIVE_GUEST(&device, endless_guest));
	submit(ring, &device, 1, SIDECAR_COMMAND_RUN_VP);
	submit(ring, &device, 3, SIDECAR_COMMAND_RUN_VP);
	submit(ring, &device, 2, SIDECAR_COMMAND_NONE);
	tap_equal(wait_for(ring, 2), 0, "one of three ends by itself");
	tap_check(is_quiet(ring), "two guests run");
	submit(ring, &device, 2, SIDECAR_COMMAND_NONE);
	sleep_ms(200);
	begin = now_ms();
	close(device.fd); /* the mapping stays */
	tap_check(now_ms() - begin < 4000, "close stops them, not a time limit");
	tap_check(is_free(witness, 1) && is_free(witness, 2) && is_free(witness, 3),
		  "the VPs are nobody's, though ring and mapping are left");
	tap_equal(run(witness, 1, SIDECAR_COMMAND_NONE), 0, "they can be claimed at once");
	wait_all(ring, results);
	tap_equal(results[2], 0, "what was complete before the close is complete");
	tap_equal(results[1], ECANCELED, "what ran was cancelled");
	tap_equal(results[3], ECANCELED, "each of them");
	tap_check(is_quiet(ring), "once");
	munmap(device.shmem, SHMEM_SIZE);
}

static bool becomes_idle(struct device *device, unsigned int cpu)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (describe(device, cpu).state == SIDECAR_CPU_STATE_IDLE)
			return true;
		sleep_ms(100);
	}
	return false;
}

/* The device stays open, so nothing but the ring can end what it has begun. */
static void test_ring_close(void)
{
	struct device device = device_open();
	struct io_uring ring = new_ring(0);

	close(GIVE_GUEST(&device, endless_guest));
	tap_equal(uring(&ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "NONE of a ring");
	submit(&ring, &device, 1, SIDECAR_COMMAND_RUN_VP);
	tap_check(is_quiet(&ring), "its guest runs");
	io_uring_queue_exit(&ring);
	tap_check(becomes_idle(&device, 1), "ends when the ring is closed, the device is not");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "the VP is its owner's still");
	device_close(&device);
}

static struct io_uring_sqe *prepare_fixed(struct io_uring *ring, unsigned int cpu)
{
	struct io_uring_sqe *sqe = prepare(ring, 0, cpu);

	sqe->flags |= IOSQE_FIXED_FILE;
	return sqe;
}

static void test_fixed(struct device *witness)
{
	struct io_uring ring = new_ring(DEFER);
	struct device device = device_open();

	close(GIVE_GUEST(&device, endless_guest));
	tap_equal(io_uring_register_files(&ring, &device.fd, 1), 0, "a registered file");
	prepare_fixed(&ring, 2);
	io_uring_submit(&ring);
	tap_equal(wait_for(&ring, 2), 0, "NONE through it");
	set_command(&device, 2, SIDECAR_COMMAND_RUN_VP);
	prepare_fixed(&ring, 2);
	io_uring_submit(&ring);
	tap_check(is_quiet(&ring), "a guest runs");
	close(device.fd);
	tap_check(is_free(witness, 2), "close of the descriptor ends it");
	tap_equal(wait_for(&ring, 2), ECANCELED, "with ECANCELED");
	prepare_fixed(&ring, 2);
	io_uring_submit(&ring);
	tap_equal(wait_for(&ring, 2), EBADF, "without a descriptor it claims nothing");
	tap_check(is_free(witness, 2), "the VP stays nobody's");
	munmap(device.shmem, SHMEM_SIZE);
	io_uring_queue_exit(&ring);
}

struct closing {
	int fd;
	unsigned int pause_us;
};

static void *close_soon(void *context)
{
	struct closing *closing = context;

	usleep(closing->pause_us);
	close(closing->fd);
	return NULL;
}

/* A fixed file's claim and a close at the same time: the result of the claim. */
static int race_close(struct io_uring *ring, unsigned int close_us, unsigned int submit_us)
{
	struct device device = device_open();
	struct closing closing = { device.fd, close_us };
	pthread_t thread;
	int result;

	close(GIVE_GUEST(&device, endless_guest));
	io_uring_register_files(ring, &device.fd, 1);
	pthread_create(&thread, NULL, close_soon, &closing);
	set_command(&device, 1, SIDECAR_COMMAND_RUN_VP);
	prepare_fixed(ring, 1)->flags |= IOSQE_ASYNC;
	usleep(submit_us);
	io_uring_submit(ring);
	result = wait_for(ring, 1);
	pthread_join(thread, NULL);
	munmap(device.shmem, SHMEM_SIZE);
	io_uring_unregister_files(ring);
	return result;
}

static void test_fixed_race(struct device *witness)
{
	struct io_uring ring = new_ring(DEFER);
	unsigned int i, wrong = 0, cancelled = 0, early = 0, lost = 0;

	for (i = 0; i < 300; i++) {
		int result = race_close(&ring, i % 16 * 20, i / 16 * 20);

		cancelled += result == ECANCELED;
		early += result == EBADF || result == EBUSY;
		wrong += result != ECANCELED && result != EBADF && result != EBUSY;
		lost += !is_free(witness, 1);
	}
	tap_note("the run first: %u, the close first: %u", cancelled, early);
	tap_equal(wrong, 0, "close against claim: one of them is first");
	tap_equal(lost, 0, "and the VP is free afterwards");
	io_uring_queue_exit(&ring);
}

/* ---- other tasks ----------------------------------------------------------------------------- */

struct task {
	struct io_uring *ring;
	struct device *device;
};

static void *submit_and_end(void *context)
{
	struct task *task = context;

	submit(task->ring, task->device, 1, SIDECAR_COMMAND_RUN_VP);
	return NULL;
}

static void test_thread(void)
{
	struct io_uring ring = new_ring(0);
	struct device device = device_open();
	struct task task = { &ring, &device };
	pthread_t thread;

	close(GIVE_GUEST(&device, endless_guest));
	pthread_create(&thread, NULL, submit_and_end, &task);
	pthread_join(thread, NULL);
	tap_check(is_quiet(&ring), "a thread leaves a guest running and ends");
	control(device.fd, SIDECAR_IOC_CANCEL, 1);
	tap_equal(wait_for(&ring, 1), 0, "another gets the completion");
	tap_equal(uring(&ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "and goes on");
	device_close(&device);
	io_uring_queue_exit(&ring);
}

static void test_kernel_thread(void)
{
	struct io_uring ring = new_ring(IORING_SETUP_SQPOLL);
	struct device device = device_open();

	tap_equal(uring(&ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "SQPOLL: the first command");
	tap_equal(uring(&ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "SQPOLL: the second");
	prepare(&ring, device.fd, 1)->flags |= IOSQE_ASYNC;
	io_uring_submit(&ring);
	tap_equal(wait_for(&ring, 1), 0, "in a worker");
	device_close(&device);
	io_uring_queue_exit(&ring);
}

/* Its own ring, the parent's descriptor. */
static int submit_in_child(void *context)
{
	struct io_uring ring = new_ring(0);
	struct device *device = context;

	prepare(&ring, device->fd, 1);
	io_uring_submit(&ring);
	return wait_for(&ring, 1);
}

static void test_fork(struct io_uring *ring)
{
	struct device device = device_open();

	close(GIVE_GUEST(&device, endless_guest));
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "a claim");
	tap_equal(in_child(submit_in_child, &device), EBUSY, "is not a child's to use by ring");
	submit(ring, &device, 1, SIDECAR_COMMAND_RUN_VP);
	tap_equal(in_child(submit_in_child, &device), EBUSY, "busy for the child too");
	tap_check(is_quiet(ring), "a child's exit stops nothing");
	control(device.fd, SIDECAR_IOC_CANCEL, 1);
	tap_equal(wait_for(ring, 1), 0, "the parent's CANCEL does");
	device_close(&device);
}

/* ---- SIGKILL --------------------------------------------------------------------------------- */

struct victim {
	bool fixed;
	bool heir; /* a child of the victim keeps descriptor, ring and a mapping of its own */
	unsigned int flags;
	unsigned int pause_us;
	int pipe[2];
};

static void leave_heir(struct victim *victim, struct device *device)
{
	pid_t heir = fork();

	if (heir == 0) {
		map_shmem(device->fd);
		for (;;)
			pause();
	}
	write(victim->pipe[1], &heir, sizeof(heir));
}

static void be_victim(struct victim *victim)
{
	struct io_uring ring = new_ring(victim->flags);
	struct device device = device_open();
	unsigned int cpu;

	GIVE_GUEST(&device, endless_guest);
	if (victim->fixed)
		io_uring_register_files(&ring, &device.fd, 1);
	for (cpu = 1; cpu < CPUS; cpu++) {
		set_command(&device, cpu, SIDECAR_COMMAND_RUN_VP);
		if (victim->fixed)
			prepare_fixed(&ring, cpu);
		else
			prepare(&ring, device.fd, cpu);
	}
	io_uring_submit(&ring);
	if (victim->heir)
		leave_heir(victim, &device);
	for (;;)
		pause();
}

/* How many VPs are not usable at once. */
static unsigned int kill_one(struct device *witness, struct victim *victim)
{
	unsigned int cpu, lost = 0;
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		be_victim(victim);
	usleep(victim->pause_us);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	for (cpu = 1; cpu < CPUS; cpu++)
		lost += run(witness, cpu, SIDECAR_COMMAND_NONE) != 0;
	return lost;
}

static void test_kill(struct victim victim, const char *name)
{
	struct device witness = device_open();

	victim.pause_us = 400000;
	tap_equal(kill_one(&witness, &victim), 0, name);
	device_close(&witness);
}

static void test_kill_heir(void)
{
	struct victim victim = { .heir = true, .pause_us = 400000 };
	struct device witness = device_open();
	pid_t heir = 0;

	pipe(victim.pipe);
	tap_equal(kill_one(&witness, &victim), 0, "SIGKILL while a child has all it inherits");
	tap_equal(read(victim.pipe[0], &heir, sizeof(heir)), sizeof(heir), "the child is there");
	kill(heir, SIGKILL);
	device_close(&witness);
}

#define KILLS 40

static void test_kills(void)
{
	unsigned int i, lost = 0;

	for (i = 0; i < KILLS; i++) {
		struct victim victim = { .fixed = i & 1, .flags = i & 2 ? DEFER : 0,
					 .pause_us = i * 400 };
		struct device witness = device_open();

		lost += kill_one(&witness, &victim);
		device_close(&witness);
	}
	tap_equal(lost, 0, "SIGKILL at many moments loses no VP");
}

/* ---- many ------------------------------------------------------------------------------------ */

/* Three ways of starting at the same time, each with its own way of ending. */
static void test_mixture(struct io_uring *ring)
{
	struct device device = device_open();
	unsigned int i, wrong = 0;

	close(GIVE_GUEST(&device, endless_guest));
	for (i = 0; i < 100; i++) {
		unsigned int a = 1 + i % 3, b = 1 + (i + 1) % 3, c = 1 + (i + 2) % 3;

		submit(ring, &device, a, SIDECAR_COMMAND_RUN_VP);
		wrong += start(&device, b, SIDECAR_COMMAND_RUN_VP) != 0;
		wrong += run(&device, c, SIDECAR_COMMAND_NONE) != 0;
		control(device.fd, SIDECAR_IOC_CANCEL, a);
		control(device.fd, SIDECAR_IOC_STOP, b);
		wrong += wait_completion(&device, 2000) != (int)b;
		wrong += wait_for(ring, a) != 0;
	}
	tap_equal(wrong, 0, "a ring's, START's and RUN's at the same time");
	tap_check(is_quiet(ring), "no CQE too many");
	tap_equal(wait_completion(&device, QUIET_MS), -ETIME, "R3: no completion too many");
	device_close(&device);
}

#define STRESS 20000u

static void submit_numbered(struct io_uring *ring, int fd, unsigned int cpu, uint64_t number)
{
	prepare(ring, fd, cpu)->user_data = number << 8 | cpu;
}

static void test_stress(struct io_uring *ring)
{
	static uint8_t ended[STRESS];
	struct device device = device_open();
	unsigned int cpu, number, pending, wrong = 0, odd = 0;
	uint64_t user;

	memset(ended, 0, sizeof(ended));
	for (number = 0; number < CPUS - 1; number++)
		submit_numbered(ring, device.fd, number + 1, number);
	for (pending = number; pending; pending--) {
		io_uring_submit(ring);
		wrong += wait_any(ring, 8000, &user) != 0;
		cpu = user & 0xff;
		odd += ended[user >> 8]++ != 0;
		if (number < STRESS) {
			submit_numbered(ring, device.fd, cpu, number++);
			pending++;
		}
	}
	tap_equal(wrong, 0, "20,000 commands succeed");
	tap_equal(odd, 0, "none completes twice");
	tap_check(!memchr(ended, 0, sizeof(ended)), "each completes");
	tap_check(is_quiet(ring), "no CQE too many");
	device_close(&device);
}

/* ---- a CPU that does not answer -------------------------------------------------------------- */

#define DEAD 2u

static void test_failed(struct io_uring *ring)
{
	struct device device = device_open(), witness;

	close(GIVE_GUEST(&device, endless_guest));
	submit(ring, &device, DEAD, SIDECAR_COMMAND_NONE);
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	tap_equal(wait_for(ring, DEAD), ETIMEDOUT, "the dead CPU's command ends");
	tap_check(is_quiet(ring), "once");
	tap_equal(wait_completion(&device, QUIET_MS), -ETIME, "read knows nothing of it");
	tap_equal(describe(&device, DEAD).state, SIDECAR_CPU_STATE_FAILED, "CPU: failed");
	tap_equal(uring(ring, &device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "the next command");
	tap_equal(uring(ring, &device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	device_close(&device);
	witness = device_open();
	tap_equal(uring(ring, &witness, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "the next owner");
	device_close(&witness);
}

static void test_failed_close(struct io_uring *ring)
{
	struct device device = device_open();

	close(GIVE_GUEST(&device, endless_guest));
	submit(ring, &device, DEAD, SIDECAR_COMMAND_RUN_VP);
	sleep_ms(200);
	device_close(&device);
	tap_equal(wait_for(ring, DEAD), ETIMEDOUT, "close with one pending on a dead CPU");
	tap_check(is_quiet(ring), "once");
}

static void insert_spin(void)
{
	tap_equal(insert_module("cpus=1-3 firmware=spin.elf timeout_ms=500"), 0, "insmod spin");
}

/* ---- the module ------------------------------------------------------------------------------ */

static bool can_remove(unsigned int tries)
{
	while (tries--) {
		if (system("rmmod sidecar 2>/dev/null") == 0)
			return true;
		sleep_ms(50);
	}
	return false;
}

/* A ring's table holds the file, and with it the module, until the ring goes. */
static void test_module(void)
{
	struct io_uring ring = new_ring(0);
	struct device device = device_open();

	close(GIVE_GUEST(&device, endless_guest));
	io_uring_register_files(&ring, &device.fd, 1);
	submit(&ring, &device, 1, SIDECAR_COMMAND_RUN_VP);
	tap_check(!can_remove(1), "rmmod with one pending is refused");
	tap_check(is_quiet(&ring), "the guest runs on");
	device_close(&device);
	tap_check(!can_remove(1), "and with a fixed file");
	tap_equal(wait_for(&ring, 1), ECANCELED, "the CQE is there");
	io_uring_queue_exit(&ring);
	tap_check(can_remove(100), "rmmod after the ring");
}

static void test_on_kernel(struct io_uring *ring)
{
	struct device witness = device_open();

	test_caps(&witness);
	test_commands(ring);
	test_many(ring);
	test_errors(ring);
	test_stop(ring);
	test_cancel_race(ring);
	test_close(ring, &witness);
	device_close(&witness);
	witness = device_open();
	test_fixed(&witness);
	test_fixed_race(&witness);
	device_close(&witness);
	test_thread();
	test_kernel_thread();
	test_fork(ring);
	test_mixture(ring);
	test_stress(ring);
}

int main(void)
{
	struct io_uring ring = new_ring(DEFER), plain = new_ring(0);

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	test_on_kernel(&ring);
	test_ring_close();
	test_stress(&plain);
	test_kill((struct victim){ .fixed = false }, "SIGKILL with three pending");
	test_kill((struct victim){ .fixed = true, .flags = DEFER }, "SIGKILL with a fixed file");
	test_kill_heir();
	test_kills();
	tap_check(can_remove(100), "rmmod");
	insert_spin();
	test_failed(&ring);
	tap_check(can_remove(100), "rmmod");
	insert_spin();
	test_failed_close(&ring);
	tap_check(can_remove(100), "rmmod");
	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	test_module();
	return tap_done();
}

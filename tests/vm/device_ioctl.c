// SPDX-License-Identifier: MIT
/*
 * The calls of the device as the original driver has them, errno by errno, and what this driver
 * adds: rules R1, R2, R3, R5 and R7.
 */
#include <pthread.h>
#include <sched.h>

#include "device.h"

static void test_info(struct device *device)
{
	struct sidecar_node_ioctl_info info = {};

	tap_equal(control(device->fd, SIDECAR_IOC_INFO, (unsigned long)&info), 0, "INFO answers");
	tap_equal(info.base_cpu, 0, "INFO: base CPU");
	tap_equal(info.cpu_count, CPUS, "INFO: number of CPUs");
	tap_equal(info.per_cpu_shmem, SIDECAR_PER_CPU_SHMEM, "INFO: shared bytes per CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_INFO, 8), EFAULT, "INFO into nowhere");
	tap_equal(control(device->fd, _IO(SIDECAR_IOC_TYPE, 0x42), 0), ENOTTY, "unknown ioctl");
}

static void test_caps(struct device *device)
{
	struct {
		struct sidecar_ioctl_caps caps;
		uint64_t newer;
	} a = { .caps.size = sizeof(a.caps) };
	unsigned long argument = (unsigned long)&a;

	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, argument), 0, "CAPS answers");
	tap_equal(a.caps.backend, SIDECAR_BACKEND_SVM, "CAPS: backend");
	tap_equal(a.caps.capabilities & 7,
		  SIDECAR_CAP_PARTITIONS | SIDECAR_CAP_CANCEL | SIDECAR_CAP_OWNERSHIP,
		  "CAPS: capabilities");
	tap_equal(a.caps.node_count, 1, "CAPS: number of nodes");
	a.caps.size = sizeof(a.caps) - 1;
	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, argument), EINVAL, "CAPS: too small");
	a.caps.size = sizeof(a);
	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, argument), 0, "CAPS: newer, rest zero");
	a.newer = 1;
	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, argument), EINVAL, "CAPS: newer, unknown");
}

static void test_which_cpu(struct device *device)
{
	unsigned long beyond = 1ul << 32 | 1;

	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "RUN of NONE");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, 0), ENOENT, "R7: RUN of the base CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_START, 0), ENOENT, "R7: START of the base CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 0), EINVAL, "R7: STOP of the base CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 0), 0, "R7: CANCEL of the base CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, CPUS), EINVAL, "RUN outside the node");
	tap_equal(control(device->fd, SIDECAR_IOC_START, CPUS), EINVAL, "START outside the node");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, CPUS), EINVAL, "STOP outside the node");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, CPUS), EINVAL, "CANCEL outside the node");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, beyond), EINVAL, "RUN beyond 32 bits");
	tap_equal(control(device->fd, SIDECAR_IOC_START, beyond), EINVAL, "START beyond 32 bits");
}

static void test_read(struct device *device)
{
	struct pollfd wait = { .fd = device->fd, .events = POLLIN };
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t cpus[4] = { 99 };

	tap_equal(read(device->fd, cpus, 4) < 0 ? errno : 0, EAGAIN, "read: nothing there");
	tap_equal(poll(&wait, 1, 0), 0, "poll: nothing there");
	tap_equal(read(device->fd, cpus, 3) < 0 ? errno : 0, EINVAL, "read: three bytes");
	tap_equal(start(device, 1, SIDECAR_COMMAND_NONE), 0, "START of NONE");
	tap_equal(poll(&wait, 1, 2000), 1, "poll tells of the completion");
	tap_equal(wait.revents, POLLIN, "poll: POLLIN alone");
	tap_equal(control(device->fd, SIDECAR_IOC_START, 1), EBUSY, "START with one unread");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, 1), EBUSY, "RUN with one unread");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), 0, "STOP with one unread");
	tap_equal(read(device->fd, nowhere, 4) < 0 ? errno : 0, EFAULT, "read into nowhere");
	tap_equal(read(device->fd, cpus, sizeof(cpus)), 4, "R2: the completion is still there");
	tap_equal(cpus[0], 1, "read: its CPU");
	tap_equal(read(device->fd, cpus, 4) < 0 ? errno : 0, EAGAIN, "R3: read: only once");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), EINVAL, "STOP after the read");
}

static void test_order(struct device *device)
{
	unsigned int cpu;

	for (cpu = 3; cpu >= 1; cpu--)
		start(device, cpu, SIDECAR_COMMAND_NONE);
	sleep_ms(200);
	for (cpu = 1; cpu <= 3; cpu++)
		tap_equal(wait_completion(device, 1000), cpu, "read: lowest CPU first");
}

/* ---- guests ---------------------------------------------------------------------------------- */

static void test_stop(struct device *device)
{
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), EINVAL, "STOP with nothing started");
	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "START of an endless guest");
	tap_equal(start(device, 2, SIDECAR_COMMAND_NONE), 0, "START on another CPU");
	tap_equal(wait_completion(device, 1000), 2, "R1: its completion is not the guest's");
	tap_equal(wait_completion(device, 300), -ETIME, "R1: no completion of what runs");
	tap_equal(describe(device, 1).state, SIDECAR_CPU_STATE_BUSY, "CPU: busy");
	tap_equal(describe(device, 1).owned, 1, "CPU: ours");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), 0, "STOP");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), 0, "STOP again");
	tap_equal(wait_completion(device, 1000), 1, "the stopped run completes");
	tap_equal(run_result(device, 1), SIDECAR_RUN_STOPPED, "it says that it was stopped");
	tap_equal(describe(device, 1).state, SIDECAR_CPU_STATE_IDLE, "CPU: idle");
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_signal(struct device *device, int flags, const char *name)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	long long begin = now_ms();

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	tap_equal(run(device, 1, SIDECAR_COMMAND_RUN_VP), EINTR, name);
	tap_check(now_ms() - begin < 3000, "R5: it ends soon after the signal");
	tap_equal(run_result(device, 1), SIDECAR_RUN_STOPPED, "R5: the command has ended");
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "R5: the VP is free again");
}

static void *cancel_soon(void *context)
{
	struct device *device = context;

	sleep_ms(300);
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), EINVAL, "STOP is not for RUN");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL is");
	return NULL;
}

/* R4: a CANCEL that finds no run ends the next one, however it is started, and no other. */
static void test_sticky_cancel(struct device *device)
{
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL with nothing there");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 1), 0, "and again");
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "R4: NONE is no run");
	tap_equal(run(device, 1, SIDECAR_COMMAND_RUN_VP), ECANCELED, "R4: RUN does not start");
	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "R4: the next one does");
	sleep_ms(50);
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL of a run in flight");
	tap_equal(wait_completion(device, 1000), 1, "stops it");
	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "R4: and is used up");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 1), 0, "STOP");
	tap_equal(wait_completion(device, 1000), 1, "stops it");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, 1), 0, "CANCEL with nothing there");
	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), ECANCELED, "R4: START does not start");
	tap_equal(wait_completion(device, 100), -ETIME, "and has no completion");
}

static void test_cancel(struct device *device)
{
	pthread_t thread;
	int result;

	test_sticky_cancel(device);
	pthread_create(&thread, NULL, cancel_soon, device);
	result = run(device, 1, SIDECAR_COMMAND_RUN_VP);
	pthread_join(thread, NULL);
	tap_equal(result, 0, "a cancelled RUN ends with success");
	tap_equal(run_result(device, 1), SIDECAR_RUN_STOPPED, "and says that it was stopped");
}

/* ---- many readers ---------------------------------------------------------------------------- */

#define READERS 4
#define ROUNDS 300

static unsigned int taken[CPUS];
static bool no_more;

static void *reader(void *context)
{
	struct device *device = context;

	while (!__atomic_load_n(&no_more, __ATOMIC_ACQUIRE)) {
		int cpu = wait_completion(device, 50);

		if (cpu > 0)
			__atomic_add_fetch(&taken[cpu], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void wait_taken(unsigned int cpu, unsigned int count)
{
	long long end = now_ms() + 5000;

	while (__atomic_load_n(&taken[cpu], __ATOMIC_RELAXED) < count && now_ms() < end)
		sched_yield();
}

static void test_readers(struct device *device)
{
	pthread_t threads[READERS];
	unsigned int i, cpu, started = 0;

	for (i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, reader, device);
	for (i = 1; i <= ROUNDS; i++) {
		for (cpu = 1; cpu < CPUS; cpu++)
			started += start(device, cpu, SIDECAR_COMMAND_NONE) == 0;
		for (cpu = 1; cpu < CPUS; cpu++)
			wait_taken(cpu, i);
	}
	sleep_ms(100);
	__atomic_store_n(&no_more, true, __ATOMIC_RELEASE);
	for (i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	tap_equal(started, ROUNDS * (CPUS - 1), "R3: every command could be started");
	for (cpu = 1; cpu < CPUS; cpu++)
		tap_equal(taken[cpu], ROUNDS, "R3: each completion is read exactly once");
}

/* Whoever claims is alone with the pages before he writes a command there. */
static void test_claim(struct device *device)
{
	struct device other = device_open();

	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, 0), ENOENT, "R7: CLAIM of the base CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, CPUS), EINVAL, "CLAIM outside the node");
	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, 3), 0, "CLAIM");
	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, 3), 0, "CLAIM again");
	tap_equal(control(other.fd, SIDECAR_IOC_CLAIM, 3), EBUSY, "CLAIM by another file");
	tap_equal(control(other.fd, SIDECAR_IOC_RUN, 3), EBUSY, "its RUN");
	device_close(&other);
}

int main(void)
{
	struct device device;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	test_info(&device);
	test_caps(&device);
	GIVE_GUEST(&device, endless_guest);
	test_which_cpu(&device);
	test_read(&device);
	test_order(&device);
	test_stop(&device);
	test_signal(&device, 0, "R5: a signal ends RUN with EINTR");
	test_signal(&device, SA_RESTART, "R5: RUN is never restarted");
	test_cancel(&device);
	test_claim(&device);
	test_readers(&device);
	return tap_done();
}

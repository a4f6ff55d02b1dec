// SPDX-License-Identifier: MIT
/*
 * TAKE, GIVE and RESET one after the other: what each says of every entry, where a CPU is
 * afterwards, and that a refused one is where it was (R8). Brings CPUs online.
 */
#include "move.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <linux/capability.h>

static void tap_works(struct device *device, unsigned int cpu, const char *name)
{
	tap_equal(describe(device, cpu).state, SIDECAR_CPU_STATE_IDLE, name);
	tap_equal(describe(device, cpu).owned, 0, name);
	tap_equal(run(device, cpu, SIDECAR_COMMAND_NONE), 0, name);
}

static void give_up(struct device *device)
{
	device_close(device);
	*device = device_open();
}

/* ---- arguments ------------------------------------------------------------------------------- */

static int raw_move(int fd, uint32_t size, uint32_t count, void *moves)
{
	struct sidecar_ioctl_move argument = { size, count, (uintptr_t)moves };

	return control(fd, SIDECAR_IOC_RESET, (unsigned long)&argument);
}

static void test_arguments(struct device *device)
{
	static struct sidecar_move moves[SIDECAR_MAX_MOVES + 1];
	struct sidecar_ioctl_caps caps = { .size = sizeof(caps) };

	tap_equal(control(device->fd, SIDECAR_IOC_CAPS, (unsigned long)&caps), 0, "CAPS");
	tap_check(caps.capabilities & SIDECAR_CAP_MOVE, "the driver can move CPUs");
	tap_equal(raw_move(device->fd, 8, 1, moves), EINVAL, "a size too small");
	tap_equal(raw_move(device->fd, 1 << 20, 1, moves), EINVAL, "a size too large");
	tap_equal(raw_move(device->fd, 16, 0, moves), EINVAL, "no entry");
	tap_equal(raw_move(device->fd, 16, SIDECAR_MAX_MOVES + 1, moves), EINVAL, "too many");
	tap_equal(raw_move(device->fd, 16, 1, (void *)8), EFAULT, "not the caller's memory");
	tap_equal(raw_move(device->fd, 16, SIDECAR_MAX_MOVES, moves), 0, "as many as can be");
	tap_equal(moves[SIDECAR_MAX_MOVES - 1].error, EINVAL, "the last is looked at");
}

static void test_refusals(struct device *device)
{
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 0), EINVAL, "TAKE of the base CPU");
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 0), EINVAL, "GIVE of the base CPU");
	tap_equal(move_cpu(device, SIDECAR_IOC_RESET, 0), EINVAL, "RESET of the base CPU");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, CPUS), EINVAL, "TAKE outside the node");
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, ~0u), EINVAL, "GIVE outside the node");
	tap_equal(move_cpu(device, SIDECAR_IOC_RESET, CPUS), EINVAL, "RESET outside the node");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 1), EEXIST, "TAKE of the sidecar's own");
	tap_works(device, 1, "it is where it was");
	give_up(device);
}

/* ---- there and back -------------------------------------------------------------------------- */

static void test_one(struct device *device)
{
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 2), 0, "GIVE");
	tap_online("0,2", "the CPU is Linux's");
	tap_equal(describe(device, 2).state, SIDECAR_CPU_STATE_REMOVED, "and not the sidecar's");
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 2), ENOENT, "GIVE again");
	tap_equal(move_cpu(device, SIDECAR_IOC_RESET, 2), ENOENT, "RESET of a CPU of Linux's");
	tap_online("0,2", "it still is");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 2), 0, "TAKE");
	tap_online("0", "the CPU is not Linux's");
	tap_works(device, 2, "it is the sidecar's");
	give_up(device);
}

static void test_nobodys(struct device *device)
{
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 3), 0, "GIVE");
	tap_equal(set_online(3, "0"), 0, "Linux gives it up: it is nobody's");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 3), 0, "TAKE of a CPU that is offline");
	tap_works(device, 3, "it is the sidecar's");
	give_up(device);
}

static void test_bulk(struct device *device)
{
	struct sidecar_move moves[] = { { 1, -1 }, { 0, -1 }, { 3, -1 }, { CPUS, -1 }, { 2, -1 } };

	tap_equal(move_cpus(device->fd, SIDECAR_IOC_GIVE, moves, 5), 0, "GIVE of some");
	tap_equal(moves[0].error | moves[2].error | moves[4].error, 0, "good ones");
	tap_check(moves[1].error == EINVAL && moves[3].error == EINVAL, "and bad ones");
	tap_online("0-3", "all are Linux's");
	tap_equal(move_range(device, SIDECAR_IOC_TAKE, 1, 3), 0, "TAKE of all");
	tap_online("0", "none is Linux's");
	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		tap_works(device, cpu, "it is the sidecar's");
	give_up(device);
}

/* The second finds the CPU as the first has left it. */
static void test_duplicates(struct device *device)
{
	struct sidecar_move moves[] = { { 1, -1 }, { 1, -1 }, { 2, -1 } };

	tap_equal(move_cpus(device->fd, SIDECAR_IOC_GIVE, moves, 3), 0, "GIVE, one of them twice");
	tap_check(moves[0].error == 0 && moves[1].error == ENOENT && moves[2].error == 0,
		  "the second is not in the sidecar");
	tap_equal(move_cpus(device->fd, SIDECAR_IOC_TAKE, moves, 3), 0, "TAKE, one of them twice");
	tap_check(moves[0].error == 0 && moves[1].error == EEXIST && moves[2].error == 0,
		  "the second is in the sidecar");
	tap_equal(move_cpus(device->fd, SIDECAR_IOC_RESET, moves, 3), 0, "RESET, one of them twice");
	tap_check(moves[0].error == 0 && moves[1].error == 0 && moves[2].error == 0,
		  "each is a reset");
	tap_works(device, 1, "it works");
	tap_works(device, 2, "so does the other");
	give_up(device);
}

static void test_rounds(struct device *device, unsigned long there, unsigned long back,
			const char *name)
{
	int error = 0;

	for (int round = 0; round < 50 && !error; round++) {
		error = move_range(device, there, 1, 3);
		if (!error && back)
			error = move_range(device, back, 1, 3);
	}
	tap_equal(error, 0, name);
	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		tap_works(device, cpu, name);
	give_up(device);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void tap_fresh(struct device *device, unsigned int cpu)
{
	const struct sidecar_cpu_context *context;

	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, cpu), 0, "CLAIM");
	context = &command_page(device, cpu)->cpu_context;
	tap_equal(context->fx_state.mxcsr, HV_FX_DEFAULT_MXCSR, "MXCSR is a reset processor's");
	tap_equal(context->gps[0], 0, "RAX too");
}

static void test_busy(struct device *device, struct device *other)
{
	int partition = GIVE_GUEST(device, endless_guest);

	tap_equal(start(device, 2, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	tap_equal(move_cpu(other, SIDECAR_IOC_GIVE, 2), EBUSY, "GIVE is refused");
	tap_equal(move_cpu(other, SIDECAR_IOC_TAKE, 2), EEXIST, "TAKE is refused");
	tap_equal(wait_completion(device, 100), -ETIME, "the guest runs on");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 2), 0, "STOP");
	tap_equal(wait_completion(device, 2000), 2, "it stops");
	tap_equal(run_result(device, 2), SIDECAR_RUN_STOPPED, "as a guest does");
	close(partition);
	give_up(device);
}

/* An idle owner loses the VP, and its memory is unpinned when he is told to go or goes. */
static void test_taken_from_owner(struct device *device, struct device *other)
{
	int partition = GIVE_GUEST(device, halting_guest);

	tap_equal(run(device, 2, SIDECAR_COMMAND_RUN_VP), 0, "a guest ran");
	command_page(device, 2)->cpu_context.gps[0] = 0x1234;
	tap_equal(move_cpu(other, SIDECAR_IOC_GIVE, 2), 0, "GIVE from under its owner");
	tap_equal(describe(device, 2).owned, 1, "it is still his");
	tap_equal(run(device, 2, SIDECAR_COMMAND_NONE), ENOENT, "but not there");
	tap_equal(move_cpu(other, SIDECAR_IOC_TAKE, 2), 0, "TAKE");
	tap_equal(describe(device, 2).owned, 0, "it is nobody's");
	tap_fresh(other, 2);
	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, 2), EBUSY, "it is the first comer's");
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "his memory is his own");
	close(partition);
	give_up(device);
	give_up(other);
}

/* ---- RESET ----------------------------------------------------------------------------------- */

static void test_reset_idle(struct device *device, struct device *other)
{
	int partition = GIVE_GUEST(device, halting_guest);

	tap_equal(run(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest ran");
	tap_equal(move_cpu(other, SIDECAR_IOC_RESET, 1), 0, "RESET of an idle CPU");
	tap_equal(describe(device, 1).owned, 0, "it is nobody's");
	tap_equal(describe(device, 1).entries, 0, "it has never entered a guest");
	tap_fresh(other, 1);
	close(partition);
	give_up(device);
	give_up(other);
}

static void test_reset_running(struct device *device, struct device *other)
{
	int partition = GIVE_GUEST(device, endless_guest);

	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	tap_equal(start(device, 3, SIDECAR_COMMAND_RUN_VP), 0, "and another");
	sleep_ms(100);
	tap_equal(move_cpu(other, SIDECAR_IOC_RESET, 1), 0, "RESET of a CPU that runs a guest");
	tap_equal(wait_completion(device, 1000), -ETIMEDOUT, "read tells of it");
	tap_equal(wait_completion(device, 100), -ETIME, "once");
	tap_equal(describe(device, 1).owned, 0, "it is nobody's");
	tap_equal(describe(device, 3).state, SIDECAR_CPU_STATE_BUSY, "its neighbour runs on");
	tap_fresh(other, 1);
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, 3), 0, "STOP of the neighbour");
	tap_equal(wait_completion(device, 2000), 3, "it answers");
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "the memory can be unmapped");
	close(partition);
	give_up(device);
	give_up(other);
}

static void test_reset_unread(struct device *device, struct device *other)
{
	int partition = GIVE_GUEST(device, halting_guest);

	tap_equal(start(device, 1, SIDECAR_COMMAND_NONE), 0, "START");
	sleep_ms(200);
	tap_equal(move_cpu(other, SIDECAR_IOC_RESET, 1), 0, "RESET before its completion is read");
	tap_equal(wait_completion(device, 1000), -ETIMEDOUT, "read does not wait for ever");
	tap_works(other, 1, "the CPU works");
	close(partition);
	give_up(device);
	give_up(other);
}

static int run_endless(void *context)
{
	struct device device = device_open();

	(void)context;
	GIVE_GUEST(&device, endless_guest);
	return run(&device, 2, SIDECAR_COMMAND_RUN_VP);
}

static void test_reset_in_run(struct device *device)
{
	pid_t child;
	int status = 0;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(run_endless(NULL));
	while (describe(device, 2).state != SIDECAR_CPU_STATE_BUSY)
		sleep_ms(10);
	tap_equal(move_cpu(device, SIDECAR_IOC_RESET, 2), 0, "RESET during RUN");
	waitpid(child, &status, 0);
	tap_equal(WEXITSTATUS(status), ETIMEDOUT, "RUN ends");
	tap_works(device, 2, "the CPU works");
	give_up(device);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static unsigned long locked_kb(void)
{
	char text[4096], *line;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[size > 0 ? size : 0] = 0;
	line = strstr(text, "VmLck:");
	return line ? strtoul(line + 6, NULL, 10) : ~0ul;
}

static void test_memory(struct device *device, struct device *other)
{
	unsigned long before = locked_kb();
	int partition = GIVE_GUEST(device, endless_guest);

	tap_equal(locked_kb(), before + 4, "a guest's page is charged");
	tap_equal(start(device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	tap_equal(move_cpu(other, SIDECAR_IOC_RESET, 1), 0, "RESET");
	tap_equal(move_cpu(other, SIDECAR_IOC_RESET, 1), 0, "RESET again");
	tap_equal(locked_kb(), before + 4, "the page is the partition's");
	device_close(device);
	close(partition);
	tap_equal(locked_kb(), before, "and given back once");
	*device = device_open();
}

/* ---- who may, and signals -------------------------------------------------------------------- */

static int without_capability(void *context)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capset, &header, data))
		return 200;
	return move_cpu(context, SIDECAR_IOC_RESET, 1);
}

static void test_capability(struct device *device)
{
	tap_equal(in_child(without_capability, device), EPERM, "without CAP_SYS_ADMIN");
	tap_works(device, 1, "nothing happens");
	give_up(device);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Resets take a tenth of a second each; the signal comes in the middle of them. */
static void test_signal(struct device *device)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 400000 };
	static struct sidecar_move moves[1000];
	unsigned int done = 0, interrupted = 0;

	for (unsigned int i = 0; i < 1000; i++)
		moves[i] = (struct sidecar_move){ .cpu = 3, .error = 9999 };
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	tap_equal(move_cpus(device->fd, SIDECAR_IOC_RESET, moves, 1000), 0, "RESET and a signal");
	while (done < 1000 && moves[done].error == 0)
		done++;
	while (done + interrupted < 1000 && moves[done + interrupted].error == EINTR)
		interrupted++;
	tap_check(done > 0 && done < 1000, "some were reset: %u", done);
	tap_equal(done + interrupted, 1000, "the rest have EINTR");
	tap_works(device, 3, "the CPU works");
	give_up(device);
}

int main(void)
{
	struct device device, other;

	/* A boot shim's CPUs are adopted: the module finds them by itself. */
	tap_equal(insert_module(strstr(first_line("/proc/cmdline"), "sidecar.handover=") ?
				"" : "cpus=1-3"), 0, "insmod");
	device = device_open();
	other = device_open();
	test_arguments(&device);
	test_refusals(&device);
	test_one(&device);
	test_nobodys(&device);
	test_bulk(&device);
	test_duplicates(&device);
	test_busy(&device, &other);
	test_taken_from_owner(&device, &other);
	test_reset_idle(&device, &other);
	test_reset_running(&device, &other);
	test_reset_unread(&device, &other);
	test_reset_in_run(&device);
	test_memory(&device, &other);
	test_capability(&device);
	test_signal(&device);
	test_rounds(&device, SIDECAR_IOC_GIVE, SIDECAR_IOC_TAKE, "50 times to Linux and back");
	test_rounds(&device, SIDECAR_IOC_RESET, 0, "50 resets");
	device_close(&device);
	device_close(&other);
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * TAKE, GIVE and RESET beside Linux's own hotplug, beside guests, and when Linux refuses: a CPU is
 * Linux's or the sidecar's in the end, never in between (R8). Brings CPUs online.
 */
#include "move.h"

#define ROUNDS 50

/* ---- Linux refuses --------------------------------------------------------------------------- */

/* The number of a step of Linux's bringing a CPU online. */
static int hotplug_state(const char *name)
{
	FILE *states = fopen("/sys/devices/system/cpu/hotplug/states", "r");
	char line[128];
	int number, found = -1;

	while (states && fgets(line, sizeof(line), states)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%d:", &number) == 1 && strstr(line, name))
			found = number;
	}
	if (states)
		fclose(states);
	return found;
}

/* Linux's next move of the CPU fails at this step, once. */
static void let_fail(unsigned int cpu, const char *name)
{
	char path[64], number[16];
	int state = hotplug_state(name), fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/hotplug/fail", cpu);
	snprintf(number, sizeof(number), "%d", state);
	fd = open(path, O_WRONLY);
	tap_check(state >= 0 && write(fd, number, strlen(number)) > 0, "Linux will fail at %s",
		  name);
	close(fd);
}

static void tap_back(struct device *device, unsigned int cpu)
{
	for (int i = 0; i < 300 && describe(device, cpu).state != SIDECAR_CPU_STATE_IDLE; i++)
		sleep_ms(10);
	tap_online("0", "it is not Linux's");
	tap_equal(describe(device, cpu).state, SIDECAR_CPU_STATE_IDLE, "it is idle");
	tap_equal(describe(device, cpu).owned, 0, "and nobody's");
	tap_equal(run(device, cpu, SIDECAR_COMMAND_NONE), 0, "it works");
	device_close(device);
	*device = device_open();
}

static void test_give_refused(struct device *device, const char *step)
{
	let_fail(2, step);
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 2), EAGAIN, "GIVE says what Linux says");
	tap_back(device, 2);
	let_fail(2, step);
	tap_equal(set_online(2, "1"), EAGAIN, "a person cannot bring it online either");
	tap_back(device, 2);
}

/* Its owner had it claimed: he loses it like any other, and his memory is unpinned once. */
static void test_owner_of_refused(struct device *device)
{
	struct device owner = device_open();
	int partition = GIVE_GUEST(&owner, halting_guest);

	tap_equal(run(&owner, 2, SIDECAR_COMMAND_RUN_VP), 0, "a guest ran");
	let_fail(2, "workqueue:online");
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 2), EAGAIN, "GIVE is refused");
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "the owner's memory is his");
	tap_back(device, 2);
	device_close(&owner);
	close(partition);
}

static void test_take_refused(struct device *device)
{
	tap_equal(move_cpu(device, SIDECAR_IOC_GIVE, 2), 0, "GIVE");
	let_fail(2, "workqueue:online");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 2), EAGAIN, "TAKE says what Linux says");
	tap_online("0,2", "the CPU is still Linux's");
	tap_equal(describe(device, 2).state, SIDECAR_CPU_STATE_REMOVED, "and only Linux's");
	tap_equal(move_cpu(device, SIDECAR_IOC_TAKE, 2), 0, "TAKE again");
	tap_back(device, 2);
}

/* ---- beside others --------------------------------------------------------------------------- */

static volatile sig_atomic_t over;

static void on_term(int signal)
{
	(void)signal;
	over = 1;
}

static pid_t start_child(void (*body)(struct device *device))
{
	struct device device;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child)
		return child;
	signal(SIGTERM, on_term);
	device = device_open();
	while (!over)
		body(&device);
	_exit(0);
}

static void end_child(pid_t child)
{
	int status = -1;

	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	tap_equal(status, 0, "the other process has ended well");
}

static void toggle(struct device *device)
{
	(void)device;
	set_online(3, "1");
	set_online(3, "0");
}

static void fight(struct device *device)
{
	move_cpu(device, SIDECAR_IOC_GIVE, 2);
	move_cpu(device, SIDECAR_IOC_TAKE, 2);
	move_cpu(device, SIDECAR_IOC_RESET, 2);
}

static void claim_and_close(struct device *device)
{
	control(device->fd, SIDECAR_IOC_CLAIM, 2);
	start(device, 2, SIDECAR_COMMAND_NONE);
	device_close(device);
	*device = device_open();
}

/* Nothing else moves CPU 2: every call succeeds, whatever happens to CPU 3 and on CPU 1. */
static void test_beside_toggling(struct device *device)
{
	struct device owner = device_open();
	int partition = GIVE_GUEST(&owner, endless_guest);
	pid_t child;
	int error = 0;

	tap_equal(start(&owner, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	child = start_child(toggle);
	for (int round = 0; round < ROUNDS && !error; round++) {
		error = move_cpu(device, SIDECAR_IOC_GIVE, 2);
		error = error ? error : move_cpu(device, SIDECAR_IOC_TAKE, 2);
		error = error ? error : move_cpu(device, SIDECAR_IOC_RESET, 2);
	}
	tap_equal(error, 0, "CPU 2 moves while Linux moves CPU 3");
	end_child(child);
	tap_equal(wait_completion(&owner, 1), -ETIME, "the guest has run on");
	tap_equal(control(owner.fd, SIDECAR_IOC_STOP, 1), 0, "STOP");
	tap_equal(wait_completion(&owner, 3000), 1, "it stops");
	tap_equal(run_result(&owner, 1), SIDECAR_RUN_STOPPED, "as a guest does");
	device_close(&owner);
	close(partition);
	set_online(3, "0");
	move_cpu(device, SIDECAR_IOC_TAKE, 3);
	tap_back(device, 3);
}

static bool is_expected(int error)
{
	return error == 0 || error == EEXIST || error == ENOENT || error == EBUSY;
}

/* Three want the same CPU in ways that exclude each other. */
static void test_beside_others(struct device *device)
{
	pid_t mover = start_child(fight), owner = start_child(claim_and_close);
	int error = 0;

	for (int round = 0; round < ROUNDS && is_expected(error); round++) {
		set_online(2, "1");
		set_online(2, "0");
		error = move_cpu(device, SIDECAR_IOC_TAKE, 2);
		if (is_expected(error))
			error = move_cpu(device, SIDECAR_IOC_RESET, 2);
	}
	tap_check(is_expected(error), "errors are those of a race: %s", strerror(error));
	end_child(mover);
	end_child(owner);
	error = move_cpu(device, SIDECAR_IOC_TAKE, 2);
	tap_check(error == 0 || error == EEXIST, "in the end it can be taken");
	tap_back(device, 2);
}

static void take_and_leave(struct device *device)
{
	const struct timespec moment = { .tv_nsec = 3000000 };
	int partition = GIVE_GUEST(device, endless_guest);

	start(device, 2, SIDECAR_COMMAND_RUN_VP);
	nanosleep(&moment, NULL);
	unmap_memory(partition, RESET_PAGE, 4096);
	device_close(device);
	close(partition);
	*device = device_open();
}

/* Resets meet closes and UNMAPs, which both wait for the CPU. */
static void test_beside_closing(struct device *device)
{
	pid_t owner = start_child(take_and_leave);
	int error = 0;

	for (int round = 0; round < ROUNDS && !error; round++)
		error = move_cpu(device, SIDECAR_IOC_RESET, 2);
	tap_equal(error, 0, "RESETs beside an owner that comes and goes");
	end_child(owner);
	tap_back(device, 2);
}

int main(void)
{
	struct device device;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	test_give_refused(&device, "cpu:bringup");
	test_give_refused(&device, "workqueue:online");
	test_owner_of_refused(&device);
	test_take_refused(&device);
	test_beside_toggling(&device);
	test_beside_others(&device);
	test_beside_closing(&device);
	device_close(&device);
	return tap_done();
}

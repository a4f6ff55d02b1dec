// SPDX-License-Identifier: MIT
/*
 * RESET takes back a CPU whatever has become of it. The sidecar kernels are those of
 * driver_images.py: in fault, spin and halt CPU 2 dies of its first command, in no-start of its
 * start, and in no-leave no CPU answers REMOVE. Brings CPU 2 online.
 */
#include "move.h"

#define TIMEOUT_MS 500
#define DEAD 2u
#define FAULT "/sys/kernel/debug/sidecar/node0/cpu2/fault"

static void insert_broken(const char *image)
{
	char parameters[128];

	snprintf(parameters, sizeof(parameters), "cpus=1-3 firmware=%s.elf timeout_ms=%u", image,
		 TIMEOUT_MS);
	tap_equal(insert_module(parameters), 0, image);
}

static void remove_module(void)
{
	tap_equal(system("rmmod sidecar"), 0, "rmmod");
}

static void tap_new(struct device *device)
{
	tap_equal(describe(device, DEAD).state, SIDECAR_CPU_STATE_IDLE, "it is idle");
	tap_equal(describe(device, DEAD).owned, 0, "and nobody's");
	tap_equal(control(device->fd, SIDECAR_IOC_CLAIM, DEAD), 0, "who comes first may have it");
}

/* It dies, is found out, is reset, and dies of the next command. */
static void test_failed(const char *image)
{
	struct device device, other;

	insert_broken(image);
	device = device_open();
	other = device_open();
	for (int round = 0; round < 2; round++) {
		tap_equal(run(&device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "RUN ends");
		tap_equal(describe(&device, DEAD).state, SIDECAR_CPU_STATE_FAILED, "CPU: failed");
		tap_equal(move_cpu(&other, SIDECAR_IOC_TAKE, DEAD), EEXIST, "TAKE is refused");
		tap_equal(move_cpu(&other, SIDECAR_IOC_RESET, DEAD), 0, "RESET takes it back");
		tap_new(&other);
		device_close(&other);
		other = device_open();
		tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	}
	device_close(&device);
	device_close(&other);
	remove_module();
}

/* Nobody has noticed yet that it is dead: RUN_VP has no time limit. */
static void test_wedged(const char *image)
{
	struct device device, other;
	int partition;

	insert_broken(image);
	device = device_open();
	other = device_open();
	partition = GIVE_GUEST(&device, endless_guest);
	tap_equal(start(&device, DEAD, SIDECAR_COMMAND_RUN_VP), 0, "START");
	tap_equal(wait_completion(&device, 200), -ETIME, "it does not answer");
	tap_equal(move_cpu(&other, SIDECAR_IOC_GIVE, DEAD), EBUSY, "GIVE is refused");
	tap_equal(move_cpu(&other, SIDECAR_IOC_RESET, DEAD), 0, "RESET takes it back");
	tap_equal(wait_completion(&device, 1000), -ETIMEDOUT, "its command has ended");
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "its memory is free");
	tap_new(&other);
	device_close(&device);
	device_close(&other);
	close(partition);
	remove_module();
}

static void test_report(void)
{
	struct device device;

	insert_broken("fault");
	device = device_open();
	tap_line(FAULT, "none", "there is no fault");
	tap_equal(run(&device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "RUN of a CPU that faults");
	tap_check(!strncmp(first_line(FAULT), "vector 6 ", 9), "its fault can be read");
	tap_equal(move_cpu(&device, SIDECAR_IOC_RESET, DEAD), 0, "RESET");
	tap_line(FAULT, "none", "the fault belonged to an earlier life");
	device_close(&device);
	remove_module();
}

/* Linux has it, and gets it back when it does not start. */
static void test_no_start(void)
{
	struct device device;

	insert_broken("no-start");
	device = device_open();
	tap_equal(move_range(&device, SIDECAR_IOC_RESET, 1, 1), 0, "RESET of a good one");
	tap_equal(move_cpu(&device, SIDECAR_IOC_RESET, DEAD), ETIMEDOUT, "RESET does not help");
	tap_equal(describe(&device, DEAD).state, SIDECAR_CPU_STATE_FAILED, "CPU: failed");
	tap_equal(move_cpu(&device, SIDECAR_IOC_GIVE, DEAD), 0, "GIVE");
	tap_online("0,2", "it is good enough for Linux");
	tap_equal(move_cpu(&device, SIDECAR_IOC_TAKE, DEAD), ETIMEDOUT, "TAKE: it does not start");
	tap_online("0,2", "and is Linux's again");
	tap_equal(describe(&device, DEAD).state, SIDECAR_CPU_STATE_REMOVED, "CPU: removed");
	tap_equal(set_online(DEAD, "0"), 0, "Linux gives it up");
	tap_equal(move_cpu(&device, SIDECAR_IOC_TAKE, DEAD), ETIMEDOUT, "TAKE once more");
	tap_online("0", "it is where it was: offline");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	device_close(&device);
	remove_module();
}

static void test_no_leave(void)
{
	struct device device;

	insert_broken("no-leave");
	device = device_open();
	tap_equal(move_cpu(&device, SIDECAR_IOC_GIVE, DEAD), 0, "GIVE of a CPU that never leaves");
	tap_online("0,2", "it is Linux's");
	tap_equal(move_cpu(&device, SIDECAR_IOC_TAKE, DEAD), 0, "TAKE");
	tap_online("0", "it is not Linux's");
	tap_equal(run(&device, DEAD, SIDECAR_COMMAND_NONE), 0, "it works");
	device_close(&device);
	remove_module();
}

int main(void)
{
	test_failed("fault");
	test_failed("spin");
	test_failed("halt");
	test_wedged("spin");
	test_wedged("halt");
	test_report();
	test_no_start();
	test_no_leave();
	return tap_done();
}

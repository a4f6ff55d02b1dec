// SPDX-License-Identifier: MIT
/*
 * R9: a CPU that does not answer is a failed CPU, for everybody who waits for it and for nobody
 * else. The sidecar kernels are those of driver_images.py, in which CPU 2 dies of its first command
 * and the others answer without executing anything.
 */
#include "device.h"

#define TIMEOUT_MS 500
#define DEAD 2u

static bool file_contains(const char *path, const char *wanted)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[size > 0 ? size : 0] = 0;
	if (!strstr(text, wanted))
		tap_note("%s: '%s'", path, text);
	return strstr(text, wanted);
}

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

static void check_others(struct device *device, int partition)
{
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "UNMAP does not wait for the dead");
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
}

static void check_dead(struct device *device)
{
	tap_equal(describe(device, DEAD).state, SIDECAR_CPU_STATE_FAILED, "CPU: failed");
	tap_equal(run(device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "RUN of a failed CPU");
	tap_equal(start(device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "START of a failed CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, DEAD), EINVAL, "STOP of a failed CPU");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, DEAD), 0, "CANCEL of a failed CPU");
}

static void test_run(const char *image)
{
	struct device device, other;
	int partition;

	insert_broken(image);
	device = device_open();
	other = device_open();
	partition = GIVE_GUEST(&device, endless_guest);
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	tap_equal(run(&device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "R9: RUN ends");
	check_dead(&device);
	check_others(&device, partition);
	device_close(&device);
	close(partition);
	check_dead(&other);
	tap_equal(run(&other, 1, SIDECAR_COMMAND_NONE), 0, "the other CPUs are given back");
	device_close(&other);
	remove_module();
}

static void test_start(void)
{
	struct device device;
	int partition;

	insert_broken("spin");
	device = device_open();
	partition = GIVE_GUEST(&device, endless_guest);
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "another CPU works");
	tap_equal(start(&device, DEAD, SIDECAR_COMMAND_NONE), 0, "START");
	tap_equal(wait_completion(&device, 5000), -ETIMEDOUT, "R9: read tells of the failure");
	tap_equal(wait_completion(&device, 100), -ETIME, "once");
	check_dead(&device);
	check_others(&device, partition);
	device_close(&device);
	close(partition);
	remove_module();
}

static void test_close(void)
{
	struct device device, other;

	insert_broken("spin");
	device = device_open();
	other = device_open();
	close(GIVE_GUEST(&device, endless_guest));
	start(&device, DEAD, SIDECAR_COMMAND_RUN_VP);
	tap_equal(wait_completion(&device, 3 * TIMEOUT_MS), -ETIME, "R9: a run has no time limit");
	device_close(&device);
	tap_equal(describe(&other, DEAD).owned, 0, "R9: close ends nevertheless");
	check_dead(&other);
	device_close(&other);
	remove_module();
}

/* Somebody unmaps memory that a dead CPU may be using: it is reset first. */
static void test_unmap(void)
{
	struct device device;
	int partition;

	insert_broken("spin");
	device = device_open();
	partition = GIVE_GUEST(&device, endless_guest);
	start(&device, DEAD, SIDECAR_COMMAND_RUN_VP);
	sleep_ms(200); /* it has taken the command, and with it the generation of now */
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "R9: UNMAP ends");
	tap_equal(wait_completion(&device, 1000), -ETIMEDOUT, "with the CPU failed");
	check_dead(&device);
	device_close(&device);
	close(partition);
	remove_module();
}

static void test_fault_report(void)
{
	struct device device;

	insert_broken("fault");
	device = device_open();
	tap_equal(run(&device, DEAD, SIDECAR_COMMAND_NONE), ETIMEDOUT, "RUN of a CPU that faults");
	tap_check(file_contains("/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu2/state", "failed"),
		  "sysfs: state");
	tap_check(file_contains("/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu2/last_error",
				"took a fault"),
		  "sysfs: last_error");
	tap_check(file_contains("/sys/kernel/debug/sidecar/node0/cpu2/fault", "vector 6 "),
		  "debugfs: the fault is an invalid opcode");
	tap_check(file_contains("/sys/kernel/debug/sidecar/node0/cpu1/fault", "none"),
		  "debugfs: no fault elsewhere");
	device_close(&device);
	remove_module();
}

int main(void)
{
	test_run("spin");
	test_run("halt");
	test_run("fault");
	test_start();
	test_close();
	test_unmap();
	test_fault_report();
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * A VP becomes a Linux CPU while somebody owns it. Busy and unread are refused and lose nothing;
 * an idle owner loses it, and everything that he still has of it stays harmless. Brings CPU 3
 * online, so it comes last in its boot.
 */
#include "device.h"

#define VP 3u

/* 0 or errno of the write. */
static int set_online(const char *text)
{
	int fd = open("/sys/devices/system/cpu/cpu3/online", O_WRONLY);
	int error = write(fd, text, 1) == 1 ? 0 : errno;

	close(fd);
	return error;
}

static void test_refused(struct device *device)
{
	tap_equal(start(device, VP, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	tap_equal(set_online("1"), EBUSY, "a busy CPU is refused");
	tap_equal(wait_completion(device, 100), -ETIME, "the guest runs on");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, VP), 0, "STOP");
	sleep_ms(300);
	tap_equal(set_online("1"), EBUSY, "one with an unread completion is refused");
	tap_equal(wait_completion(device, 1000), VP, "the completion is still there");
	tap_equal(run(device, VP, SIDECAR_COMMAND_NONE), 0, "the VP works");
}

static void test_converted(struct device *device, int partition)
{
	tap_equal(set_online("1"), 0, "an idle CPU is converted, though it is owned");
	tap_equal(describe(device, VP).state, SIDECAR_CPU_STATE_REMOVED, "CPU: removed");
	tap_equal(control(device->fd, SIDECAR_IOC_RUN, VP), ENOENT, "the owner's RUN");
	tap_equal(control(device->fd, SIDECAR_IOC_START, VP), ENOENT, "the owner's START");
	tap_equal(control(device->fd, SIDECAR_IOC_STOP, VP), EINVAL, "the owner's STOP");
	tap_equal(control(device->fd, SIDECAR_IOC_CANCEL, VP), 0, "the owner's CANCEL");
	command_page(device, VP)->command = SIDECAR_COMMAND_RUN_VP;
	tap_equal(unmap_memory(partition, RESET_PAGE, 4096), 0, "UNMAP does not wait for it");
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "his other VPs work");
}

static void test_afterwards(void)
{
	struct device device = device_open();

	tap_equal(describe(&device, VP).owned, 0, "after close it is nobody's");
	tap_equal(run(&device, VP, SIDECAR_COMMAND_NONE), ENOENT, "another's RUN");
	tap_equal(set_online("0"), 0, "Linux gives it up");
	tap_equal(run(&device, VP, SIDECAR_COMMAND_NONE), ENOENT, "still nobody's");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_NONE), 0, "the others work");
	tap_equal(set_online("1"), 0, "Linux takes it again");
	tap_equal(set_online("0"), 0, "and gives it up");
	device_close(&device);
}

int main(void)
{
	struct device device;
	int partition;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	partition = GIVE_GUEST(&device, endless_guest);
	test_refused(&device);
	test_converted(&device, partition);
	device_close(&device);
	close(partition);
	test_afterwards();
	return tap_done();
}

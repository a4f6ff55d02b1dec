// SPDX-License-Identifier: MIT
/* Partitions: MAP, UNMAP and ATTACH with every error, 2 MiB pages, removal while a guest runs. */
#include "device.h"

#define PAGE 4096ull
#define LARGE (2ull << 20)
#define READ_WRITE (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE)
#define ALL (READ_WRITE | SIDECAR_MAP_EXECUTE)

static void test_map_errors(struct device *device)
{
	int partition = -control(device->fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	uint8_t *memory = new_memory(16 * PAGE);
	uint8_t *readable = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tap_check(partition > 2, "PARTITION_CREATE gives a descriptor");
	tap_equal(map_memory(partition, 1, memory, PAGE, ALL), EINVAL, "MAP: gpa unaligned");
	tap_equal(map_memory(partition, 0, memory + 1, PAGE, ALL), EINVAL, "MAP: user unaligned");
	tap_equal(map_memory(partition, 0, memory, PAGE + 1, ALL), EINVAL, "MAP: length unaligned");
	tap_equal(map_memory(partition, 0, memory, 0, ALL), EINVAL, "MAP: empty");
	tap_equal(map_memory(partition, 1ull << 48, memory, PAGE, ALL), EINVAL, "MAP: at 2^48");
	tap_equal(map_memory(partition, (1ull << 48) - PAGE, memory, 2 * PAGE, ALL), EINVAL,
		  "MAP: across 2^48");
	tap_equal(map_memory(partition, 0, memory, ~0ull - 4095, ALL), EINVAL, "MAP: wraps");
	tap_equal(map_memory(partition, 0, memory, PAGE, 8 | ALL), EINVAL, "MAP: unknown flag");
	tap_equal(map_memory(partition, 0, memory, PAGE, SIDECAR_MAP_WRITE), EINVAL,
		  "MAP: not readable");
	tap_equal(map_memory(partition, 0, (void *)0x10000, PAGE, ALL), EFAULT, "MAP: no memory");
	tap_equal(map_memory(partition, 0, (void *)(1ull << 63), PAGE, ALL), EFAULT,
		  "MAP: kernel memory");
	tap_equal(map_memory(partition, 0, readable, PAGE, READ_WRITE), EFAULT,
		  "MAP: writable, not the caller's to write");
	tap_equal(map_memory(partition, 0, device->shmem, PAGE, READ_WRITE), EFAULT,
		  "MAP: the shared pages");
	tap_equal(map_memory(partition, 0, readable, PAGE, SIDECAR_MAP_READ), 0, "MAP: read only");
	tap_equal(map_memory(partition, 0, memory, PAGE, ALL), EEXIST, "MAP: mapped already");
	tap_equal(map_memory(partition, 4 * PAGE, memory, 4 * PAGE, ALL), 0, "MAP: four pages");
	tap_equal(map_memory(partition, 3 * PAGE, memory, 2 * PAGE, ALL), EEXIST,
		  "MAP: overlaps the beginning");
	tap_equal(map_memory(partition, 7 * PAGE, memory, 2 * PAGE, ALL), EEXIST,
		  "MAP: overlaps the end");
	tap_equal(map_memory(partition, 2 * PAGE, memory, 8 * PAGE, ALL), EEXIST, "MAP: covers");
	tap_equal(map_memory(partition, 8 * PAGE, memory, PAGE, ALL), 0, "MAP: touches");
	tap_equal(unmap_memory(partition, 4 * PAGE, PAGE), ENOENT, "UNMAP: a part");
	tap_equal(unmap_memory(partition, 5 * PAGE, 3 * PAGE), ENOENT, "UNMAP: another part");
	tap_equal(unmap_memory(partition, 2 * PAGE, 6 * PAGE), ENOENT, "UNMAP: too much");
	tap_equal(unmap_memory(partition, 100 * PAGE, PAGE), ENOENT, "UNMAP: nothing there");
	tap_equal(unmap_memory(partition, 1, PAGE), EINVAL, "UNMAP: unaligned");
	tap_equal(unmap_memory(partition, 4 * PAGE, 5 * PAGE), 0, "UNMAP: two whole ranges");
	tap_equal(map_memory(partition, 4 * PAGE, memory, 4 * PAGE, ALL), 0, "MAP: again");
	tap_equal(control(partition, SIDECAR_IOC_INFO, 0), ENOTTY, "unknown ioctl");
	munmap(readable, PAGE);
	close(partition);
	munmap(memory, 16 * PAGE);
}

static long locked_kib(void)
{
	char line[128];
	long value = -1;
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "VmLck: %ld", &value) == 1)
			break;
	}
	if (status)
		fclose(status);
	return value;
}

static int map_beyond_limit(void *context)
{
	struct rlimit limit = { 64 << 10, 64 << 10 };
	struct device device = device_open();
	int partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	void *memory = new_memory(32 * PAGE);

	(void)context;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	/* Without CAP_IPC_LOCK: the device is open already. */
	if (setuid(65534))
		return 1;
	if (map_memory(partition, 0, memory, 17 * PAGE, ALL) != ENOMEM)
		return 2;
	if (map_memory(partition, 0, memory, 16 * PAGE, ALL) || locked_kib() != 64)
		return 3;
	if (map_memory(partition, 32 * PAGE, memory, PAGE, ALL) != ENOMEM)
		return 4;
	if (unmap_memory(partition, 0, 16 * PAGE) || locked_kib() != 0)
		return 5;
	return map_memory(partition, 32 * PAGE, memory, PAGE, ALL) ? 6 : 0;
}

static void test_attach(struct device *device)
{
	int partition = -control(device->fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	struct device other = device_open();

	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, 99), EBADF, "ATTACH: closed");
	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, 0), EBADF,
		  "ATTACH: not a partition");
	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, 1ul << 32 | partition), EBADF,
		  "ATTACH: beyond 32 bits");
	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, partition), 0, "ATTACH");
	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, partition), 0, "ATTACH again");
	tap_equal(control(other.fd, SIDECAR_IOC_PARTITION_ATTACH, partition), 0,
		  "ATTACH to a second file");
	close(partition);
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "RUN of NONE claims a VP");
	partition = -control(device->fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	tap_equal(control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, partition), EBUSY,
		  "ATTACH after a claim");
	close(partition);
	device_close(&other);
}

/* ---- guests ---------------------------------------------------------------------------------- */

static uint32_t message_of(struct device *device, unsigned int cpu)
{
	return *(uint32_t *)&command_page(device, cpu)->intercept_message;
}

static void test_guest(void)
{
	struct device device = device_open();

	close(GIVE_GUEST(&device, halting_guest));
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	tap_equal(run_result(&device, 1), SIDECAR_RUN_INTERCEPT, "until an intercept");
	tap_equal(message_of(&device, 1), 0x80010007, "which is HLT");
	device_close(&device);
	device = device_open();
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest without memory runs");
	tap_equal(run_result(&device, 1), SIDECAR_RUN_INTERCEPT, "until an intercept");
	tap_equal(message_of(&device, 1), 0x80000000, "which is unmapped GPA");
	device_close(&device);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		tap_note("%s: %s", path, strerror(errno));
	close(fd);
}

/* Of the only partition. */
static unsigned int large_pages(void)
{
	FILE *memory = fopen("/sys/kernel/debug/sidecar/memory", "r");
	unsigned int value = 99;
	char line[256];

	while (memory && fgets(line, sizeof(line), memory))
		sscanf(line, "partition tables %*u ranges %*u memory %*u large_pages %u", &value);
	if (memory)
		fclose(memory);
	return value;
}

static unsigned long long counted(const char *kind)
{
	FILE *exits = fopen("/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu1/exits", "r");
	unsigned long long value, found = ~0ull;
	char name[32];

	while (exits && fscanf(exits, "%31s %llu", name, &value) == 2) {
		if (strcmp(name, kind) == 0)
			found = value;
	}
	if (exits)
		fclose(exits);
	return found;
}

static void test_counters(void)
{
	struct device device = device_open();
	unsigned long long ports = counted("io"), total = counted("total");
	uint64_t exits = describe(&device, 1).exits;
	unsigned int i, failed = 0;

	close(GIVE_GUEST(&device, port_guest));
	for (i = 0; i < 10; i++)
		failed += run(&device, 1, SIDECAR_COMMAND_RUN_VP) != 0;
	tap_equal(failed, 0, "ten port exits");
	tap_equal(message_of(&device, 1), 0x80010000, "they are that");
	tap_equal(counted("io") - ports, 10, "sysfs: io");
	tap_equal(counted("total") - total, 10, "sysfs: total");
	tap_equal(describe(&device, 1).exits - exits, 10, "CPU: exits");
	device_close(&device);
}

/* The code is in the last page of a 2 MiB page, which is mapped twice and unmapped once. */
static void test_large(void)
{
	struct device device = device_open();
	int partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	uint8_t *area = new_memory(2 * LARGE), *large;

	/* Off by default on a machine as small as the VM. */
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");

	large = (uint8_t *)(((uintptr_t)area + LARGE - 1) & ~(LARGE - 1));
	madvise(large, LARGE, MADV_HUGEPAGE);
	memset(large, 0, LARGE);
	memcpy(large + LARGE - 16, halting_guest, sizeof(halting_guest));
	tap_equal(map_memory(partition, (1ull << 32) - LARGE, large, LARGE, ALL), 0, "MAP 2 MiB");
	tap_equal(map_memory(partition, 1ull << 32, large, LARGE, ALL), 0, "MAP it twice");
	tap_equal(large_pages(), 2, "two 2 MiB entries");
	control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partition);
	tap_equal(unmap_memory(partition, 1ull << 32, LARGE), 0, "UNMAP the second");
	tap_equal(large_pages(), 1, "one 2 MiB entry");
	tap_equal(run(&device, 1, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs in the first");
	tap_equal(message_of(&device, 1), 0x80010007, "until HLT");
	close(partition);
	device_close(&device);
	munmap(area, 2 * LARGE);
}

/* R17: after UNMAP the guest reaches the memory no more; before, it does. */
static void test_unmap_running(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, endless_guest);
	void *memory = new_memory(64 * PAGE);
	unsigned int i, refused = 0;
	long long begin = now_ms();
	int stopped;

	start(&device, 1, SIDECAR_COMMAND_RUN_VP);
	start(&device, 2, SIDECAR_COMMAND_RUN_VP);
	for (i = 0; i < 200; i++) {
		refused += map_memory(partition, PAGE, memory, 64 * PAGE, ALL) != 0;
		refused += unmap_memory(partition, PAGE, 64 * PAGE) != 0;
	}
	tap_equal(refused, 0, "MAP and UNMAP while two guests run");
	tap_check(now_ms() - begin < 20000, "each soon");
	tap_equal(wait_completion(&device, 0), -ETIME, "the guests have not noticed");
	tap_equal(unmap_memory(partition, RESET_PAGE, PAGE), 0, "UNMAP what they execute");
	stopped = wait_completion(&device, 2000);
	stopped += wait_completion(&device, 2000);
	tap_equal(stopped, 1 + 2, "then both guests stop");
	tap_equal(message_of(&device, 1), 0x80000000, "one with unmapped GPA");
	tap_equal(message_of(&device, 2), 0x80000000, "and so the other");
	device_close(&device);
	close(partition);
	munmap(memory, 64 * PAGE);
}

/* Everything that held the partition is closed while a guest runs in it. */
static void test_close_running(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, endless_guest);

	close(partition);
	tap_equal(start(&device, 1, SIDECAR_COMMAND_RUN_VP), 0,
		  "a guest runs in a closed partition");
	tap_equal(wait_completion(&device, 100), -ETIME, "and goes on");
	device_close(&device);
	tap_equal(locked_kib(), 0, "close of the device unpins its memory");
}

int main(void)
{
	struct device device;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	test_map_errors(&device);
	tap_equal(in_child(map_beyond_limit, NULL), 0, "RLIMIT_MEMLOCK is charged once and kept");
	test_attach(&device);
	device_close(&device);
	test_guest();
	test_counters();
	test_large();
	test_unmap_running();
	test_close_running();
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the device itself, which use it as a program without the library would. The
 * guests are a few bytes at the reset vector: 16-bit code at physical address 0xfffffff0.
 */
#ifndef TESTS_VM_DEVICE_H
#define TESTS_VM_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sidecar/abi.h>
#include <sidecar/ioctl.h>

#include "tap.h"

#define DEVICE "/dev/" SIDECAR_DEVICE_PREFIX "0"
#ifndef CPUS
#define CPUS 4u /* of the node: the base CPU 0 and the sidecar CPUs 1 to 3 */
#endif
#define SHMEM_SIZE (CPUS * SIDECAR_PER_CPU_SHMEM)
#define RESET_PAGE 0xfffff000ull
#define RESET_OFFSET 0xff0u

/* An open node with its shared pages. */
struct device {
	int fd;
	uint8_t *shmem;
};

static const uint8_t endless_guest[] = { 0xeb, 0xfe };	   /* jmp $ */
static const uint8_t halting_guest[] = { 0xf4 };	   /* hlt */
static const uint8_t port_guest[] = { 0xe6, 0x80, 0xeb, 0xfc }; /* out 0x80, al; jmp -4 */

/* ioctl as 0 or a positive errno; a descriptor is returned as -(fd). */
__attribute__((unused))
static int control(int fd, unsigned long request, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	return result < 0 ? errno : -result;
}

__attribute__((unused))
static int insert_module(const char *parameters)
{
	char command[256];
	struct utsname name;

	uname(&name);
	snprintf(command, sizeof(command), "insmod /lib/modules/%s/sidecar.ko %s", name.release,
		 parameters);
	return system(command);
}

__attribute__((unused))
static uint8_t *map_shmem(int fd)
{
	void *map = mmap(NULL, SHMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

__attribute__((unused))
static struct device device_open(void)
{
	struct device device;

	device.fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	device.shmem = device.fd < 0 ? NULL : map_shmem(device.fd);
	if (!device.shmem) {
		tap_check(false, "%s opens and maps: %s", DEVICE, strerror(errno));
		exit(1);
	}
	return device;
}

__attribute__((unused))
static void device_close(struct device *device)
{
	munmap(device->shmem, SHMEM_SIZE);
	close(device->fd);
}

__attribute__((unused))
static struct sidecar_command_page *command_page(struct device *device, unsigned int cpu)
{
	return (void *)(device->shmem + cpu * SIDECAR_PER_CPU_SHMEM);
}

__attribute__((unused))
static void set_command(struct device *device, unsigned int cpu, uint32_t command)
{
	__atomic_store_n(&command_page(device, cpu)->command, command, __ATOMIC_RELEASE);
}

__attribute__((unused))
static uint8_t run_result(struct device *device, unsigned int cpu)
{
	return *(uint8_t *)command_page(device, cpu)->request_data;
}

__attribute__((unused))
static int start(struct device *device, unsigned int cpu, uint32_t command)
{
	set_command(device, cpu, command);
	return control(device->fd, SIDECAR_IOC_START, cpu);
}

__attribute__((unused))
static int run(struct device *device, unsigned int cpu, uint32_t command)
{
	set_command(device, cpu, command);
	return control(device->fd, SIDECAR_IOC_RUN, cpu);
}

/* The CPU of a completion, or minus errno; waits up to ms. */
__attribute__((unused))
static int wait_completion(struct device *device, int ms)
{
	struct pollfd wait = { .fd = device->fd, .events = POLLIN };
	uint32_t cpu;

	if (poll(&wait, 1, ms) == 0)
		return -ETIME;
	return read(device->fd, &cpu, sizeof(cpu)) < 0 ? -errno : (int)cpu;
}

__attribute__((unused))
static struct sidecar_ioctl_cpu describe(struct device *device, unsigned int cpu)
{
	struct sidecar_ioctl_cpu out = { .size = sizeof(out), .cpu = cpu };

	if (ioctl(device->fd, SIDECAR_IOC_CPU, &out))
		out.state = 99;
	return out;
}

/* ---- guests ---------------------------------------------------------------------------------- */

__attribute__((unused))
static int map_memory(int partition, uint64_t gpa, void *user, uint64_t length, uint32_t flags)
{
	struct sidecar_ioctl_map map = {
		.size = sizeof(map),
		.flags = flags,
		.gpa = gpa,
		.user = (uintptr_t)user,
		.length = length,
	};

	return control(partition, SIDECAR_IOC_PARTITION_MAP, (unsigned long)&map);
}

__attribute__((unused))
static int unmap_memory(int partition, uint64_t gpa, uint64_t length)
{
	struct sidecar_ioctl_unmap unmap = { .size = sizeof(unmap), .gpa = gpa, .length = length };

	return control(partition, SIDECAR_IOC_PARTITION_UNMAP, (unsigned long)&unmap);
}

__attribute__((unused))
static void *new_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* A partition with code at the reset vector, attached to the device; its descriptor. */
__attribute__((unused))
static int give_guest(struct device *device, const uint8_t *code, size_t size)
{
	int partition = -control(device->fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	uint8_t *page = new_memory(SIDECAR_PAGE_SIZE);
	const uint32_t flags = SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE;

	if (page)
		memcpy(page + RESET_OFFSET, code, size);
	if (partition < 0 || !page ||
	    map_memory(partition, RESET_PAGE, page, SIDECAR_PAGE_SIZE, flags) ||
	    control(device->fd, SIDECAR_IOC_PARTITION_ATTACH, partition)) {
		tap_check(false, "a guest's memory is mapped and attached");
		exit(1);
	}
	return partition;
}

#define GIVE_GUEST(device, code) give_guest(device, code, sizeof(code))

/* Milliseconds of CLOCK_MONOTONIC. */
__attribute__((unused))
static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

__attribute__((unused))
static void sleep_ms(long ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&wait, NULL);
}

/*
 * Runs a body in a child process; its exit status, or 1000 + the signal that ended it. The child
 * must not print: the numbers of the cases are the parent's.
 */
__attribute__((unused))
static int in_child(int (*body)(void *context), void *context)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(body(context));
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif

// SPDX-License-Identifier: MIT
/*
 * Whose a VP is (R6): claims, shared pages under claims, close, duplicates, fork, SIGKILL. After
 * whatever happened to its owner a VP is usable again at once, and nothing of him is left in it.
 */
#include <sys/syscall.h>

#include "device.h"

#define KILLED (1000 + SIGKILL)
#define BUS (1000 + SIGBUS)

static void test_mmap(struct device *device)
{
	const int prot = PROT_READ | PROT_WRITE;
	const int fd = device->fd;

#define REFUSED(size, prot, flags, offset, error, name)                                            \
	tap_equal(mmap(NULL, size, prot, flags, fd, offset) == MAP_FAILED ? errno : 0, error, name)
	REFUSED(SHMEM_SIZE - 4096, prot, MAP_SHARED, 0, EINVAL, "mmap: too short");
	REFUSED(SHMEM_SIZE + 4096, prot, MAP_SHARED, 0, EINVAL, "mmap: too long");
	REFUSED(SHMEM_SIZE, prot, MAP_SHARED, 4096, EINVAL, "mmap: offset");
	REFUSED(SHMEM_SIZE, prot, MAP_PRIVATE, 0, EINVAL, "mmap: private");
	REFUSED(SHMEM_SIZE, prot | PROT_EXEC, MAP_SHARED, 0, EACCES, "mmap: executable");
#undef REFUSED
	tap_equal(mprotect(device->shmem, SHMEM_SIZE, PROT_READ | PROT_EXEC) ? errno : 0, EACCES,
		  "mprotect: executable");
	device->shmem[0] = 1;
	tap_equal(device->shmem[0], 1, "the base CPU's pages map too");
}

static int touch(void *page)
{
	return *(volatile uint8_t *)page;
}

/* The mapping is not inherited, so the child makes its own. */
static int touch_fresh(void *context)
{
	const unsigned int *cpu = context;
	struct device other = device_open();

	touch(command_page(&other, *cpu));
	return 0;
}

static void test_claim(struct device *first)
{
	unsigned int one = 1, two = 2;

	tap_equal(run(first, 1, SIDECAR_COMMAND_NONE), 0, "the first opener claims a VP");
	tap_equal(in_child(touch_fresh, &one), BUS, "its pages give another SIGBUS");
	tap_equal(in_child(touch_fresh, &two), 0, "those of an unclaimed VP do not");
}

static int touch_after_claim(void *context)
{
	struct device *first = context;
	struct device second = device_open();

	touch(command_page(&second, 3));
	if (run(first, 3, SIDECAR_COMMAND_NONE))
		return 1;
	touch(command_page(&second, 3));
	return 0;
}

/* The first file is used by the child here: its claim goes when the child's table goes. */
static int claim_in_child(void *context)
{
	struct device mine = device_open();

	(void)context;
	return touch_after_claim(&mine);
}

static void test_second(struct device *first)
{
	struct device second = device_open();
	uint32_t cpu;

	tap_equal(start(first, 1, SIDECAR_COMMAND_NONE), 0, "the owner starts a command");
	sleep_ms(100);
	tap_equal(control(second.fd, SIDECAR_IOC_START, 1), EBUSY, "another's START");
	tap_equal(control(second.fd, SIDECAR_IOC_RUN, 1), EBUSY, "another's RUN");
	tap_equal(control(second.fd, SIDECAR_IOC_STOP, 1), EINVAL, "another's STOP");
	tap_equal(control(second.fd, SIDECAR_IOC_CANCEL, 1), 0, "another's CANCEL");
	tap_equal(read(second.fd, &cpu, 4) < 0 ? errno : 0, EAGAIN, "another's read gets nothing");
	tap_equal(describe(&second, 1).owned, 2, "CPU: another's");
	tap_equal(describe(&second, 2).owned, 0, "CPU: nobody's");
	tap_equal(wait_completion(first, 1000), 1, "the owner's read does");
	tap_equal(control(second.fd, SIDECAR_IOC_START, 1), EBUSY, "another's START when idle");
	tap_equal(control(second.fd, SIDECAR_IOC_RUN, 1), EBUSY, "another's RUN when idle");
	tap_equal(run(&second, 2, SIDECAR_COMMAND_NONE), 0, "another VP can be claimed");
	tap_equal(in_child(claim_in_child, NULL), BUS, "a claim takes what others had mapped");
	device_close(&second);
	tap_equal(describe(first, 2).owned, 0, "close gives the VP back");
}

/* ---- close ----------------------------------------------------------------------------------- */

static void fill_pages(struct device *device, unsigned int cpu)
{
	memset(device->shmem + cpu * SIDECAR_PER_CPU_SHMEM, 0xa5, SIDECAR_PER_CPU_SHMEM);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	while (size && !*bytes) {
		bytes++;
		size--;
	}
	return size == 0;
}

/* Both pages, but for the reset values of the x87 and SSE controls. */
static void check_scrubbed(struct device *device, unsigned int cpu)
{
	struct sidecar_command_page copy = *command_page(device, cpu);
	struct hv_fx_state *fx = &copy.cpu_context.fx_state;

	tap_equal(fx->fcw, 0x37f, "FCW is that of a reset processor");
	tap_equal(fx->mxcsr, 0x1f80, "MXCSR too");
	fx->fcw = 0;
	fx->mxcsr = 0;
	fx->mxcsr_mask = 0;
	tap_check(all_zero((uint8_t *)&copy, sizeof(copy)), "the command page is zero");
	tap_check(all_zero((uint8_t *)command_page(device, cpu) + 4096, 4096),
		  "the register page is zero");
}

static void test_close(struct device *first)
{
	struct device second = device_open();
	long long begin;

	GIVE_GUEST(&second, endless_guest);
	fill_pages(&second, 2);
	tap_equal(start(&second, 2, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	fill_pages(&second, 3);
	begin = now_ms();
	close(second.fd); /* the mapping stays */
	tap_check(now_ms() - begin < 4000, "R6: close stops it, not a time limit");
	tap_equal(describe(first, 2).owned, 0, "R6: the VP is nobody's, though a mapping is left");
	tap_equal(describe(first, 2).state, SIDECAR_CPU_STATE_IDLE, "R6: and idle");
	check_scrubbed(first, 2);
	tap_equal(run(first, 2, SIDECAR_COMMAND_NONE), 0, "R6: it can be claimed at once");
	munmap(second.shmem, SHMEM_SIZE);
}

static int just_exit(void *context)
{
	(void)context;
	return 0;
}

static void test_duplicate(void)
{
	struct device device = device_open();
	int copy;

	GIVE_GUEST(&device, endless_guest);
	tap_equal(start(&device, 3, SIDECAR_COMMAND_RUN_VP), 0, "a guest runs");
	copy = dup(device.fd);
	close(copy);
	tap_equal(describe(&device, 3).state, SIDECAR_CPU_STATE_BUSY,
		  "closing a duplicate does not stop it");
	in_child(just_exit, NULL);
	tap_equal(describe(&device, 3).state, SIDECAR_CPU_STATE_BUSY,
		  "nor does the exit of a child that inherited the descriptor");
	copy = dup(device.fd);
	close(device.fd);
	device.fd = copy;
	tap_equal(describe(&device, 3).state, SIDECAR_CPU_STATE_BUSY,
		  "nor does closing the original while a duplicate is left");
	tap_equal(control(device.fd, SIDECAR_IOC_STOP, 3), 0, "STOP through the duplicate");
	tap_equal(wait_completion(&device, 1000), 3, "the run completes");
	device_close(&device);
}

/* ---- SIGKILL --------------------------------------------------------------------------------- */

struct victim {
	bool synchronous;
	unsigned int vps;
	unsigned int pause_us;
};

static int victim_main(void *context)
{
	const struct victim *victim = context;
	struct device device = device_open();
	unsigned int cpu;

	GIVE_GUEST(&device, endless_guest);
	for (cpu = 1; cpu <= victim->vps; cpu++)
		start(&device, cpu, SIDECAR_COMMAND_RUN_VP);
	if (victim->synchronous)
		run(&device, victim->vps + 1, SIDECAR_COMMAND_RUN_VP);
	pause();
	return 1;
}

/* The child is killed at some moment of its work; 0 when it died of it and all VPs are back. */
static unsigned int kill_one(struct device *device, const struct victim *victim)
{
	unsigned int cpu, lost = 0;
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(victim_main((void *)victim));
	usleep(victim->pause_us);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	for (cpu = 1; cpu < CPUS; cpu++)
		lost += run(device, cpu, SIDECAR_COMMAND_NONE) != 0;
	return lost;
}

static void test_kill(const struct victim *victim, const char *name)
{
	struct device device = device_open();

	tap_equal(kill_one(&device, victim), 0, name);
	device_close(&device);
}

#define KILLS 40

static void test_kills(void)
{
	struct victim victim = { .synchronous = true, .vps = 2 };
	unsigned int i, lost = 0;

	for (i = 0; i < KILLS; i++) {
		struct device device = device_open();

		victim.pause_us = i * 400;
		lost += kill_one(&device, &victim);
		device_close(&device);
	}
	tap_equal(lost, 0, "R6: SIGKILL at many moments loses no VP");
}

static bool file_says(const char *name, const char *wanted)
{
	char path[128], text[64] = "";
	int fd;
	ssize_t size;

	snprintf(path, sizeof(path), "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu1/%s", name);
	fd = open(path, O_RDONLY);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size - 1 : 0] = 0;
	if (strcmp(text, wanted))
		tap_note("%s: '%s', wanted '%s'", name, text, wanted);
	return strcmp(text, wanted) == 0;
}

static void test_sysfs(struct device *device)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	tap_equal(run(device, 1, SIDECAR_COMMAND_NONE), 0, "RUN of NONE");
	tap_check(file_says("owner", pid), "sysfs: owner");
	tap_check(file_says("state", "idle"), "sysfs: state");
	tap_check(file_says("last_error", "none"), "sysfs: last_error");
}

int main(void)
{
	static const struct victim asynchronous = { false, 3, 300000 };
	static const struct victim synchronous = { true, 0, 300000 };
	struct device device;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	test_mmap(&device);
	test_claim(&device);
	test_second(&device);
	test_sysfs(&device);
	test_close(&device);
	test_duplicate();
	device_close(&device);
	test_kill(&asynchronous, "SIGKILL with three guests started");
	test_kill(&synchronous, "SIGKILL inside RUN");
	test_kills();
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * Rounds of insmod, a guest, SIGKILL in the middle of it, rmmod: Linux has the same afterwards.
 * What the first rounds take once (slab pages, the page of a firmware cache) is not counted. One
 * sidecar CPU, so that the rounds are short. The environment may have SEED and ROUNDS.
 */
#define CPUS 2u
#include "lifetime.h"

#define WARM_UP 10u
#define PAGES 64u
#define SLAB_SLACK_KIB 256
#define ROUNDS_SLACK_KIB 768

static _Atomic unsigned int *running;

static _Noreturn void vmm(void)
{
	struct device device = device_open();
	int partition = GIVE_GUEST(&device, endless_guest);
	void *memory = new_memory(PAGES * SIDECAR_PAGE_SIZE);

	start(&device, 1, SIDECAR_COMMAND_RUN_VP);
	map_memory(partition, 0, memory, PAGES * SIDECAR_PAGE_SIZE, ALL_RIGHTS);
	atomic_store(running, 1);
	for (;;) {
		unmap_memory(partition, 0, PAGES * SIDECAR_PAGE_SIZE);
		map_memory(partition, 0, memory, PAGES * SIDECAR_PAGE_SIZE, ALL_RIGHTS);
	}
}

static void use_and_kill(void)
{
	pid_t child;

	atomic_store(running, 0);
	fflush(stdout);
	child = fork();
	if (child == 0)
		vmm();
	while (!atomic_load(running) && waitpid(child, NULL, WNOHANG) == 0)
		usleep(100);
	usleep(random_below(3000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* What the module's removal puts off is over when memory no longer changes much. */
static struct counts settled_count(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sleep_ms(200);
	if (fd < 0 || write(fd, "3", 1) != 1)
		tap_note("drop_caches: %s", strerror(errno));
	close(fd);
	sleep_ms(200);
	return count();
}

static bool one_round(void)
{
	if (insert_module("cpus=1"))
		return false;
	use_and_kill();
	if (count().references != 0)
		return false;
	return system("rmmod sidecar") == 0;
}

static void compare(const struct counts *warm, const struct counts *after)
{
	tap_note("after %u rounds: %lld KiB available, %lld KiB of slab, %lld files", WARM_UP,
		 warm->available, warm->slab, warm->files);
	tap_note("after the last: %lld KiB available, %lld KiB of slab, %lld files",
		 after->available, after->slab, after->files);
	tap_equal(after->pinned, 0, "no page is pinned");
	tap_equal(after->lines, 0, "no interrupt is left");
	tap_equal(after->references, -1, "no module is left");
	tap_check(after->files - warm->files < FILES_SLACK, "no open file is left");
	tap_check(after->slab - warm->slab < SLAB_SLACK_KIB, "slab has not grown");
	tap_check(warm->available - after->available < ROUNDS_SLACK_KIB, "memory is back");
}

int main(void)
{
	unsigned long rounds = rounds_of("modules", 100, 1000), i, good = 0;
	struct counts warm = { 0 }, after;

	running = mmap(NULL, SIDECAR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	for (i = 0; i < rounds; i++) {
		good += one_round();
		if (i + 1 == WARM_UP)
			warm = settled_count();
	}
	after = settled_count();
	tap_equal(good, rounds, "insmod, a guest, SIGKILL and rmmod succeed each time");
	compare(&warm, &after);
	return tap_done();
}

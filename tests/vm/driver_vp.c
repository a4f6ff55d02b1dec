// SPDX-License-Identifier: MIT
/*
 * Gives the shell tests a VP, without the library:
 *
 *   driver_vp none NODE [CPU]	NONE on one or every sidecar CPU; prints "CPU:result" for each
 *   driver_vp busy CPU SECONDS	an endless guest on a CPU of node 0, until the time is up
 *   driver_vp take|give|reset CPU…	on node 0, in one call; prints "CPU:result" for each
 *   driver_vp munmap SECONDS	makes Linux send TLB shootdowns; prints how many mappings it took
 */
#include <pthread.h>
#include <stdbool.h>

#include "move.h"

static int print_none(int fd, uint32_t cpu)
{
	int error = control(fd, SIDECAR_IOC_RUN, cpu);

	printf("%u:%s\n", cpu, error ? strerrorname_np(error) : "ok");
	return error != 0;
}

static int none(const char *node, const char *only)
{
	struct sidecar_node_ioctl_info info = {};
	char path[64];
	int fd, failures = 0;
	uint32_t cpu;

	snprintf(path, sizeof(path), "/dev/" SIDECAR_DEVICE_PREFIX "%s", node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, SIDECAR_IOC_INFO, &info)) {
		perror(path);
		return 2;
	}
	if (only)
		return print_none(fd, atoi(only));
	for (cpu = info.base_cpu + 1; cpu < info.base_cpu + info.cpu_count; cpu++)
		failures += print_none(fd, cpu);
	return failures != 0;
}

static int busy(unsigned int cpu, long seconds)
{
	struct device device = device_open();
	int error;

	GIVE_GUEST(&device, endless_guest);
	error = start(&device, cpu, SIDECAR_COMMAND_RUN_VP);
	if (error) {
		fprintf(stderr, "START of CPU %u: %s\n", cpu, strerror(error));
		return 2;
	}
	sleep_ms(seconds * 1000);
	control(device.fd, SIDECAR_IOC_STOP, cpu);
	if (wait_completion(&device, 5000) != (int)cpu)
		return 2;
	printf("%u:%s\n", cpu, run_result(&device, cpu) ? "intercept" : "stopped");
	return 0;
}

static int move(const char *what, char *const cpus[], unsigned int count)
{
	unsigned long request = !strcmp(what, "take") ? SIDECAR_IOC_TAKE :
				!strcmp(what, "give") ? SIDECAR_IOC_GIVE :
							SIDECAR_IOC_RESET;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	struct sidecar_move *moves = calloc(count, sizeof(*moves));
	int call, error, failures = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		moves[i].cpu = atoi(cpus[i]);
	call = move_cpus(fd, request, moves, count);
	for (i = 0; i < count; i++) {
		error = call ? call : moves[i].error;
		failures += error != 0;
		printf("%s%u:%s", i ? " " : "", moves[i].cpu,
		       error ? strerrorname_np(error) : "ok");
	}
	putchar('\n');
	free(moves);
	close(fd);
	return failures != 0;
}

static bool munmap_over;

static void *stay_on_cpu(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&munmap_over, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* Another thread of this process runs on another CPU, which must forget each mapping. */
static int munmap_load(long seconds)
{
	long long end = now_ms() + seconds * 1000;
	unsigned long count = 0;
	pthread_t thread;
	uint8_t *page;

	if (pthread_create(&thread, NULL, stay_on_cpu, NULL))
		return 2;
	for (; now_ms() < end; count++) {
		page = new_memory(SIDECAR_PAGE_SIZE);
		if (!page)
			return 2;
		*page = 1;
		munmap(page, SIDECAR_PAGE_SIZE);
	}
	__atomic_store_n(&munmap_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("%lu\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "none"))
		return none(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "busy"))
		return busy(atoi(argv[2]), atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "munmap"))
		return munmap_load(atoi(argv[2]));
	if (argc >= 3 && (!strcmp(argv[1], "take") || !strcmp(argv[1], "give") ||
			  !strcmp(argv[1], "reset")))
		return move(argv[1], argv + 2, argc - 2);
	fprintf(stderr, "usage: driver_vp none NODE [CPU] | busy CPU SECONDS | "
			"take|give|reset CPU… | munmap SECONDS\n");
	return 2;
}

// SPDX-License-Identifier: MIT
/*
 * Makes sidecar CPUs Linux CPUs while their guests run: all ask at once, each goes on until it is
 * its turn, is saved then and converted. The guests here do nothing, for ever. Exit status: 0; 1
 * one could not be converted, and is as it was; 2 usage.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <sidecar/sidecar.h>

#define MAX_CPUS 256
#define PAGE 4096
#define SECOND 1000000000ull

/* Where a processor begins after a reset, and JMP to itself. */
#define RESET_PAGE 0xfffff000
#define RESET_OFFSET 0xff0
static const uint8_t loop_code[] = {0xeb, 0xfe};

static struct sidecar_vp *vps[MAX_CPUS];
static unsigned int vp_count, failures;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static int fail(const char *text)
{
	fprintf(stderr, "%s\n", text);
	failures++;
	return 1;
}

static int make_guest(struct sidecar *client, struct sidecar_partition **partition)
{
	uint8_t *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

	if (memory == MAP_FAILED)
		return fail("no memory");
	for (unsigned int i = 0; i < sizeof(loop_code); i++)
		memory[RESET_OFFSET + i] = loop_code[i];
	if (sidecar_partition_create(client, partition))
		return fail(sidecar_error(client)->text);
	if (sidecar_partition_map(*partition, RESET_PAGE, memory, PAGE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_EXECUTE))
		return fail(sidecar_partition_error(*partition)->text);
	return 0;
}

static int start(struct sidecar *client, struct sidecar_partition *partition,
		 struct sidecar_queue *queue, uint32_t cpu)
{
	struct sidecar_vp *vp;

	if (sidecar_vp_create(client, cpu, partition, &vp))
		return fail(sidecar_error(client)->text);
	vps[vp_count++] = vp;
	if (sidecar_queue_attach(queue, vp) || sidecar_queue_prepare_run(queue, vp, 0))
		return fail(sidecar_queue_error(queue)->text);
	if (sidecar_vp_request_conversion(vp))
		return fail(sidecar_error(client)->text);
	return 0;
}

/* True: this VP is done with. user is the time at which it was stopped. */
static bool handle(struct sidecar_queue *queue, const struct sidecar_event *event)
{
	uint32_t cpu = sidecar_vp_cpu(event->vp);
	struct sidecar_vp_state state;

	if (event->kind == SIDECAR_EVENT_TURN) {
		if (sidecar_vp_save(event->vp, &state))
			return fail(sidecar_vp_error(event->vp)->text);
		return sidecar_queue_prepare_convert(queue, event->vp, now() + 60 * SECOND, now());
	}
	if (event->kind != SIDECAR_EVENT_DONE)
		return fail(sidecar_vp_error(event->vp)->text);
	printf("cpu %u is a Linux CPU, its guest stood still for %llu us\n", cpu,
	       (unsigned long long)(now() - event->user) / 1000);
	return true;
}

static void convert_all(struct sidecar_queue *queue)
{
	unsigned int left = vp_count;
	struct sidecar_event event;

	while (left && sidecar_queue_submit(queue) >= 0 &&
	       sidecar_queue_wait(queue, &event, 1, 1, SIDECAR_NO_DEADLINE) == 1)
		left -= handle(queue, &event);
	if (left)
		fail(sidecar_queue_error(queue)->text);
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar_partition *partition = NULL;
	struct sidecar_queue *queue = NULL;
	struct sidecar *client;
	int result;

	if (argc < 2 || argc > MAX_CPUS) {
		fprintf(stderr, "usage: convert CPU...\n");
		return 2;
	}
	result = sidecar_open(&options, &client);
	if (result)
		return fail(result == SIDECAR_ABSENT ? "no sidecar on this machine" : error.text);
	if (sidecar_queue_create(client, NULL, &queue))
		fail(sidecar_error(client)->text);
	else if (!make_guest(client, &partition)) {
		for (int i = 1; i < argc; i++)
			if (start(client, partition, queue, (uint32_t)strtoul(argv[i], NULL, 0)))
				break;
		if (!failures)
			convert_all(queue);
	}
	for (unsigned int i = 0; i < vp_count; i++)
		sidecar_vp_destroy(vps[i]);
	sidecar_partition_close(partition);
	sidecar_queue_close(queue);
	sidecar_close(client);
	return failures != 0;
}

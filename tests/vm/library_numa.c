// SPDX-License-Identifier: MIT
/*
 * Two memory nodes: the library's memory is where it should be, by what Linux says of each page.
 * Over each transport.
 */
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "transports.h"

#define MIB (1ull << 20)
#define PAGE 4096u
#define SIZE (4 * MIB)
#define HUGE_PAGES 3u

/* How many of its pages are on this memory node. */
static unsigned int pages_on(uint8_t *memory, size_t size, uint32_t numa_node)
{
	unsigned int found = 0;
	int status;

	for (size_t offset = 0; offset < size; offset += PAGE) {
		void *page = memory + offset;

		if (!move_pages(0, 1, &page, NULL, &status, 0) && status == (int)numa_node)
			found++;
	}
	return found;
}

/* KernelPageSize of the mapping at this address, in KiB. */
static unsigned long page_size_at(const void *memory)
{
	unsigned long begin, size = 0;
	bool here = false;
	char line[256];
	FILE *file = fopen("/proc/self/smaps", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%*x ", &begin) == 1)
			here = begin == (unsigned long)memory;
		else if (here && sscanf(line, "KernelPageSize: %lu", &size) == 1)
			break;
	}
	if (file)
		fclose(file);
	return size;
}

static void set_huge_pages(uint32_t numa_node, unsigned int count)
{
	char path[128], text[16];
	int fd;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages",
		 numa_node);
	fd = open(path, O_WRONLY);
	snprintf(text, sizeof(text), "%u", count);
	if (write(fd, text, strlen(text)) < 0)
		tap_note("%s: %s", path, strerror(errno));
	close(fd);
}

static bool partition_takes(struct sidecar *client, uint8_t *memory)
{
	struct sidecar_partition *partition;

	return !sidecar_partition_create(client, &partition) &&
	       !sidecar_partition_map(partition, 0, memory, SIZE,
				      SIDECAR_MAP_READ | SIDECAR_MAP_WRITE) &&
	       !sidecar_partition_close(partition);
}

static void test_memory(struct sidecar *client, uint32_t i, uint32_t numa_node, bool huge)
{
	struct sidecar_node_info info;
	uint8_t *memory = NULL;

	tap_equal((unsigned long long)sidecar_memory_alloc(client, i, SIZE, SIDECAR_MEMORY_POPULATE,
							   (void **)&memory), 0,
		  huge ? "memory with huge pages there" : "memory");
	if (!memory) {
		tap_note("%s", sidecar_error(client)->text);
		return;
	}
	tap_equal(pages_on(memory, SIZE, numa_node), SIZE / PAGE, "every page is on its node");
	tap_equal(page_size_at(memory), huge ? 2048 : 4, "of this size");
	sidecar_node_info(client, i, &info);
	if (info.capabilities & SIDECAR_CAP_PARTITIONS)
		tap_check(partition_takes(client, memory), "a partition takes it");
	sidecar_memory_free(memory, SIZE);
}

/* Huge pages are the other node's: none of them is taken. */
static void test_others_huge_pages(struct sidecar *client, uint32_t i, uint32_t numa_node)
{
	set_huge_pages(!numa_node, HUGE_PAGES);
	test_memory(client, i, numa_node, false);
	set_huge_pages(!numa_node, 0);
}

static void test_node(struct sidecar *client, uint32_t i)
{
	struct sidecar_node_info info;
	uint8_t *memory;

	sidecar_node_info(client, i, &info);
	tap_equal(info.numa_node, info.base_cpu / 4, "the node's memory node");
	test_memory(client, i, info.numa_node, false);
	set_huge_pages(info.numa_node, HUGE_PAGES);
	test_memory(client, i, info.numa_node, true);
	set_huge_pages(info.numa_node, 0);
	test_others_huge_pages(client, i, info.numa_node);
	tap_equal((unsigned long long)sidecar_memory_alloc(client, i, PAGE, 0, (void **)&memory), 0,
		  "a page");
	*memory = 1;
	tap_equal(pages_on(memory, PAGE, info.numa_node), 1, "is on its node when it is touched");
	sidecar_memory_free(memory, PAGE);
	tap_equal((unsigned long long)sidecar_pin_thread(client, i), 0, "pin");
	tap_equal((unsigned long long)sched_getcpu(), info.base_cpu,
		  "this thread is on the base CPU");
}

static void test_all(const struct transport *transport)
{
	struct sidecar *client = open_transport(transport);

	if (!client)
		return;
	if (tap_equal(sidecar_node_count(client), 2, "two nodes")) {
		test_node(client, 0);
		test_node(client, 1);
	}
	sidecar_close(client);
}

int main(void)
{
	tap_equal(insert_module("cpus=1-7"), 0, "insmod");
	for (unsigned int i = 0; i < TRANSPORTS; i++)
		test_all(&transports[i]);
	tap_check(system("rmmod sidecar") == 0, "rmmod");
	return tap_done();
}

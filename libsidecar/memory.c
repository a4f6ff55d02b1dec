// SPDX-License-Identifier: MIT
/* Memory and threads beside a node's CPUs. */
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <sys/mman.h>

#include "internal.h"

#define HUGE_PAGE (UINT64_C(2) << 20)
#define BITS_OF_WORD (8 * sizeof(unsigned long))
#define MAX_NUMA_NODES 1024u
#define MEMORY_FLAGS (SIDECAR_MEMORY_POPULATE | SIDECAR_MEMORY_SMALL_PAGES)

uint32_t memory_node_of(uint32_t cpu)
{
	int node;

	if (numa_available() < 0)
		return SIDECAR_NO_NUMA_NODE;
	node = numa_node_of_cpu((int)cpu);
	return node < 0 ? SIDECAR_NO_NUMA_NODE : (uint32_t)node;
}

static int find(struct sidecar *client, uint32_t i, const struct node **node)
{
	if (i >= client->node_count)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT,
				    "node %u asked for, there are %u", i, client->node_count);
	*node = &client->nodes[i];
	return 0;
}

static size_t rounded(size_t size)
{
	size_t unit = size >= HUGE_PAGE ? HUGE_PAGE : SIDECAR_PAGE_SIZE;

	return (size + unit - 1) / unit * unit;
}

/* All pages that are still to come from this memory node alone. */
static int bind_to(void *memory, size_t size, uint32_t numa_node)
{
	unsigned long mask[MAX_NUMA_NODES / BITS_OF_WORD] = { 0 };

	if (numa_node >= MAX_NUMA_NODES)
		return 0;
	mask[numa_node / BITS_OF_WORD] = 1ul << numa_node % BITS_OF_WORD;
	/* The kernel takes one bit less than it is told. */
	return mbind(memory, size, MPOL_BIND, mask, MAX_NUMA_NODES, 0) ? -errno : 0;
}

static int populate(void *memory, size_t size)
{
	return madvise(memory, size, MADV_POPULATE_WRITE) ? -errno : 0;
}

/*
 * Huge pages are reserved for the whole machine, not for a node: only those that are there already
 * are sure, so these are always populated.
 */
static void *map_huge(size_t size, uint32_t numa_node)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (!bind_to(memory, size, numa_node) && !populate(memory, size))
		return memory;
	munmap(memory, size);
	return NULL;
}

/* Aligned for huge pages, so that the kernel can use some if it wants. */
static void *map_small(size_t size)
{
	size_t extra = size >= HUGE_PAGE ? HUGE_PAGE : 0;
	uint8_t *memory = mmap(NULL, size + extra, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (memory == MAP_FAILED)
		return NULL;
	if (!extra)
		return memory;
	before = (size_t)(-(uintptr_t)memory & (HUGE_PAGE - 1));
	if (before)
		munmap(memory, before);
	if (extra - before)
		munmap(memory + before + size, extra - before);
	return memory + before;
}

static int fill_small(void *memory, size_t size, uint32_t flags, uint32_t numa_node)
{
	int error = bind_to(memory, size, numa_node);

	if (error)
		return error;
	if (flags & SIDECAR_MEMORY_SMALL_PAGES)
		madvise(memory, size, MADV_NOHUGEPAGE);
	else if (size >= HUGE_PAGE)
		madvise(memory, size, MADV_HUGEPAGE);
	return flags & SIDECAR_MEMORY_POPULATE ? populate(memory, size) : 0;
}

int sidecar_memory_alloc(struct sidecar *client, uint32_t i, size_t size, uint32_t flags,
			 void **memory)
{
	const struct node *node = NULL;
	uint32_t numa_node;
	int error;

	*memory = NULL;
	error = find(client, i, &node);
	if (error)
		return error;
	if (!size || size > SIZE_MAX - 2 * HUGE_PAGE || flags & ~MEMORY_FLAGS)
		return client_error(client, SIDECAR_ERROR_ERRNO, -EINVAL,
				    "%zu bytes of memory with flags 0x%x, known are 0x%x", size,
				    flags, MEMORY_FLAGS);
	size = rounded(size);
	numa_node = node->info.numa_node;
	if (size >= HUGE_PAGE && !(flags & SIDECAR_MEMORY_SMALL_PAGES))
		*memory = map_huge(size, numa_node);
	if (*memory)
		return 0;
	*memory = map_small(size);
	error = *memory ? fill_small(*memory, size, flags, numa_node) : -errno;
	if (!error)
		return 0;
	if (*memory)
		munmap(*memory, size);
	*memory = NULL;
	return client_error(client, SIDECAR_ERROR_ERRNO, error,
			    "%zu bytes of memory for node %u: %s", size, node->info.index,
			    errno_text(error));
}

void sidecar_memory_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, rounded(size));
}

int sidecar_pin_thread(struct sidecar *client, uint32_t i)
{
	const struct node *node = NULL;
	cpu_set_t *set;
	uint32_t cpu;
	int error;

	error = find(client, i, &node);
	if (error)
		return error;
	cpu = node->info.base_cpu;
	set = CPU_ALLOC(cpu + 1);
	if (!set)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM, "a set of %u CPUs", cpu);
	CPU_ZERO_S(CPU_ALLOC_SIZE(cpu + 1), set);
	CPU_SET_S(cpu, CPU_ALLOC_SIZE(cpu + 1), set);
	error = sched_setaffinity(0, CPU_ALLOC_SIZE(cpu + 1), set) ? -errno : 0;
	CPU_FREE(set);
	if (!error)
		return 0;
	return client_error(client, SIDECAR_ERROR_ERRNO, error,
			    "this thread cannot be on CPU %u, the base of node %u: %s", cpu,
			    node->info.index, errno_text(error));
}

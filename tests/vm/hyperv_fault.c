// SPDX-License-Identifier: MIT
/*
 * hyperv_fault HANDOVER CPU   the sidecar CPU faults at its next command: through /dev/mem, the
 *                             entry of its page tables that maps its command page is cleared
 * hyperv_fault forgive        its crash report was meant: the test hypervisor forgets its
 *                             violations; prints how many there were
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include <sidecar/handover.h>

/* tests/hyperv/l0/control.h */
#define CONTROL_PORT 0x500
#define CONTROL_FORGIVE 1

#define PRESENT 1ull
#define ADDRESS 0x000ffffffffff000ull

static int memory;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void get(uint64_t pa, void *to, size_t size)
{
	if (pread(memory, to, size, (off_t)pa) != (ssize_t)size)
		fail("reading /dev/mem");
}

static void clear(uint64_t pa)
{
	const uint64_t none = 0;

	if (pwrite(memory, &none, sizeof(none), (off_t)pa) != sizeof(none))
		fail("writing /dev/mem");
}

/* Clears every entry of the last level that leads to page; returns how many. */
static unsigned int unmap(uint64_t table, unsigned int level, uint64_t page)
{
	uint64_t entries[512];
	unsigned int count = 0;

	get(table, entries, sizeof(entries));
	for (unsigned int i = 0; i < 512; i++) {
		if (!(entries[i] & PRESENT))
			continue;
		if (level > 1) {
			count += unmap(entries[i] & ADDRESS, level - 1, page);
		} else if ((entries[i] & ADDRESS) == page) {
			clear(table + i * sizeof(uint64_t));
			count++;
		}
	}
	return count;
}

static int break_cpu(uint64_t handover_pa, uint32_t cpu)
{
	struct sidecar_handover handover;
	struct sidecar_handover_node node;
	struct sidecar_extension_cpu of_cpu;

	memory = open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (memory < 0)
		fail("/dev/mem");
	get(handover_pa, &handover, sizeof(handover));
	get(handover_pa + sizeof(handover), &node, sizeof(node));
	cpu -= node.base_cpu;
	if (handover.magic != SIDECAR_HANDOVER_MAGIC || cpu >= node.cpu_count)
		fail("no handover, or no such CPU in node 0");
	get(handover.extension + sizeof(struct sidecar_extension) + cpu * sizeof(of_cpu), &of_cpu,
	    sizeof(of_cpu));
	if (!of_cpu.cr3)
		fail("the extension has no tables of it");
	return unmap(of_cpu.cr3, 4, node.shmem_pages_base + cpu * SIDECAR_PER_CPU_SHMEM) == 1 ? 0
											      : 1;
}

static int forgive(void)
{
	if (iopl(3))
		fail("iopl");
	outl(CONTROL_FORGIVE, CONTROL_PORT);
	printf("%u\n", inl(CONTROL_PORT));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "forgive"))
		return forgive();
	if (argc == 3)
		return break_cpu(strtoull(argv[1], NULL, 0), (uint32_t)atoi(argv[2]));
	fprintf(stderr, "usage: hyperv_fault HANDOVER CPU | hyperv_fault forgive\n");
	return 2;
}

// SPDX-License-Identifier: MIT
/*
 * hyperv_guest CPU GUEST INPUT   runs a guest in VTL0 until it tells its count; prints what it says
 * hyperv_guest CPU loop          an endless loop, cancelled after 500 ms
 *
 * There are no partitions here: VTL0 sees the machine's memory where it is. The guest's is a few
 * large pages, and its page tables, made here, let it see them from address 0 on. A guest that
 * halts only idles, so the end is what it tells through PORT_EXITS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "guests/ports.h"

#define LARGE 0x200000ull
#define TABLE 0x3ull /* present, writable */
#define PAGE_2M 0x83ull
#define PFN_MASK ((1ull << 55) - 1)
#define PRESENT (1ull << 63)

enum {
	EXIT_FAILED = 1
};

static struct guest guest;
static uint64_t *tables; /* one large page: PML4, PDPT, PD */

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILED);
}

/* Documentation/admin-guide/mm/pagemap.rst. */
static uint64_t physical(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t offset = (off_t)((uintptr_t)address / SIDECAR_PAGE_SIZE * sizeof(uint64_t));
	uint64_t entry = 0;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), offset) != sizeof(entry) ||
	    !(entry & PRESENT) || !(entry & PFN_MASK))
		fail("/proc/self/pagemap");
	close(fd);
	return (entry & PFN_MASK) * SIDECAR_PAGE_SIZE;
}

static void *large_pages(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("large pages (/proc/sys/vm/nr_hugepages)");
	return memory;
}

static void move_to_large_pages(void)
{
	uint8_t *memory = large_pages(guest.size);

	memcpy(memory, guest.memory, guest.size);
	munmap(guest.memory, guest.size);
	guest.memory = memory;
}

static void make_tables(void)
{
	uint64_t pa;

	tables = large_pages(LARGE);
	pa = physical(tables);
	tables[0] = (pa + 0x1000) | TABLE;
	tables[512] = (pa + 0x2000) | TABLE;
	for (uint64_t i = 0; i < guest.size / LARGE; i++)
		tables[1024 + i] = physical(guest.memory + i * LARGE) | PAGE_2M;
}

static void set_segment(struct hv_register_assoc *assoc, uint32_t name, uint16_t selector,
			uint16_t attributes)
{
	const struct hv_segment segment = {0, UINT32_MAX, selector, attributes};

	assoc->name = name;
	memcpy(&assoc->value, &segment, sizeof(segment));
}

/* Of the partition, by way of any of its VPs: VTL0's intercepts come to the VP assist page. */
static int ask_for_intercepts(void)
{
	return sidecar_vp_set_register64(guest.vp, HV_VTL_2, HV_REGISTER_VSM_PARTITION_CONFIG,
					 HV_VSM_PARTITION_CONFIG_INTERCEPT_PAGE |
						 HV_VSM_PARTITION_CONFIG_INTERCEPT_UNRECOVERABLE);
}

static int set_start(void)
{
	struct hv_register_assoc regs[] = {
		{0},
		{0},
		{0},
		{0},
		{.name = HV_REGISTER_RIP, .value.low = GUEST_BASE},
		{.name = HV_REGISTER_RFLAGS, .value.low = 2},
		{.name = HV_REGISTER_EFER, .value.low = 0x500},
		{.name = HV_REGISTER_CR4, .value.low = 0x20},
		{.name = HV_REGISTER_CR3, .value.low = physical(tables)},
		{.name = HV_REGISTER_CR0, .value.low = 0x80000031},
	};

	set_segment(&regs[0], HV_REGISTER_CS, 0x08, 0xa09b);
	set_segment(&regs[1], HV_REGISTER_SS, 0x10, 0xc093);
	set_segment(&regs[2], HV_REGISTER_DS, 0x10, 0xc093);
	set_segment(&regs[3], HV_REGISTER_ES, 0x10, 0xc093);
	return sidecar_vp_set_registers(guest.vp, HV_VTL_0, regs, sizeof(regs) / sizeof(regs[0]));
}

static int run(uint64_t milliseconds)
{
	uint64_t deadline = deadline_in(milliseconds);
	struct sidecar_event event;

	while (!guest.counted) {
		if (sidecar_vp_run(guest.vp, deadline, &event) < 0) {
			fprintf(stderr, "%s\n", sidecar_vp_error(guest.vp)->text);
			return EXIT_FAILED;
		}
		if (event.kind == SIDECAR_EVENT_CANCELLED) {
			printf("cancelled\n");
			return 0;
		}
		if (guest_serve(&guest) != GUEST_GOES_ON)
			return EXIT_FAILED;
	}
	printf("exits %llu counted %llu\n", (unsigned long long)guest.exits.total,
	       (unsigned long long)guest.counted);
	/* The count is told with the HLT that it expects to follow. */
	return guest.counted == guest.exits.total + 1 ? 0 : EXIT_FAILED;
}

static void load(int argc, char **argv)
{
	const struct guest_options options = {argv[2], argc > 3 ? argv[3] : NULL, 0, 0};

	guest.out = stdout;
	if (!strcmp(argv[2], "loop")) {
		guest.size = LARGE;
		guest.memory = large_pages(LARGE);
		memcpy(guest.memory + GUEST_BASE, "\xeb\xfe", 2); /* jmp to itself */
		return;
	}
	if (guest_load(&guest, &options))
		exit(EXIT_FAILED);
	move_to_large_pages();
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar *client;

	if (argc < 3) {
		fprintf(stderr, "usage: hyperv_guest CPU GUEST [INPUT] | CPU loop\n");
		return EXIT_FAILED;
	}
	load(argc, argv);
	make_tables();
	if (sidecar_open(&options, &client)) {
		fprintf(stderr, "%s\n", error.text);
		return EXIT_FAILED;
	}
	if (sidecar_vp_create(client, (uint32_t)atoi(argv[1]), NULL, &guest.vp)) {
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
		return EXIT_FAILED;
	}
	if (ask_for_intercepts() || set_start()) {
		fprintf(stderr, "%s\n", sidecar_vp_error(guest.vp)->text);
		return EXIT_FAILED;
	}
	return run(argc > 3 ? 0 : 500);
}

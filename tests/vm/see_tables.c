// SPDX-License-Identifier: MIT
/*
 * Page tables as they are: a sidecar CPU's own, against the written list of what it may map, and
 * nested tables, against what the VMM mapped and where Linux says that these pages are.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "vmm.h"

#define FILES "/sys/kernel/debug/sidecar/node0/"
#define IMAGE "/lib/firmware/sidecar-svm.elf"
#define CPUS 4u /* of the node, base CPU included */
#define PAGE SIDECAR_PAGE_SIZE
#define MAX_RANGES 4200u

/* ---- the list -------------------------------------------------------------------------------- */

#define IMAGE_VA 0xffffff8000000000ull
#define SLOT(n) (0xffffff8000200000ull + (uint64_t)(n) * PAGE)

enum where {
	TEXT, /* three parts of the image */
	CONSTANTS,
	DATA,
	CONTROL, /* of the node */
	SHARED,	 /* the CPU's two pages that a VMM maps, by number */
	PRIVATE, /* its eleven private ones */
	APIC,
};

/*
 * Everything that a sidecar CPU may map while it looks at no guest, as docs/memory-layout.md has
 * it. Its three upper tables are not in it: nobody changes them once the CPU is up.
 */
static const struct entry {
	const char *name;
	uint64_t va;
	enum where where;
	unsigned int page;
	const char *rights;
} list[] = {
	{"text", IMAGE_VA, TEXT, 0, "r-x-"},
	{"constants", IMAGE_VA, CONSTANTS, 0, "r---"},
	{"data", IMAGE_VA, DATA, 0, "rw--"},
	{"table of the slots", SLOT(0), PRIVATE, 3, "rw--"},
	{"command page", SLOT(1), SHARED, 0, "rw--"},
	{"register page", SLOT(2), SHARED, 1, "rw--"},
	{"control page", SLOT(3), CONTROL, 0, "rw--"},
	{"state page", SLOT(4), PRIVATE, 10, "rw--"},
	{"globals", SLOT(5), PRIVATE, 7, "rw--"},
	{"VMCB", SLOT(6), PRIVATE, 8, "rw--"},
	{"host save area", SLOT(7), PRIVATE, 9, "rw--"},
	{"local APIC", SLOT(8), APIC, 0, "rw--"},
	{"trap stacks", SLOT(16), PRIVATE, 4, "rw--"},
	{"stack", SLOT(510), PRIVATE, 5, "rw--"},
	{"stack", SLOT(511), PRIVATE, 6, "rw--"},
};

#define LISTED (sizeof(list) / sizeof(list[0]))

/* Byte offsets in the image: where its parts end, by the file's own headers. */
static uint64_t part_end[3];

static bool part_read(FILE *file)
{
	Elf64_Ehdr elf;
	Elf64_Shdr section;

	if (fread(&elf, sizeof(elf), 1, file) != 1)
		return false;
	for (unsigned int i = 0; i < elf.e_shnum; i++) {
		uint64_t end;

		if (fseek(file, (long)(elf.e_shoff + i * sizeof(section)), SEEK_SET) != 0 ||
		    fread(&section, sizeof(section), 1, file) != 1)
			return false;
		end = (section.sh_addr + section.sh_size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		if (section.sh_flags & SHF_EXECINSTR)
			part_end[TEXT] = end;
		else if ((section.sh_flags & SHF_ALLOC) && section.sh_type != SHT_NOBITS)
			part_end[CONSTANTS] = end;
		else if ((section.sh_flags & SHF_ALLOC) && !part_end[DATA])
			part_end[DATA] = end; /* .bss; .boot follows, and is mapped by nobody */
	}
	return part_end[TEXT] < part_end[CONSTANTS] && part_end[CONSTANTS] < part_end[DATA];
}

static void read_image(void)
{
	FILE *file = fopen(IMAGE, "r");

	tap_check(file && part_read(file), "%s has text, constants and data", IMAGE);
	if (file)
		fclose(file);
}

/* ---- what the driver shows ------------------------------------------------------------------- */

struct range {
	uint64_t first, last, at;
	char rights[8], size[4];
	bool uncached;
};

struct dump {
	uint64_t cr3, node, image;
	unsigned int count;
	struct range ranges[MAX_RANGES];
	bool cut_off;
	bool malformed;
};

static void add_line(struct dump *dump, const char *line)
{
	struct range *range = &dump->ranges[dump->count];
	char rest[16] = "";

	if (strcmp(line, "and more\n") == 0) {
		dump->cut_off = true;
		return;
	}
	if (dump->count == MAX_RANGES ||
	    sscanf(line, "%" SCNx64 "-%" SCNx64 " %" SCNx64 " %7s %3s %15s", &range->first,
		   &range->last, &range->at, range->rights, range->size, rest) < 5) {
		if (!dump->malformed)
			tap_note("line '%s'", line);
		dump->malformed = true;
		return;
	}
	range->uncached = strcmp(rest, "uncached") == 0;
	dump->count++;
}

static void read_dump(struct dump *dump, unsigned int cpu, const char *name)
{
	char path[128], line[128];
	FILE *file;

	snprintf(path, sizeof(path), FILES "cpu%u/%s", cpu, name);
	memset(dump, 0, sizeof(*dump));
	file = fopen(path, "r");
	dump->malformed = !file;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "cr3 %" SCNx64 " node %" SCNx64 " image %" SCNx64, &dump->cr3,
			   &dump->node, &dump->image) != 3)
			add_line(dump, line);
	}
	if (file)
		fclose(file);
}

/* ---- a CPU's own tables ---------------------------------------------------------------------- */

static uint64_t private_page(const struct dump *dump, unsigned int cpu, unsigned int page)
{
	return dump->node + (1 + 2 * CPUS + 11 * cpu + page) * (uint64_t)PAGE;
}

/* Where an entry of the list leads to at an address that it covers. */
static uint64_t wanted_at(const struct dump *dump, unsigned int cpu, const struct entry *entry,
			  uint64_t va)
{
	switch (entry->where) {
	case CONTROL:
		return dump->node;
	case SHARED:
		return dump->node + (1 + 2 * cpu + entry->page) * (uint64_t)PAGE;
	case PRIVATE:
		return private_page(dump, cpu, entry->page);
	case APIC:
		return 0xfee00000;
	default:
		return dump->image + (va - IMAGE_VA);
	}
}

static bool covers(const struct entry *entry, uint64_t va)
{
	uint64_t offset = va - IMAGE_VA;

	if (entry->where > DATA)
		return va == entry->va;
	return offset < part_end[entry->where] &&
	       (entry->where == TEXT || offset >= part_end[entry->where - 1]);
}

static const struct entry *find(uint64_t va)
{
	for (size_t i = 0; i < LISTED; i++)
		if (covers(&list[i], va))
			return &list[i];
	return NULL;
}

/* How many pages an entry is. */
static uint64_t pages_of(const struct entry *entry)
{
	if (entry->where > DATA)
		return 1;
	return (part_end[entry->where] - (entry->where == TEXT ? 0 : part_end[entry->where - 1])) /
	       PAGE;
}

static bool page_is_listed(const struct dump *dump, unsigned int cpu, const struct range *range,
			   uint64_t va, uint64_t seen[LISTED])
{
	const struct entry *entry = find(va);
	uint64_t at = range->at + (va - range->first);

	if (entry && at == wanted_at(dump, cpu, entry, va) &&
	    strcmp(range->rights, entry->rights) == 0 && strcmp(range->size, "4K") == 0 &&
	    range->uncached == (entry->where == APIC)) {
		seen[entry - list]++;
		return true;
	}
	tap_note("CPU %u: %#" PRIx64 " -> %#" PRIx64 " %s %s, %s", cpu, va, at, range->rights,
		 range->size, entry ? entry->name : "nothing that is on the list");
	return false;
}

static unsigned int unlisted_pages(const struct dump *dump, unsigned int cpu,
				   uint64_t seen[LISTED])
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < dump->count; i++) {
		const struct range *range = &dump->ranges[i];

		for (uint64_t va = range->first; va - range->first <= range->last - range->first &&
						 count < 20;
		     va += PAGE)
			count += !page_is_listed(dump, cpu, range, va, seen);
	}
	return count;
}

/* In xAPIC mode only; it could as well be an x2APIC. */
static unsigned int missing_pages(unsigned int cpu, const uint64_t seen[LISTED])
{
	unsigned int count = 0;

	for (size_t i = 0; i < LISTED; i++) {
		if (seen[i] == pages_of(&list[i]) || list[i].where == APIC)
			continue;
		tap_note("CPU %u: %s: %" PRIu64 " pages of %" PRIu64, cpu, list[i].name, seen[i],
			 pages_of(&list[i]));
		count++;
	}
	return count;
}

/* Whatever the list says. */
static unsigned int forbidden(const struct dump *dump, unsigned int cpu)
{
	const uint64_t size = (1 + 13 * CPUS) * (uint64_t)PAGE;
	unsigned int count = 0;

	for (unsigned int i = 0; i < dump->count; i++) {
		const struct range *range = &dump->ranges[i];
		uint64_t last = range->at + (range->last - range->first);

		count += range->rights[1] == 'w' && range->rights[2] == 'x';
		count += range->rights[3] != '-';
		for (unsigned int other = 1; other < CPUS; other++) {
			uint64_t its = private_page(dump, other, 0);

			count += other != cpu && range->at < its + 11 * PAGE && last >= its;
		}
		count += range->at < dump->node && last >= dump->node;
		count += range->at < dump->node + size && last >= dump->node + size;
	}
	return count;
}

static void check_cpu(unsigned int cpu, const char *when)
{
	static struct dump dump;
	uint64_t seen[LISTED] = {0};

	read_dump(&dump, cpu, "tables");
	tap_check(!dump.malformed && !dump.cut_off && dump.count > 0 &&
			  dump.cr3 == private_page(&dump, cpu, 0),
		  "the tables of CPU %u, %s, can be read", cpu, when);
	tap_equal(unlisted_pages(&dump, cpu, seen), 0, "they map nothing but what is listed");
	tap_equal(missing_pages(cpu, seen), 0, "and all of it");
	tap_equal(forbidden(&dump, cpu), 0,
		  "nothing is W and X, a user's, or another CPU's private page");
}

static struct vmm vmm;

static void *run_guest(void *unused)
{
	(void)unused;
	return vmm_still_runs(&vmm, 2000) ? &vmm : NULL;
}

static void wait_busy(void)
{
	struct sidecar_cpu_info info = {0};

	for (unsigned int i = 0; i < 1000; i++) {
		sidecar_cpu_info(vmm.client, 1, &info);
		if (info.state == SIDECAR_CPU_STATE_BUSY)
			return;
		usleep(1000);
	}
}

static void test_cpus(void)
{
	pthread_t thread;
	void *ran;

	for (unsigned int cpu = 1; cpu < CPUS; cpu++)
		check_cpu(cpu, "which has done nothing");
	VMM_LOAD(&vmm, VMM_LONG, 0xec);
	tap_check(vmm_run(&vmm), "a guest's instruction is looked at, through windows");
	check_cpu(1, "idle again");
	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	pthread_create(&thread, NULL, run_guest, NULL);
	wait_busy();
	check_cpu(1, "in a guest");
	pthread_join(thread, &ran);
	tap_check(ran, "the guest ran on");
}

/* ---- nested tables --------------------------------------------------------------------------- */

/* PA of a page of this process's, or 0. Documentation/admin-guide/mm/pagemap.rst. */
static uint64_t pa_of(const void *address)
{
	uint64_t entry = 0;
	int file = open("/proc/self/pagemap", O_RDONLY);

	if (pread(file, &entry, sizeof(entry), (off_t)((uintptr_t)address / PAGE * 8)) !=
		    sizeof(entry) ||
	    !(entry >> 63))
		entry = 0;
	close(file);
	return (entry & ((1ull << 55) - 1)) * PAGE;
}

static const struct range *range_of(const struct dump *dump, uint64_t gpa)
{
	for (unsigned int i = 0; i < dump->count; i++)
		if (gpa >= dump->ranges[i].first && gpa <= dump->ranges[i].last)
			return &dump->ranges[i];
	return NULL;
}

static unsigned int wrong_pages(const struct dump *dump, uint64_t gpa, const uint8_t *memory,
				size_t size, const char *rights)
{
	unsigned int wrong = 0;

	for (size_t offset = 0; offset < size; offset += PAGE) {
		const struct range *range = range_of(dump, gpa + offset);

		wrong += !range || strcmp(range->rights, rights) != 0 ||
			 range->at + (gpa + offset - range->first) != pa_of(memory + offset);
	}
	return wrong;
}

static uint64_t pages_in(const struct dump *dump)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < dump->count; i++)
		pages += (dump->ranges[i].last - dump->ranges[i].first + 1) / PAGE;
	return pages;
}

static unsigned int not_merged(const struct dump *dump)
{
	unsigned int count = 0;

	for (unsigned int i = 1; i < dump->count; i++) {
		const struct range *a = &dump->ranges[i - 1], *b = &dump->ranges[i];

		count += a->last + 1 == b->first && a->at + (b->first - a->first) == b->at &&
			 strcmp(a->rights, b->rights) == 0 && strcmp(a->size, b->size) == 0;
		count += b->first <= a->last;
	}
	return count;
}

static void test_nested(void)
{
	static struct dump dump;

	read_dump(&dump, 1, "nested");
	tap_check(!dump.malformed && !dump.cut_off, "nested tables can be read: %u ranges",
		  dump.count);
	tap_equal(wrong_pages(&dump, 0, vmm.memory, VMM_MEMORY_SIZE, "rwxu"), 0,
		  "the memory is where Linux says that it is");
	tap_equal(wrong_pages(&dump, VMM_READ_ONLY, vmm.read_only, PAGE, "r-xu"), 0,
		  "so is the page that is read-only");
	tap_equal(wrong_pages(&dump, VMM_NO_EXECUTE, vmm.no_execute, PAGE, "rw-u"), 0,
		  "and the one that is no code");
	tap_equal(pages_in(&dump), VMM_MEMORY_SIZE / PAGE + 2, "nothing else is mapped");
	tap_equal(not_merged(&dump), 0, "neighbours are one range, in order");
	read_dump(&dump, 2, "nested");
	tap_check(!dump.malformed && dump.count == 0, "a CPU without a partition has nothing");
}

/* Every second page, so that no two are one range. */
static void test_bound(void)
{
	const unsigned int pages = MAX_RANGES + 100;
	const uint64_t base = 0x100000000;
	uint8_t *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	static struct dump dump;
	unsigned int mapped = 0;

	for (unsigned int i = 0; i < pages; i++)
		mapped += sidecar_partition_map(vmm.partition, base + 2ull * i * PAGE, memory, PAGE,
						SIDECAR_MAP_READ) == 0;
	tap_equal(mapped, pages, "one page is mapped at many places");
	read_dump(&dump, 1, "nested");
	tap_check(dump.cut_off && !dump.malformed && dump.count == 4096,
		  "the list ends after 4096 ranges, and says so");
	for (unsigned int i = 0; i < pages; i++)
		mapped -= sidecar_partition_unmap(vmm.partition, base + 2ull * i * PAGE, PAGE) == 0;
	tap_equal(mapped, 0, "all of them are unmapped");
	read_dump(&dump, 1, "nested");
	tap_equal(pages_in(&dump), VMM_MEMORY_SIZE / PAGE + 2, "and gone from the list");
}

static bool stop_mapping;

static void *map_and_unmap(void *memory)
{
	while (!__atomic_load_n(&stop_mapping, __ATOMIC_RELAXED)) {
		sidecar_partition_map(vmm.partition, 0x200000000, memory, 64 * PAGE,
				      SIDECAR_MAP_READ);
		sidecar_partition_unmap(vmm.partition, 0x200000000, 64 * PAGE);
	}
	return NULL;
}

/* All of a mapping is in the list, or nothing of it. */
static void test_concurrent(void)
{
	void *memory = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	unsigned int torn = 0, with = 0, rounds = 500;
	static struct dump dump;
	pthread_t thread;

	pthread_create(&thread, NULL, map_and_unmap, memory);
	while (rounds--) {
		uint64_t more;

		read_dump(&dump, 1, "nested");
		more = pages_in(&dump) - VMM_MEMORY_SIZE / PAGE - 2;
		torn += dump.malformed || (more != 0 && more != 64);
		with += more == 64;
	}
	__atomic_store_n(&stop_mapping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	tap_equal(torn, 0, "500 reads while another thread maps and unmaps");
	tap_note("%u of them saw the mapping", with);
}

int main(void)
{
	static struct dump dump;

	read_image();
	vmm_insert_module();
	vmm_open(&vmm, 1);
	sidecar_vp_test(vmm.vp);
	test_cpus();
	test_nested();
	test_bound();
	test_concurrent();
	vmm_close(&vmm);
	read_dump(&dump, 1, "nested");
	tap_check(!dump.malformed && dump.count == 0, "after close there is nothing");
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * How much memory the sidecar takes: nodes, the kernel image, and the nested page tables of a
 * 64 MiB guest in 4 KiB and in 2 MiB pages. The driver's numbers come from its debugfs; what is not
 * there is said to be not there.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <sidecar/sidecar.h>

#define IMAGE "/lib/firmware/sidecar-svm.elf"
#define DRIVER_MEMORY "/sys/kernel/debug/sidecar/memory"
#define LARGE_PAGE (2u << 20)
#define GUEST_SIZE (64u << 20)

static void print_bytes(const char *name, unsigned long long bytes)
{
	printf("%-46s %12llu bytes\n", name, bytes);
}

static void print_absent(const char *name)
{
	printf("%-46s not exposed by the driver\n", name);
}

static bool failed(const char *what, const struct sidecar_error *error)
{
	fprintf(stderr, "bench-memory: %s: %s\n", what, error->text);
	return false;
}

/* The line of the driver's report that begins with the word, without it. */
static bool driver_line(const char *word, char *line, int size)
{
	size_t length = strlen(word);
	bool found = false;
	FILE *file = fopen(DRIVER_MEMORY, "re");

	if (!file)
		return false;
	while (!found && fgets(line, size, file))
		found = strncmp(line, word, length) == 0;
	fclose(file);
	if (found)
		memmove(line, line + length, strlen(line) + 1 - length);
	return found;
}

/* ---- image ----------------------------------------------------------------------------------- */

static bool image_loaded_size(FILE *file, unsigned long long *size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (fread(&header, sizeof(header), 1, file) != 1)
		return false;
	*size = 0;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (fseek(file, (long)(header.e_phoff + i * sizeof(segment)), SEEK_SET) != 0 ||
		    fread(&segment, sizeof(segment), 1, file) != 1)
			return false;
		if (segment.p_type == PT_LOAD && segment.p_paddr + segment.p_memsz > *size)
			*size = segment.p_paddr + segment.p_memsz;
	}
	return fseek(file, 0, SEEK_END) == 0;
}

static bool print_image(void)
{
	FILE *file = fopen(IMAGE, "re");
	unsigned long long loaded;
	bool good;

	if (!file) {
		fprintf(stderr, "bench-memory: %s: %s\n", IMAGE, strerror(errno));
		return false;
	}
	good = image_loaded_size(file, &loaded);
	if (good) {
		print_bytes("image: file, stripped", (unsigned long long)ftell(file));
		print_bytes("image: loaded, BSS included", loaded);
	}
	fclose(file);
	return good;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool print_nodes(struct sidecar *client)
{
	struct sidecar_node_info info;
	unsigned long long bytes;
	char name[64], word[32], line[128];

	for (uint32_t i = 0; i < sidecar_node_count(client); i++) {
		if (sidecar_node_info(client, i, &info) != 0)
			return failed("node", sidecar_error(client));
		snprintf(name, sizeof(name), "node %u, %u CPUs", info.index, info.cpu_count);
		snprintf(word, sizeof(word), "node%u ", info.index);
		if (driver_line(word, line, sizeof(line)) && sscanf(line, "%llu", &bytes) == 1)
			print_bytes(name, bytes);
		else
			print_absent(name);
	}
	return true;
}

/* ---- partition tables ------------------------------------------------------------------------ */

static char *guest_memory(int advice)
{
	char *memory = mmap(NULL, GUEST_SIZE + LARGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	memory += LARGE_PAGE - (uintptr_t)memory % LARGE_PAGE;
	madvise(memory, GUEST_SIZE, advice);
	memset(memory, 0, GUEST_SIZE);
	return memory;
}

/* There is one partition: ours. */
static void print_tables(const char *pages)
{
	unsigned long long bytes, large;
	char name[64], line[128];

	snprintf(name, sizeof(name), "tables of a 64 MiB guest in %s pages", pages);
	if (!driver_line("partition ", line, sizeof(line)) ||
	    sscanf(line, "tables %llu ranges %*u memory %*u large_pages %llu", &bytes, &large) !=
		    2) {
		print_absent(name);
		return;
	}
	print_bytes(name, bytes);
	printf("    entries of 2 MiB in use: %llu of %u\n", large, GUEST_SIZE / LARGE_PAGE);
}

static bool measure_tables(struct sidecar *client, const char *pages, int advice)
{
	struct sidecar_partition *partition;
	char *memory = guest_memory(advice);

	if (!memory || sidecar_partition_create(client, &partition) != 0)
		return failed("partition", sidecar_error(client));
	if (sidecar_partition_map(partition, 0, memory, GUEST_SIZE,
				  SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE) != 0)
		return failed("map", sidecar_partition_error(partition));
	print_tables(pages);
	if (sidecar_partition_close(partition) != 0)
		return failed("close", sidecar_partition_error(partition));
	return munmap(memory, GUEST_SIZE) == 0;
}

int main(void)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar *client;

	printf("memory\n");
	if (!print_image())
		return 1;
	if (sidecar_open(&options, &client) != 0) {
		fprintf(stderr, "bench-memory: no sidecar that can be opened\n");
		return 1;
	}
	if (!print_nodes(client) || !measure_tables(client, "4 KiB", MADV_NOHUGEPAGE) ||
	    !measure_tables(client, "2 MiB", MADV_HUGEPAGE))
		return 1;
	return sidecar_close(client) == 0 ? 0 : 1;
}

// SPDX-License-Identifier: MIT
/*
 * How much memory the sidecar takes: nodes, the kernel image, and the nested page tables of a
 * 64 MiB guest in 4 KiB and in 2 MiB pages. Numbers of the driver's come from its debugfs; what is
 * not there is said to be not there.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <sidecar/sidecar.h>

#define IMAGE "/lib/firmware/sidecar-svm.elf"
#define DEBUGFS "/sys/kernel/debug/sidecar"
#define LARGE_PAGE (2u << 20)
#define GUEST_SIZE (64u << 20)

static void print_bytes(const char *name, unsigned long long bytes)
{
	printf("%-46s %12llu bytes\n", name, bytes);
}

static void print_absent(const char *name, const char *path)
{
	printf("%-46s not exposed (%s)\n", name, path);
}

static bool failed(const char *what, const struct sidecar_error *error)
{
	fprintf(stderr, "bench-memory: %s: %s\n", what, error->text);
	return false;
}

/* The first number behind the word in a file of "word number" lines; any number for word "". */
static bool read_number(const char *path, const char *word, unsigned long long *number)
{
	char line[128];
	size_t length = strlen(word);
	bool found = false;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, word, length) == 0 &&
			sscanf(line + length, "%llu", number) == 1;
	fclose(file);
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
	char name[64], path[64];

	for (uint32_t i = 0; i < sidecar_node_count(client); i++) {
		if (sidecar_node_info(client, i, &info) != 0)
			return failed("node", sidecar_error(client));
		snprintf(name, sizeof(name), "node %u, %u CPUs: what the contract asks", info.index,
			 info.cpu_count);
		print_bytes(name, SIDECAR_REQUIRED_MEMORY(info.cpu_count));
		snprintf(name, sizeof(name), "node %u, %u CPUs: what the driver took", info.index,
			 info.cpu_count);
		snprintf(path, sizeof(path), DEBUGFS "/node%u/memory", info.index);
		if (read_number(path, "", &bytes))
			print_bytes(name, bytes);
		else
			print_absent(name, path);
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

static void print_tables(const char *pages)
{
	unsigned long long tables, large;
	char name[64];

	snprintf(name, sizeof(name), "tables of a 64 MiB guest in %s pages", pages);
	if (!read_number(DEBUGFS "/nested", "tables", &tables) ||
	    !read_number(DEBUGFS "/nested", "large", &large)) {
		print_absent(name, DEBUGFS "/nested");
		return;
	}
	print_bytes(name, tables * SIDECAR_PAGE_SIZE);
	printf("    in use: %llu tables, %llu entries of 2 MiB\n", tables, large);
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

// SPDX-License-Identifier: MIT
/* Devicetree specification 0.4, chapter 5: everything is big-endian, tokens are 4-byte aligned. */
#include "device_tree.h"

#include <stdio.h>
#include <string.h>

#define MAGIC 0xd00dfeedu
#define VERSION 17u
#define OLDEST_VERSION 16u

#define BEGIN_NODE 1u
#define END_NODE 2u
#define PROPERTY 3u
#define END 9u

struct header {
	uint32_t magic, total_size, structure, strings, reservations;
	uint32_t version, oldest_version, boot_cpu, strings_size, structure_size;
};

#define RESERVATIONS_OFFSET 40u /* one entry of zeros: there are none */
#define STRUCTURE_OFFSET 56u

/* The names of all properties; what a property has is its offset here. */
static const char names[] = "#address-cells\0#size-cells\0compatible\0ranges\0reg\0reg-names\0"
			    "reftime_sidecar_start\0reftime_sidecar_end";

struct writer {
	uint8_t *blob;
	uint32_t size;
	uint32_t used;
	bool full;
};

static void put(struct writer *w, const void *bytes, uint32_t length)
{
	uint32_t padded = (length + 3) & ~3u;

	if (w->full || padded > w->size - w->used) {
		w->full = true;
		return;
	}
	memset(w->blob + w->used, 0, padded);
	memcpy(w->blob + w->used, bytes, length);
	w->used += padded;
}

static void put_u32(struct writer *w, uint32_t value)
{
	uint32_t big = __builtin_bswap32(value);

	put(w, &big, sizeof(big));
}

static uint32_t name_offset(const char *name)
{
	uint32_t offset = 0;

	while (strcmp(names + offset, name))
		offset += (uint32_t)strlen(names + offset) + 1;
	return offset;
}

static void property(struct writer *w, const char *name, const void *value, uint32_t length)
{
	put_u32(w, PROPERTY);
	put_u32(w, length);
	put_u32(w, name_offset(name));
	put(w, value, length);
}

static void property_u32(struct writer *w, const char *name, uint32_t value)
{
	uint32_t big = __builtin_bswap32(value);

	property(w, name, &big, sizeof(big));
}

static void property_u64(struct writer *w, const char *name, uint64_t value)
{
	uint64_t big = __builtin_bswap64(value);

	property(w, name, &big, sizeof(big));
}

static void begin(struct writer *w, const char *name)
{
	put_u32(w, BEGIN_NODE);
	put(w, name, (uint32_t)strlen(name) + 1);
}

static void put_cells(struct writer *w)
{
	property_u32(w, "#address-cells", 2);
	property_u32(w, "#size-cells", 2);
}

static void put_node(struct writer *w, const struct sidecar_node_output *node)
{
	const uint64_t reg[4] = {
		__builtin_bswap64(node->control_page),
		__builtin_bswap64(SIDECAR_PAGE_SIZE),
		__builtin_bswap64(node->shmem_pages_base),
		__builtin_bswap64(node->shmem_pages_size),
	};
	char name[32];

	snprintf(name, sizeof(name), "sidecar@%llx", (unsigned long long)node->control_page);
	begin(w, name);
	property(w, "compatible", "microsoft,openhcl-sidecar", sizeof("microsoft,openhcl-sidecar"));
	property(w, "reg", reg, sizeof(reg));
	property(w, "reg-names", "ctrl\0shmem", sizeof("ctrl\0shmem"));
	put_u32(w, END_NODE);
}

static void put_bus(struct writer *w, const struct device_tree_input *input)
{
	uint32_t i;

	begin(w, "bus");
	property(w, "compatible", "simple-bus", sizeof("simple-bus"));
	put_cells(w);
	property(w, "ranges", "", 0);
	for (i = 0; i < input->node_count; i++)
		put_node(w, &input->nodes[i]);
	put_u32(w, END_NODE);
}

static void put_structure(struct writer *w, const struct device_tree_input *input)
{
	begin(w, "");
	put_cells(w);
	property_u64(w, "reftime_sidecar_start", input->time_start);
	property_u64(w, "reftime_sidecar_end", input->time_end);
	put_bus(w, input);
	put_u32(w, END_NODE);
	put_u32(w, END);
}

uint32_t device_tree_make(void *blob, uint32_t size, const struct device_tree_input *input)
{
	struct writer w = {blob, size, STRUCTURE_OFFSET, size < STRUCTURE_OFFSET};
	uint32_t strings;

	if (w.full)
		return 0;
	memset(blob, 0, STRUCTURE_OFFSET);
	put_structure(&w, input);
	strings = w.used;
	put(&w, names, sizeof(names));
	if (w.full)
		return 0;
	*(struct header *)blob = (struct header){
		.magic = __builtin_bswap32(MAGIC),
		.total_size = __builtin_bswap32(w.used),
		.structure = __builtin_bswap32(STRUCTURE_OFFSET),
		.strings = __builtin_bswap32(strings),
		.reservations = __builtin_bswap32(RESERVATIONS_OFFSET),
		.version = __builtin_bswap32(VERSION),
		.oldest_version = __builtin_bswap32(OLDEST_VERSION),
		.strings_size = __builtin_bswap32(sizeof(names)),
		.structure_size = __builtin_bswap32(strings - STRUCTURE_OFFSET),
	};
	return w.used;
}

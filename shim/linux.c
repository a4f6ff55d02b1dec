// SPDX-License-Identifier: MIT
#include "linux.h"

#include <string.h>

#include "console.h"

/* Documentation/x86/boot.rst: the setup header, at its place in the file and in boot_params. */
struct setup_header {
	uint8_t setup_sects; /* 0x1f1 */
	uint16_t root_flags;
	uint32_t syssize;
	uint16_t ram_size, vid_mode, root_dev, boot_flag, jump;
	uint32_t header; /* 0x202 */
	uint16_t version;
	uint32_t realmode_switch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size, hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, pref_address;
	uint32_t init_size, handover_offset, kernel_info_offset;
} __attribute__((packed));
_Static_assert(sizeof(struct setup_header) == 0x26c - 0x1f1, "setup header");

#define HEADER_OFFSET 0x1f1u
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define FIRST_VERSION 0x20cu	 /* xloadflags */
#define BOOT_FLAG 0xaa55u
#define XLF_KERNEL_64 1u
#define SECTOR 512u
#define ENTRY_64 0x200u
#define UNKNOWN_LOADER 0xffu

/* Documentation/x86/zero-page.rst. */
#define ZERO_PAGE_RSDP 0x070u
#define ZERO_PAGE_EXT_RAMDISK_IMAGE 0x0c0u
#define ZERO_PAGE_EXT_RAMDISK_SIZE 0x0c4u
#define ZERO_PAGE_E820_COUNT 0x1e8u
#define ZERO_PAGE_E820 0x2d0u
#define ZERO_PAGE_E820_MAX 128u

#define SETUP_E820_EXT 1u
#define SETUP_DTB 2u

struct setup_data {
	uint64_t next;
	uint32_t type;
	uint32_t length;
};

#define PAGE 4096ull

_Noreturn void enter_linux(uint64_t entry, void *boot_params);

static struct setup_header header;
static const uint8_t *kernel_code; /* in the file */
static uint64_t kernel_code_size;
static uint64_t load_address;

/* ---- the kernel ------------------------------------------------------------------------------ */

static void check_kernel(const struct file *kernel)
{
	uint64_t setup_size;

	if (kernel->size < SECTOR * 2)
		panic("the Linux kernel has %lu bytes", kernel->size);
	memcpy(&header, (const uint8_t *)kernel->bytes + HEADER_OFFSET, sizeof(header));
	if (header.header != HEADER_MAGIC || header.boot_flag != BOOT_FLAG)
		panic("the Linux kernel is no bzImage");
	if (header.version < FIRST_VERSION || !(header.xloadflags & XLF_KERNEL_64))
		panic("the Linux kernel has no 64-bit entry (boot protocol %#x, flags %#x)",
		      header.version, header.xloadflags);
	setup_size = (header.setup_sects ? header.setup_sects + 1u : 5u) * SECTOR;
	if (setup_size >= kernel->size)
		panic("the Linux kernel is truncated: %lu bytes", kernel->size);
	kernel_code = (const uint8_t *)kernel->bytes + setup_size;
	kernel_code_size = kernel->size - setup_size;
	if (kernel_code_size > header.init_size)
		panic("the Linux kernel has %lu bytes and wants %u", kernel_code_size,
		      header.init_size);
}

static bool is_free(const struct memory *memory, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct memory_range *range = &memory->ranges[i];

		if (range->use == MEMORY_FREE && range->start <= start && end <= range->end)
			return true;
	}
	return false;
}

void linux_reserve(struct machine *machine, const struct file *kernel)
{
	struct memory *memory = &machine->memory;

	check_kernel(kernel);
	load_address = header.pref_address;
	if (is_free(memory, load_address, load_address + header.init_size)) {
		if (!memory_use(memory, load_address, load_address + header.init_size, MEMORY_BUSY))
			panic("the memory map has too many ranges");
		return;
	}
	if (!header.relocatable_kernel)
		panic("the place of the Linux kernel, %#lx, is not free", load_address);
	load_address = (uint64_t)machine_place(machine, header.init_size, header.kernel_alignment,
					       MEMORY_BUSY);
}

/* ---- the memory map -------------------------------------------------------------------------- */

struct map {
	struct e820_entry *entries;
	uint32_t count, max;
};

static void add(struct map *map, uint64_t start, uint64_t size, uint32_t type)
{
	struct e820_entry *end = &map->entries[map->count];

	if (map->count && end[-1].start + end[-1].size == start && end[-1].type == type) {
		end[-1].size += size;
		return;
	}
	if (map->count == map->max)
		panic("the memory map for Linux has more than %u ranges", map->max);
	*end = (struct e820_entry){start, size, type};
	map->count++;
}

static void fill_map(struct map *map, const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->memory.count; i++) {
		const struct memory_range *range = &machine->memory.ranges[i];
		bool ours = range->use == MEMORY_FREE || range->use == MEMORY_BUSY;

		add(map, range->start, range->end - range->start, ours ? E820_RAM : E820_RESERVED);
	}
	for (uint32_t i = 0; i < machine->firmware_count; i++)
		add(map, machine->firmware[i].start, machine->firmware[i].size,
		    machine->firmware[i].type);
}

/* ---- what goes with it ----------------------------------------------------------------------- */

/* Linux reserves what is in this list by itself. */
static void add_setup_data(struct machine *machine, uint8_t *zero_page, uint32_t type,
			   const void *bytes, uint32_t length)
{
	struct setup_header *out = (void *)(zero_page + HEADER_OFFSET);
	struct setup_data *data = machine_place(machine, sizeof(*data) + length, PAGE, MEMORY_BUSY);

	data->next = out->setup_data;
	data->type = type;
	data->length = length;
	memcpy(data + 1, bytes, length);
	out->setup_data = (uint64_t)data;
}

/* The zero page has room for some of the map; the rest, if there is one, goes behind. */
static void put_map(struct machine *machine, uint8_t *zero_page)
{
	const uint64_t room = sizeof(struct e820_entry) * 2 * MEMORY_MAX_RANGES;
	struct map map = {machine_place(machine, room, PAGE, MEMORY_BUSY), 0,
			  2 * MEMORY_MAX_RANGES};
	uint32_t more, count;

	fill_map(&map, machine);
	count = map.count < ZERO_PAGE_E820_MAX ? map.count : ZERO_PAGE_E820_MAX;
	more = map.count - count;
	memcpy(zero_page + ZERO_PAGE_E820, map.entries, count * sizeof(*map.entries));
	zero_page[ZERO_PAGE_E820_COUNT] = (uint8_t)count;
	if (more)
		add_setup_data(machine, zero_page, SETUP_E820_EXT, map.entries + count,
			       more * (uint32_t)sizeof(*map.entries));
}

static void put_u32(uint8_t *zero_page, uint32_t offset, uint64_t value)
{
	memcpy(zero_page + offset, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
}

static void put_initrd(uint8_t *zero_page, const struct file *initrd)
{
	struct setup_header *out = (void *)(zero_page + HEADER_OFFSET);

	if (!initrd->size)
		return;
	out->ramdisk_image = (uint32_t)(uint64_t)initrd->bytes;
	out->ramdisk_size = (uint32_t)initrd->size;
	put_u32(zero_page, ZERO_PAGE_EXT_RAMDISK_IMAGE, (uint64_t)initrd->bytes >> 32);
	put_u32(zero_page, ZERO_PAGE_EXT_RAMDISK_SIZE, initrd->size >> 32);
}

static void put_command_line(struct machine *machine, uint8_t *zero_page, const char *line)
{
	struct setup_header *out = (void *)(zero_page + HEADER_OFFSET);
	uint64_t length = strlen(line);
	char *copy;

	if (length > header.cmdline_size)
		panic("Linux's command line has %lu bytes, its limit is %u", length,
		      header.cmdline_size);
	copy = machine_place(machine, length + 1, PAGE, MEMORY_BUSY);
	memcpy(copy, line, length + 1);
	out->cmd_line_ptr = (uint32_t)(uint64_t)copy;
}

void linux_boot(struct machine *machine, const struct file *initrd, const char *command_line,
		const void *device_tree, uint32_t device_tree_size)
{
	uint8_t *zero_page = machine_place(machine, PAGE, PAGE, MEMORY_BUSY);

	memcpy(zero_page + HEADER_OFFSET, &header, sizeof(header));
	((struct setup_header *)(zero_page + HEADER_OFFSET))->type_of_loader = UNKNOWN_LOADER;
	memcpy(zero_page + ZERO_PAGE_RSDP, &machine->rsdp, sizeof(machine->rsdp));
	put_initrd(zero_page, initrd);
	put_command_line(machine, zero_page, command_line);
	if (device_tree)
		add_setup_data(machine, zero_page, SETUP_DTB, device_tree, device_tree_size);
	put_map(machine, zero_page); /* the last that changes it */
	memcpy((void *)load_address, kernel_code, kernel_code_size);
	enter_linux(load_address + ENTRY_64, zero_page);
}

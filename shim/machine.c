// SPDX-License-Identifier: MIT
#include "machine.h"

#include <string.h>

#include "acpi.h"
#include "apic.h"
#include "console.h"
#include "cpu.h"

#define MIB 0x100000ull
#define LINUX_START (16 * MIB) /* the shim ends here at the latest */
#define LOW_START 0x10000ull /* below are the interrupt vectors, the firmware's and loader's data \
			      */
#define LOW_END 0xa0000ull
#define PAGE 4096ull
#define FOUR_GIB (1ull << 32)
#define CPUID_1_ECX_X2APIC (1u << 21)

/* The PVH boot protocol, version 1 of the structure: Xen's public header arch-x86/hvm/start_info.h.
 */
#define START_INFO_MAGIC 0x336ec578u

struct start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t memory_map_count, reserved;
};

struct start_info_module {
	uint64_t address, size, command_line, reserved;
};

struct start_info_memory {
	uint64_t start, size;
	uint32_t type, reserved;
};

static void full(bool good)
{
	if (!good)
		panic("the memory map has more than %u ranges", MEMORY_MAX_RANGES);
}

static void add_range(struct machine *machine, const struct start_info_memory *range)
{
	if (range->type == E820_RAM) {
		if (!memory_add(&machine->memory, range->start, range->start + range->size, 0))
			panic("the memory map names %#lx twice, or too much", range->start);
		return;
	}
	if (machine->firmware_count == MACHINE_MAX_FIRMWARE_RANGES)
		panic("the memory map has more than %u ranges that are not RAM",
		      MACHINE_MAX_FIRMWARE_RANGES);
	machine->firmware[machine->firmware_count++] =
		(struct e820_entry){range->start, range->size, range->type};
}

static void read_memory_map(struct machine *machine, const struct start_info *info)
{
	const struct start_info_memory *map = (const void *)info->memory_map;

	if (info->version < 1 || !info->memory_map_count)
		panic("the loader gives no memory map (start info version %u)", info->version);
	for (uint32_t i = 0; i < info->memory_map_count; i++)
		add_range(machine, &map[i]);
}

static void read_command_line(struct machine *machine, const struct start_info *info)
{
	const char *line = (const char *)info->command_line;

	if (!line)
		return;
	if (strlen(line) >= COMMAND_LINE_SIZE)
		panic("the command line has %lu bytes, the limit is %u", strlen(line),
		      COMMAND_LINE_SIZE - 1);
	memcpy(machine->command_line, line, strlen(line) + 1);
}

static void read_archive(struct machine *machine, const struct start_info *info)
{
	const struct start_info_module *modules = (const void *)info->modules;

	if (!info->module_count)
		panic("no file came with the shim (QEMU: -initrd)");
	machine->archive = (struct file){(const void *)modules[0].address, modules[0].size};
}

static void take_low_page(struct machine *machine)
{
	const struct memory_want want = {PAGE, PAGE, LOW_END, MEMORY_ANY_VNODE, MEMORY_BUSY};

	if (!memory_take(&machine->memory, &want, &machine->low_page))
		panic("no free page below %#llx for the SIPI trampoline", LOW_END);
}

/* What lies somewhere and is used until Linux starts; and Linux has few pages below 1 MiB. */
static void keep_used(struct machine *machine)
{
	uint64_t archive = (uint64_t)machine->archive.bytes;
	struct memory *memory = &machine->memory;

	full(memory_use(memory, 0, LOW_START, MEMORY_BUSY));
	take_low_page(machine);
	full(memory_use(memory, 0, LINUX_START, MEMORY_BUSY));
	full(memory_use(memory, archive, archive + machine->archive.size, MEMORY_BUSY));
}

static void read_tables(struct machine *machine)
{
	const void *madt = acpi_find(machine->rsdp, "APIC");
	const void *srat = acpi_find(machine->rsdp, "SRAT");

	if (!madt)
		panic("no ACPI table of CPUs (RSDP at %#lx)", machine->rsdp);
	machine->cpu_count = acpi_cpus(madt, srat, apic_id(), machine->cpus, SHIM_MAX_CPUS);
	full(acpi_memory(srat, &machine->memory));
}

void machine_read(struct machine *machine, const void *start_info)
{
	const struct start_info *info = start_info;

	if (info->magic != START_INFO_MAGIC)
		panic("not started by the PVH protocol: magic %#x", info->magic);
	machine->rsdp = info->rsdp;
	read_command_line(machine, info);
	read_memory_map(machine, info);
	read_archive(machine, info);
	read_tables(machine);
	keep_used(machine);
	machine->x2apic = cpuid(1).ecx & CPUID_1_ECX_X2APIC;
}

void *machine_reserve(struct machine *machine, uint64_t size, uint64_t alignment, uint32_t use)
{
	const struct memory_want want = {
		.size = (size + PAGE - 1) & ~(PAGE - 1),
		.alignment = alignment,
		.below = FOUR_GIB,
		.vnode = MEMORY_ANY_VNODE,
		.use = use,
	};
	uint64_t address;

	if (!memory_take(&machine->memory, &want, &address))
		panic("no %lu KiB of memory below 4 GiB", want.size >> 10);
	return (void *)address;
}

void *machine_place(struct machine *machine, uint64_t size, uint64_t alignment, uint32_t use)
{
	void *place = machine_reserve(machine, size, alignment, use);

	return memset(place, 0, (size + PAGE - 1) & ~(PAGE - 1));
}

struct file machine_align(struct machine *machine, const struct file *file)
{
	void *copy;

	if (!file->size || (uint64_t)file->bytes % PAGE == 0)
		return *file;
	copy = machine_reserve(machine, file->size, PAGE, MEMORY_BUSY);
	memcpy(copy, file->bytes, file->size);
	return (struct file){copy, file->size};
}

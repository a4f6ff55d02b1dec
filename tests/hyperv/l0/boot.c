// SPDX-License-Identifier: MIT
/*
 * How L0 starts: QEMU loads it by PVH, with a cpio archive as its one module. The file "vtl2" in
 * it is the software of VTL2's first VP, which L0 starts just as QEMU would have: by PVH, with the
 * same archive, the rest of the command line, and a memory map without L0. So that image boots on
 * bare QEMU as well.
 *
 * The command line is "[OPTION...] [-- COMMAND LINE OF VTL2]":
 *   hostile=WORD,...  see hostile.h
 *   vp-order=apic     VP indices in the order of APIC IDs, not in the reverse one
 *   dr6=private       DR6 is not shared by the VTLs
 */
#include <elf.h>

#include "archive.h"
#include "hostile.h"
#include "log.h"
#include "nested.h"
#include "partition.h"
#include "start_info.h"
#include "time.h"
#include "vmcb_setup.h"

#define FW_CFG_SELECTOR 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_CPUS 5

#define MAX_MEMORY 40u
#define MAX_COMMAND_LINE 2047u
#define CALL_OFFSET 0x2c4
#define RETURN_OFFSET 0x9a8

extern uint8_t trampoline[], trampoline_end[];

/* At START_INFO, in one page. */
struct vtl2_info {
	struct start_info info;
	struct start_module module;
	struct start_memory memory[MAX_MEMORY];
	char command_line[MAX_COMMAND_LINE + 1];
};
_Static_assert(sizeof(struct vtl2_info) <= PAGE, "VTL2's start information is one page");

struct partition partition = {
	.dr6_shared = true,
	.call_offset = CALL_OFFSET,
	.return_offset = RETURN_OFFSET,
};

static struct start_info info;
static struct start_memory memory[MAX_MEMORY];
static uint32_t memory_count;
static char command_line[MAX_COMMAND_LINE + 1];
static const char *vtl2_command_line = "";
static struct archive archive;
static bool apic_order;

void boot_main(const struct start_info *start);
void boot_fault(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2);

void boot_fault(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
	log_fatal(NULL, "exception %lu in L0, error 0x%lx, RIP 0x%lx, CR2 0x%lx", vector, error,
		  rip, cr2);
}

/* ---- options --------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	while (*with)
		if (*text++ != *with++)
			return false;
	return true;
}

static uint32_t word_length(const char *text)
{
	uint32_t i = 0;

	while (text[i] && text[i] != ' ')
		i++;
	return i;
}

static void take_option(const char *word, uint32_t length)
{
	bool good = true;

	if (begins(word, "hostile="))
		good = hostile_parse(word + 8, length - 8);
	else if (begins(word, "vp-order=apic"))
		apic_order = true;
	else if (begins(word, "dr6=private"))
		partition.dr6_shared = false;
	else if (begins(word, "meter"))
		meter_enable();
	else
		good = false;
	if (!good)
		log_fatal(NULL, "unknown option, or value: %s", word);
}

static void take_options(void)
{
	const char *at = command_line;

	log_line(NULL, "options: %s", command_line);
	while (*at) {
		uint32_t length = word_length(at);

		if (length == 2 && begins(at, "--")) {
			vtl2_command_line = at + (at[2] ? 3 : 2);
			return;
		}
		if (length)
			take_option(at, length);
		at += length + (at[length] == ' ');
	}
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void add_memory(uint64_t base, uint64_t end, uint32_t type)
{
	if (base >= end)
		return;
	if (memory_count == MAX_MEMORY)
		log_fatal(NULL, "more than %u ranges of memory", MAX_MEMORY);
	memory[memory_count++] = (struct start_memory){base, end - base, type, 0};
}

static uint64_t clip(uint64_t value, uint64_t low, uint64_t high)
{
	if (value < low)
		return low;
	return value < high ? value : high;
}

/* The map again, with what lies in [base, end) made reserved. */
static void reserve(uint64_t base, uint64_t end)
{
	struct start_memory old[MAX_MEMORY];
	uint32_t count = memory_count;

	__builtin_memcpy(old, memory, sizeof(old));
	memory_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t b = old[i].base, e = b + old[i].size;

		add_memory(b, clip(base, b, e), old[i].type);
		add_memory(clip(base, b, e), clip(end, b, e), MEMORY_RESERVED);
		add_memory(clip(end, b, e), e, old[i].type);
	}
}

static void take_memory(void)
{
	const struct start_memory *map = (const void *)info.memory;
	struct nested_range ram[NESTED_MAX_RANGES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < info.memory_count; i++)
		add_memory(map[i].base, map[i].base + map[i].size, map[i].type);
	for (uint32_t i = 0; i < memory_count && count < NESTED_MAX_RANGES; i++)
		if (memory[i].type == MEMORY_RAM)
			ram[count++] = (struct nested_range){memory[i].base, memory[i].size};
	nested_init(ram, count);
	reserve(L0_BASE, L0_BASE + L0_SIZE);
	reserve(TRAMPOLINE, START_INFO + PAGE);
}

static void copy_string(char *to, const char *from, uint32_t size)
{
	uint32_t i;

	for (i = 0; i + 1 < size && from && from[i]; i++)
		to[i] = from[i];
	to[i] = 0;
}

/* All of it lies in low memory, which is about to be used: copied first. */
static void take_start_info(const struct start_info *start)
{
	const struct start_module *module = (const void *)start->modules;

	if (start->magic != START_INFO_MAGIC || start->version < 1)
		log_fatal(NULL, "start info 0x%x, version %u", start->magic, start->version);
	info = *start;
	copy_string(command_line, (const char *)info.command_line, sizeof(command_line));
	if (info.module_count)
		archive = (struct archive){(const uint8_t *)module->base, module->size};
}

static uint32_t processor_count(void)
{
	uint32_t count;

	asm volatile("outw %w0, %w1" : : "a"(FW_CFG_CPUS), "Nd"((uint16_t)FW_CFG_SELECTOR));
	count = inb(FW_CFG_DATA);
	return count | (uint32_t)inb(FW_CFG_DATA) << 8;
}

/* ---- VTL2's first VP ------------------------------------------------------------------------- */

static void load_segment(const uint8_t *file, uint64_t size, const Elf64_Phdr *segment)
{
	uint8_t *to = (uint8_t *)segment->p_paddr;

	if (segment->p_offset + segment->p_filesz > size ||
	    !nested_is_ram(segment->p_paddr, segment->p_memsz))
		log_fatal(NULL, "vtl2: a segment at 0x%lx, 0x%lx bytes, is not in RAM or file",
			  segment->p_paddr, segment->p_memsz);
	__builtin_memcpy(to, file + segment->p_offset, segment->p_filesz);
	__builtin_memset(to + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
}

static uint32_t pvh_entry(const uint8_t *notes, uint64_t size)
{
	uint64_t at = 0;

	while (at + sizeof(Elf64_Nhdr) < size) {
		const Elf64_Nhdr *note = (const void *)(notes + at);
		uint64_t descriptor = at + sizeof(*note) + ((note->n_namesz + 3) & ~3u);

		if (note->n_type == PVH_NOTE_TYPE && note->n_descsz >= 4)
			return *(const uint32_t *)(notes + descriptor);
		at = descriptor + ((note->n_descsz + 3) & ~3u);
	}
	return 0;
}

static uint32_t load_vtl2(void)
{
	const Elf64_Phdr *segments;
	const Elf64_Ehdr *header;
	const uint8_t *file;
	uint32_t entry = 0;
	uint64_t size;

	if (!archive_find(&archive, "vtl2", &file, &size))
		log_fatal(NULL, "no file vtl2 in the archive of %lu bytes", archive.size);
	header = (const void *)file;
	if (size < sizeof(*header) || __builtin_memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64)
		log_fatal(NULL, "vtl2 is no 64-bit ELF file");
	segments = (const void *)(file + header->e_phoff);
	for (uint32_t i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			load_segment(file, size, &segments[i]);
		if (segments[i].p_type == PT_NOTE && !entry)
			entry = pvh_entry(file + segments[i].p_offset, segments[i].p_filesz);
	}
	if (!entry)
		log_fatal(NULL, "vtl2 has no PVH entry (note type %u)", PVH_NOTE_TYPE);
	return entry;
}

static void tell_vtl2(void)
{
	struct vtl2_info *page = (void *)START_INFO;

	__builtin_memset(page, 0, PAGE);
	page->info = info;
	page->info.flags = 0;
	page->info.module_count = 1;
	page->info.modules = (uint64_t)&page->module;
	page->info.command_line = (uint64_t)page->command_line;
	page->info.memory = (uint64_t)page->memory;
	page->info.memory_count = memory_count;
	page->module.base = (uint64_t)archive.base;
	page->module.size = archive.size;
	__builtin_memcpy(page->memory, memory, sizeof(memory));
	copy_string(page->command_line, vtl2_command_line, sizeof(page->command_line));
}

void boot_main(const struct start_info *start)
{
	struct cpu *cpu = &cpus[0].cpu;
	uint32_t entry;

	take_start_info(start);
	take_options();
	time_init();
	take_memory();
	vmcb_init_maps();
	__builtin_memcpy((void *)TRAMPOLINE, trampoline, (uint64_t)(trampoline_end - trampoline));
	cpu_gather(processor_count(), !apic_order);
	entry = load_vtl2();
	tell_vtl2();
	cpu->vtl2_enabled = true;
	cpu->started = 1;
	vmcb_setup_pvh(cpu, entry, START_INFO);
	log_line(cpu, "VTL2 starts at 0x%x; %u VPs, TSC %lu Hz", entry, cpu_count,
		 time_tsc_frequency());
	cpu_run(cpu);
}

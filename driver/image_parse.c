// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <sidecar/abi.h>

#include "image_parse.h"

struct parser {
	const uint8_t *file;
	size_t file_size;
	const Elf64_Ehdr *header;
	const Elf64_Phdr *segments;
	struct image_layout *layout;
	char *text;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct parser *p, int error,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->text, PURE_TEXT_SIZE, format, args);
	va_end(args);
	return -error;
}

static bool inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static int check_header(struct parser *p)
{
	const Elf64_Ehdr *h = p->header;

	if (p->file_size >= SELFMAG && memcmp(h->e_ident, ELFMAG, SELFMAG))
		return refuse(p, ENOEXEC, "not an ELF file: it begins with %02x %02x %02x %02x",
			      h->e_ident[0], h->e_ident[1], h->e_ident[2], h->e_ident[3]);
	if (p->file_size < sizeof(*h))
		return refuse(p, ENOEXEC, "truncated: %zu bytes, an ELF header has %zu",
			      p->file_size, sizeof(*h));
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(p, ENOEXEC, "not a little-endian ELF64 file: class %u, data %u",
			      h->e_ident[EI_CLASS], h->e_ident[EI_DATA]);
	if (h->e_machine != EM_X86_64)
		return refuse(p, ENOEXEC, "made for machine %u, not %u (x86-64)", h->e_machine,
			      EM_X86_64);
	if (h->e_type != ET_DYN)
		return refuse(p, ENOEXEC, "ELF type %u, not %u (position independent)", h->e_type,
			      ET_DYN);
	return 0;
}

static int check_table(struct parser *p)
{
	const Elf64_Ehdr *h = p->header;
	uint64_t length = (uint64_t)h->e_phnum * sizeof(Elf64_Phdr);

	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phoff % 8)
		return refuse(p, ENOEXEC, "program headers of %u bytes at offset %llu",
			      h->e_phentsize, (unsigned long long)h->e_phoff);
	if (!inside(h->e_phoff, length, p->file_size))
		return refuse(p, ENOEXEC, "truncated: program headers end beyond its %zu bytes",
			      p->file_size);
	p->segments = (const Elf64_Phdr *)(p->file + h->e_phoff);
	return 0;
}

static int check_load(struct parser *p, const Elf64_Phdr *s)
{
	if (!inside(s->p_offset, s->p_filesz, p->file_size))
		return refuse(p, ENOEXEC,
			      "truncated: a segment of %llu bytes at offset %llu, file of %zu",
			      (unsigned long long)s->p_filesz, (unsigned long long)s->p_offset,
			      p->file_size);
	if (s->p_filesz > s->p_memsz)
		return refuse(p, ENOEXEC, "a segment has %llu bytes in the file, %llu in memory",
			      (unsigned long long)s->p_filesz, (unsigned long long)s->p_memsz);
	if (!inside(s->p_paddr, s->p_memsz, SIDECAR_IMAGE_MAX_SIZE))
		return refuse(p, EFBIG,
			      "too large: a segment of %llu bytes at %llu, the limit is %u",
			      (unsigned long long)s->p_memsz, (unsigned long long)s->p_paddr,
			      SIDECAR_IMAGE_MAX_SIZE);
	if (s->p_paddr + s->p_memsz > p->layout->size)
		p->layout->size = s->p_paddr + s->p_memsz;
	return 0;
}

static int check_loads(struct parser *p)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < p->header->e_phnum && !error; i++) {
		if (p->segments[i].p_type == PT_LOAD)
			error = check_load(p, &p->segments[i]);
	}
	if (error)
		return error;
	if (!p->layout->size)
		return refuse(p, ENOEXEC, "nothing to load in %u program headers",
			      p->header->e_phnum);
	if (p->header->e_entry >= p->layout->size)
		return refuse(p, ENOEXEC, "entry %#llx is outside its %zu bytes",
			      (unsigned long long)p->header->e_entry, p->layout->size);
	p->layout->entry = p->header->e_entry;
	return 0;
}

/* Looks for our note in one PT_NOTE segment: name and descriptor are padded to 4 bytes. */
static bool find_note(const struct parser *p, const Elf64_Phdr *s, struct sidecar_image_note *note)
{
	uint64_t offset = 0, name, descriptor;
	Elf64_Nhdr header;

	if (!inside(s->p_offset, s->p_filesz, p->file_size))
		return false;
	while (inside(offset, sizeof(header), s->p_filesz)) {
		memcpy(&header, p->file + s->p_offset + offset, sizeof(header));
		name = offset + sizeof(header);
		descriptor = name + (((uint64_t)header.n_namesz + 3) & ~3ull);
		offset = descriptor + (((uint64_t)header.n_descsz + 3) & ~3ull);
		if (!inside(descriptor, header.n_descsz, s->p_filesz))
			return false;
		if (header.n_type != SIDECAR_NOTE_TYPE || header.n_descsz != sizeof(*note) ||
		    header.n_namesz != sizeof(SIDECAR_NOTE_NAME) ||
		    memcmp(p->file + s->p_offset + name, SIDECAR_NOTE_NAME, header.n_namesz))
			continue;
		memcpy(note, p->file + s->p_offset + descriptor, sizeof(*note));
		return true;
	}
	return false;
}

static bool find_notes(const struct parser *p, struct sidecar_image_note *note)
{
	unsigned int i;

	for (i = 0; i < p->header->e_phnum; i++) {
		if (p->segments[i].p_type == PT_NOTE && find_note(p, &p->segments[i], note))
			return true;
	}
	return false;
}

static int check_trampoline(struct parser *p, const struct sidecar_image_note *note)
{
	if (!note->trampoline_size || note->trampoline_size > SIDECAR_TRAMPOLINE_DATA)
		return refuse(p, ENOEXEC, "trampoline of %u bytes, not 1..%u",
			      note->trampoline_size, SIDECAR_TRAMPOLINE_DATA);
	if (!inside(note->trampoline, note->trampoline_size, p->layout->size))
		return refuse(p, ENOEXEC, "trampoline at %#x is outside its %zu bytes",
			      note->trampoline, p->layout->size);
	p->layout->trampoline = note->trampoline;
	p->layout->trampoline_size = note->trampoline_size;
	return 0;
}

/* Under a hypervisor a kernel starts its CPUs itself: it may lack a trampoline, and even a note. */
static int check_note(struct parser *p, uint32_t backend)
{
	struct sidecar_image_note note;
	bool found = find_notes(p, &note);

	p->layout->backend = backend;
	if (!found && backend == SIDECAR_BACKEND_HYPERV)
		return 0;
	if (!found)
		return refuse(p, ENOEXEC, "not a sidecar kernel: no note named " SIDECAR_NOTE_NAME);
	if (note.abi_version != SIDECAR_EXTENSION_VERSION)
		return refuse(p, ENOEXEC, "speaks version %u of the boot extension, not %u",
			      note.abi_version, SIDECAR_EXTENSION_VERSION);
	if (note.backend != backend)
		return refuse(p, ENODEV, "made for backend %u, this machine needs %u", note.backend,
			      backend);
	if (backend == SIDECAR_BACKEND_HYPERV && !note.trampoline_size)
		return 0;
	return check_trampoline(p, &note);
}

int image_parse(const void *file, size_t file_size, uint32_t backend, struct image_layout *layout,
		char text[PURE_TEXT_SIZE])
{
	struct parser p = {
		.file = file,
		.file_size = file_size,
		.header = file,
		.layout = layout,
		.text = text,
	};
	int error;

	memset(layout, 0, sizeof(*layout));
	error = check_header(&p);
	if (!error)
		error = check_table(&p);
	if (!error)
		error = check_loads(&p);
	if (!error)
		error = check_note(&p, backend);
	return error;
}

void image_place(const void *file, void *memory)
{
	const Elf64_Ehdr *header = file;
	const Elf64_Phdr *s = (const Elf64_Phdr *)((const uint8_t *)file + header->e_phoff);
	unsigned int i;

	for (i = 0; i < header->e_phnum; i++) {
		if (s[i].p_type == PT_LOAD)
			memcpy((uint8_t *)memory + s[i].p_paddr,
			       (const uint8_t *)file + s[i].p_offset, s[i].p_filesz);
	}
}

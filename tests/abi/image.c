// SPDX-License-Identifier: MIT
/*
 * What every loader of a sidecar kernel image relies on: usage "image FILE BACKEND". Each property
 * is also broken in a copy of the image, to see that its check can fail.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elf.h>
#include <cmocka.h>

#include <sidecar/abi.h>

#define PAGE 4096u
#define RELR_TAG 36 /* DT_RELR, which elf.h of glibc 2.36 does not know everywhere */

static uint8_t *original;
static size_t size;
static unsigned long backend;

static Elf64_Ehdr *header(uint8_t *image)
{
	return (Elf64_Ehdr *)image;
}

static Elf64_Phdr *segment(uint8_t *image, unsigned int index)
{
	return (Elf64_Phdr *)(image + header(image)->e_phoff) + index;
}

/* The index-th program header of a type, or NULL. */
static Elf64_Phdr *segment_of_type(uint8_t *image, uint32_t type, unsigned int index)
{
	for (unsigned int i = 0; i < header(image)->e_phnum; i++)
		if (segment(image, i)->p_type == type && index-- == 0)
			return segment(image, i);
	return NULL;
}

/* The loadable segment that holds the byte at an address, or NULL. */
static Elf64_Phdr *segment_at(uint8_t *image, uint64_t address)
{
	Elf64_Phdr *load;

	for (unsigned int i = 0; (load = segment_of_type(image, PT_LOAD, i)); i++)
		if (address >= load->p_vaddr && address - load->p_vaddr < load->p_memsz)
			return load;
	return NULL;
}

static void *at(uint8_t *image, uint64_t address)
{
	Elf64_Phdr *load = segment_at(image, address);

	return load ? image + load->p_offset + (address - load->p_vaddr) : NULL;
}

static Elf64_Dyn *dynamic(uint8_t *image, int64_t tag)
{
	Elf64_Phdr *found = segment_of_type(image, PT_DYNAMIC, 0);
	Elf64_Dyn *entry;

	if (!found)
		return NULL;
	entry = (Elf64_Dyn *)(image + found->p_offset);
	for (; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == tag)
			return entry;
	return NULL;
}

static uint64_t dynamic_value(uint8_t *image, int64_t tag)
{
	Elf64_Dyn *entry = dynamic(image, tag);

	return entry ? entry->d_un.d_val : 0;
}

/* ---- the checks: NULL, or what is wrong ------------------------------------------------------ */

static const char *check_header(uint8_t *image)
{
	Elf64_Phdr *code;

	if (size < sizeof(Elf64_Ehdr) || memcmp(image, ELFMAG, SELFMAG))
		return "not an ELF file";
	if (header(image)->e_ident[EI_CLASS] != ELFCLASS64 || header(image)->e_machine != EM_X86_64)
		return "not for x86-64";
	if (header(image)->e_type != ET_DYN)
		return "not position independent";
	code = segment_at(image, header(image)->e_entry);
	if (!code || !(code->p_flags & PF_X))
		return "the entry point is not in executable memory";
	return NULL;
}

static const char *check_addresses(uint8_t *image)
{
	Elf64_Phdr *load;

	if (!segment_of_type(image, PT_LOAD, 0))
		return "nothing to load";
	if (segment_of_type(image, PT_LOAD, 0)->p_vaddr / PAGE != 0)
		return "not linked at 0";
	for (unsigned int i = 0; (load = segment_of_type(image, PT_LOAD, i)); i++) {
		if (load->p_paddr != load->p_vaddr)
			return "p_paddr differs from p_vaddr";
		if (load->p_filesz > load->p_memsz || load->p_offset + load->p_filesz > size)
			return "a segment is larger than its memory or than the file";
		if (load->p_vaddr % PAGE != load->p_offset % PAGE)
			return "a segment's address and file offset differ within their page";
	}
	return NULL;
}

static const char *check_extent(uint8_t *image)
{
	Elf64_Phdr *load;

	for (unsigned int i = 0; (load = segment_of_type(image, PT_LOAD, i)); i++)
		if (load->p_vaddr + load->p_memsz > SIDECAR_IMAGE_MAX_SIZE)
			return "image and BSS exceed 2 MiB";
	return NULL;
}

static const char *check_rights(uint8_t *image)
{
	Elf64_Phdr *load, *next;

	for (unsigned int i = 0; (load = segment_of_type(image, PT_LOAD, i)); i++) {
		if ((load->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
			return "a segment is writable and executable";
		next = segment_of_type(image, PT_LOAD, i + 1);
		if (next && (load->p_vaddr + load->p_memsz - 1) / PAGE >= next->p_vaddr / PAGE)
			return "two segments share a page, or are out of order";
	}
	return NULL;
}

static const char *check_stack_header(uint8_t *image)
{
	Elf64_Phdr *stack = segment_of_type(image, PT_GNU_STACK, 0);

	return stack && (stack->p_flags & PF_X) ? "asks for an executable stack" : NULL;
}

static const char *check_imports(uint8_t *image)
{
	if (segment_of_type(image, PT_INTERP, 0))
		return "asks for a dynamic loader";
	if (segment_of_type(image, PT_TLS, 0))
		return "has thread-local storage";
	if (dynamic(image, DT_NEEDED))
		return "needs a library";
	return NULL;
}

static const char *check_relocations(uint8_t *image)
{
	uint64_t bytes = dynamic_value(image, DT_RELASZ);
	Elf64_Rela *rela;

	if (dynamic(image, DT_JMPREL) || dynamic(image, RELR_TAG) || dynamic(image, DT_TEXTREL))
		return "has relocations that loaders do not expect";
	if (dynamic_value(image, DT_RELSZ))
		return "has REL relocations";
	if (bytes && dynamic_value(image, DT_RELAENT) != sizeof(*rela))
		return "RELA entries are not 24 bytes";
	rela = bytes ? at(image, dynamic_value(image, DT_RELA)) : NULL;
	if (bytes && !rela)
		return "the relocation table is not in the image";
	for (uint64_t i = 0; i < bytes / sizeof(*rela); i++) {
		if (ELF64_R_TYPE(rela[i].r_info) != R_X86_64_RELATIVE)
			return "a relocation is not R_X86_64_RELATIVE";
		if (!segment_at(image, rela[i].r_offset) || rela[i].r_offset % 8)
			return "a relocation is outside the image, or not aligned";
		if ((uint64_t)rela[i].r_addend > SIDECAR_IMAGE_MAX_SIZE)
			return "a relocation points outside the image";
	}
	return NULL;
}

static struct sidecar_image_note *find_note(uint8_t *image)
{
	Elf64_Phdr *notes;

	for (unsigned int i = 0; (notes = segment_of_type(image, PT_NOTE, i)); i++) {
		uint8_t *next = image + notes->p_offset, *end = next + notes->p_filesz;

		while (next + sizeof(Elf64_Nhdr) <= end) {
			Elf64_Nhdr *note = (Elf64_Nhdr *)next;
			uint8_t *name = next + sizeof(*note);
			uint8_t *data = name + (note->n_namesz + 3) / 4 * 4;

			if (note->n_namesz == sizeof(SIDECAR_NOTE_NAME) &&
			    !memcmp(name, SIDECAR_NOTE_NAME, sizeof(SIDECAR_NOTE_NAME)) &&
			    note->n_type == SIDECAR_NOTE_TYPE &&
			    note->n_descsz == sizeof(struct sidecar_image_note))
				return (struct sidecar_image_note *)data;
			next = data + (note->n_descsz + 3) / 4 * 4;
		}
	}
	return NULL;
}

static const char *check_note(uint8_t *image)
{
	struct sidecar_image_note *note = find_note(image);
	Elf64_Phdr *code;

	if (!note)
		return "has no note of ours";
	if (note->abi_version != SIDECAR_EXTENSION_VERSION)
		return "the note's version is not the header's";
	if (note->backend != backend)
		return "the note names another backend";
	code = segment_at(image, note->trampoline);
	if (!code || note->trampoline - code->p_vaddr + note->trampoline_size > code->p_filesz)
		return "the trampoline is not in the image";
	if (!note->trampoline_size || note->trampoline_size > SIDECAR_TRAMPOLINE_DATA)
		return "the trampoline is empty or reaches into its data";
	return NULL;
}

/* ---- one way of breaking each of them -------------------------------------------------------- */

static void break_type(uint8_t *image)
{
	header(image)->e_type = ET_EXEC;
}

static void break_entry(uint8_t *image)
{
	header(image)->e_entry = SIDECAR_IMAGE_MAX_SIZE;
}

static void break_paddr(uint8_t *image)
{
	segment_of_type(image, PT_LOAD, 1)->p_paddr += PAGE;
}

static void break_extent(uint8_t *image)
{
	segment_of_type(image, PT_LOAD, 0)->p_memsz = SIDECAR_IMAGE_MAX_SIZE + 1;
}

static void break_rights(uint8_t *image)
{
	segment_at(image, header(image)->e_entry)->p_flags |= PF_W;
}

static void break_sharing(uint8_t *image)
{
	Elf64_Phdr *first = segment_of_type(image, PT_LOAD, 0);

	first->p_memsz = segment_of_type(image, PT_LOAD, 1)->p_vaddr - first->p_vaddr + 1;
}

static void break_imports(uint8_t *image)
{
	segment_of_type(image, PT_DYNAMIC, 0)->p_type = PT_INTERP;
}

static void break_relocation(uint8_t *image)
{
	Elf64_Rela *rela = at(image, dynamic_value(image, DT_RELA));

	rela->r_info = ELF64_R_INFO(1, R_X86_64_GLOB_DAT);
}

static void break_version(uint8_t *image)
{
	find_note(image)->abi_version++;
}

static void break_trampoline(uint8_t *image)
{
	find_note(image)->trampoline_size = SIDECAR_TRAMPOLINE_DATA + 1;
}

typedef const char *check_fn(uint8_t *image);
typedef void break_fn(uint8_t *image);

struct image_case {
	check_fn *check;
	break_fn *breaks; /* NULL: the image as it is */
};

static void run_case(void **state)
{
	const struct image_case *c = *state;
	uint8_t *copy = malloc(size);
	const char *wrong;

	assert_non_null(copy);
	memcpy(copy, original, size);
	if (c->breaks)
		c->breaks(copy);
	wrong = c->check(copy);
	free(copy);
	if (c->breaks && !wrong)
		fail_msg("the broken image passes");
	if (!c->breaks && wrong)
		fail_msg("%s", wrong);
}

static int load(const char *path)
{
	FILE *file = fopen(path, "rb");
	long length;

	if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) <= 0) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	rewind(file);
	size = (size_t)length;
	original = malloc(size);
	if (!original || fread(original, 1, size, file) != size)
		return 1;
	fclose(file);
	return 0;
}

#define CASE(name, check, breaks) {name, run_case, NULL, NULL, &(struct image_case){check, breaks}}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE("header", check_header, NULL),
		CASE("addresses", check_addresses, NULL),
		CASE("extent within 2 MiB", check_extent, NULL),
		CASE("no page is writable and executable", check_rights, NULL),
		CASE("no executable stack", check_stack_header, NULL),
		CASE("no imports", check_imports, NULL),
		CASE("relative relocations only", check_relocations, NULL),
		CASE("note", check_note, NULL),
		CASE("broken type is noticed", check_header, break_type),
		CASE("broken entry is noticed", check_header, break_entry),
		CASE("broken physical address is noticed", check_addresses, break_paddr),
		CASE("broken extent is noticed", check_extent, break_extent),
		CASE("broken rights are noticed", check_rights, break_rights),
		CASE("broken sharing is noticed", check_rights, break_sharing),
		CASE("broken imports are noticed", check_imports, break_imports),
		CASE("broken relocation is noticed", check_relocations, break_relocation),
		CASE("broken version is noticed", check_note, break_version),
		CASE("broken trampoline is noticed", check_note, break_trampoline),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: image FILE BACKEND\n");
		return 2;
	}
	backend = strtoul(argv[2], NULL, 0);
	if (load(argv[1]))
		return 2;
	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}

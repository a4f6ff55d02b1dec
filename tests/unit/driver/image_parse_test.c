// SPDX-License-Identifier: MIT
/* A good image is read right; each way of damaging it has its own refusal, and none reads beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sidecar/abi.h>

#include "image_parse.h"

#define CODE_OFFSET 0x200u
#define CODE_SIZE 0x100u
#define BSS_SIZE 0x1000u
#define NOTE_OFFSET 0x180u

/* A small file as the linker makes it: one segment with BSS, one note that lies in it. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr load;
	Elf64_Phdr note;
	uint8_t gap[NOTE_OFFSET - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	Elf64_Nhdr note_header;
	char note_name[12];
	struct sidecar_image_note descriptor;
	uint8_t gap2[CODE_OFFSET - NOTE_OFFSET - 40];
	uint8_t code[CODE_SIZE];
};

static struct image good_image(void)
{
	struct image image = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_entry = 0x40,
			.e_phoff = offsetof(struct image, load),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.load = {
			.p_type = PT_LOAD,
			.p_offset = CODE_OFFSET,
			.p_paddr = 0x1000,
			.p_filesz = CODE_SIZE,
			.p_memsz = CODE_SIZE + BSS_SIZE,
		},
		.note = {
			.p_type = PT_NOTE,
			.p_offset = NOTE_OFFSET,
			.p_filesz = 40,
			.p_memsz = 40,
		},
		.note_header = { sizeof(SIDECAR_NOTE_NAME), 16, SIDECAR_NOTE_TYPE },
		.note_name = SIDECAR_NOTE_NAME,
		.descriptor = { SIDECAR_EXTENSION_VERSION, SIDECAR_BACKEND_SVM, 0x1010, 0x80 },
	};

	memset(image.code, 0xc3, sizeof(image.code));
	return image;
}

/* The copy has exactly file_size bytes, so that the sanitizer sees a read beyond. */
static int parse(const struct image *image, size_t file_size, struct image_layout *layout,
		 char *text)
{
	void *file = malloc(file_size ? file_size : 1);
	int error;

	assert_non_null(file);
	memcpy(file, image, file_size);
	error = image_parse(file, file_size, SIDECAR_BACKEND_SVM, layout, text);
	free(file);
	return error;
}

static void expect(const struct image *image, int error, const char *words)
{
	struct image_layout layout;
	char text[PURE_TEXT_SIZE] = "";

	assert_int_equal(parse(image, sizeof(*image), &layout, text), -error);
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void a_good_image_is_read_and_placed(void **state)
{
	struct image image = good_image();
	uint8_t memory[0x1000 + CODE_SIZE + BSS_SIZE] = { 0 };
	struct image_layout layout;
	char text[PURE_TEXT_SIZE];

	(void)state;
	assert_int_equal(parse(&image, sizeof(image), &layout, text), 0);
	assert_int_equal(layout.size, sizeof(memory));
	assert_int_equal(layout.entry, 0x40);
	assert_int_equal(layout.trampoline, 0x1010);
	assert_int_equal(layout.trampoline_size, 0x80);
	assert_int_equal(layout.backend, SIDECAR_BACKEND_SVM);
	image_place(&image, memory);
	assert_int_equal(memory[0xfff], 0);
	assert_int_equal(memory[0x1000], 0xc3);
	assert_int_equal(memory[0x1000 + CODE_SIZE - 1], 0xc3);
	assert_int_equal(memory[0x1000 + CODE_SIZE], 0);
}

static void every_truncation_is_refused(void **state)
{
	struct image image = good_image();
	struct image_layout layout;
	char text[PURE_TEXT_SIZE];
	size_t size;

	(void)state;
	for (size = 0; size < sizeof(image); size++) {
		assert_int_equal(parse(&image, size, &layout, text), -ENOEXEC);
		assert_non_null(strstr(text, "truncated"));
	}
}

static void other_files_are_refused(void **state)
{
	struct image image = good_image();
	struct image_layout layout;
	char text[PURE_TEXT_SIZE];

	(void)state;
	image.header.e_ident[0] = '#';
	expect(&image, ENOEXEC, "not an ELF file: it begins with 23 45 4c 46");
	assert_int_equal(parse(&image, 6, &layout, text), -ENOEXEC);
	assert_non_null(strstr(text, "not an ELF file"));
	image = good_image();
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	expect(&image, ENOEXEC, "not a little-endian ELF64");
	image = good_image();
	image.header.e_ident[EI_DATA] = ELFDATA2MSB;
	expect(&image, ENOEXEC, "not a little-endian ELF64");
	image = good_image();
	image.header.e_machine = EM_AARCH64;
	expect(&image, ENOEXEC, "machine 183");
	image = good_image();
	image.header.e_type = ET_EXEC;
	expect(&image, ENOEXEC, "ELF type 2");
}

static void bad_program_headers_are_refused(void **state)
{
	struct image image = good_image();

	(void)state;
	image.header.e_phentsize = 32;
	expect(&image, ENOEXEC, "program headers of 32 bytes");
	image = good_image();
	image.header.e_phoff = UINT64_MAX - 7;
	expect(&image, ENOEXEC, "truncated: program headers");
	image = good_image();
	image.header.e_phnum = 0xffff;
	expect(&image, ENOEXEC, "truncated: program headers");
	image = good_image();
	image.header.e_phnum = 0;
	expect(&image, ENOEXEC, "nothing to load");
	image = good_image();
	image.load.p_type = PT_NULL;
	expect(&image, ENOEXEC, "nothing to load");
}

static void bad_segments_are_refused(void **state)
{
	struct image image = good_image();

	(void)state;
	image.load.p_offset = UINT64_MAX - 4;
	expect(&image, ENOEXEC, "truncated: a segment");
	image = good_image();
	image.load.p_memsz = CODE_SIZE - 1;
	expect(&image, ENOEXEC, "256 bytes in the file, 255 in memory");
	image = good_image();
	image.load.p_memsz = SIDECAR_IMAGE_MAX_SIZE - 0x1000 + 1;
	expect(&image, EFBIG, "the limit is 2097152");
	image.load.p_memsz--;
	expect(&image, 0, "");
	image = good_image();
	image.load.p_paddr = UINT64_MAX;
	expect(&image, EFBIG, "too large");
	image = good_image();
	image.header.e_entry = 0x1000 + CODE_SIZE + BSS_SIZE;
	expect(&image, ENOEXEC, "entry");
}

static void an_image_without_our_note_is_refused(void **state)
{
	struct image image = good_image();

	(void)state;
	image.note.p_type = PT_NULL;
	expect(&image, ENOEXEC, "no note named libsidecar");
	image = good_image();
	image.note_name[0] = 'L';
	expect(&image, ENOEXEC, "no note");
	image = good_image();
	image.note_header.n_descsz = 12;
	expect(&image, ENOEXEC, "no note");
	image = good_image();
	image.note_header.n_namesz = 0xffffffff;
	expect(&image, ENOEXEC, "no note");
	image = good_image();
	image.note.p_offset = UINT64_MAX;
	expect(&image, ENOEXEC, "no note");
	image = good_image();
	image.note.p_filesz = 39;
	expect(&image, ENOEXEC, "no note");
}

/* The linker may put its own notes before ours. */
static void our_note_is_found_behind_another(void **state)
{
	struct image image = good_image();
	uint8_t *other = (uint8_t *)&image + NOTE_OFFSET - 20;
	Elf64_Nhdr header = { 4, 2, 5 }; /* a name of 4, a descriptor of 2 that is padded to 4 */

	(void)state;
	memcpy(other, &header, sizeof(header));
	memcpy(other + sizeof(header), "GNU", 4);
	image.note.p_offset -= 20;
	image.note.p_filesz += 20;
	expect(&image, 0, "");
}

static void a_note_that_does_not_fit_is_refused(void **state)
{
	struct image image = good_image();

	(void)state;
	image.descriptor.abi_version = 9;
	expect(&image, ENOEXEC, "speaks version 9");
	image = good_image();
	image.descriptor.backend = SIDECAR_BACKEND_HYPERV;
	expect(&image, ENODEV, "made for backend 2, this machine needs 1");
	image = good_image();
	image.descriptor.trampoline_size = 0;
	expect(&image, ENOEXEC, "trampoline of 0 bytes");
	image = good_image();
	image.descriptor.trampoline_size = SIDECAR_TRAMPOLINE_DATA + 1;
	expect(&image, ENOEXEC, "trampoline of 3841 bytes");
	image = good_image();
	image.descriptor.trampoline = 0xfffffff0;
	expect(&image, ENOEXEC, "outside");
}

/* Without a trampoline, or with no note at all: a kernel that starts its CPUs by hypercall. */
static void under_a_hypervisor_the_entry_is_enough(void **state)
{
	struct image image = good_image();
	struct image_layout layout;
	char text[PURE_TEXT_SIZE] = "";

	(void)state;
	image.descriptor.trampoline_size = 0;
	image.descriptor.backend = SIDECAR_BACKEND_HYPERV;
	assert_int_equal(image_parse(&image, sizeof(image), SIDECAR_BACKEND_HYPERV, &layout, text),
			 0);
	assert_int_equal(layout.trampoline_size, 0);
	assert_int_equal(layout.backend, SIDECAR_BACKEND_HYPERV);
	image.note.p_type = PT_NULL;
	assert_int_equal(image_parse(&image, sizeof(image), SIDECAR_BACKEND_HYPERV, &layout, text),
			 0);
	assert_int_equal(layout.entry, 0x40);
	image = good_image();
	assert_int_equal(image_parse(&image, sizeof(image), SIDECAR_BACKEND_HYPERV, &layout, text),
			 -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_image_is_read_and_placed),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(bad_program_headers_are_refused),
		cmocka_unit_test(bad_segments_are_refused),
		cmocka_unit_test(an_image_without_our_note_is_refused),
		cmocka_unit_test(our_note_is_found_behind_another),
		cmocka_unit_test(a_note_that_does_not_fit_is_refused),
		cmocka_unit_test(under_a_hypervisor_the_entry_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

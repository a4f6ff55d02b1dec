// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include <stdlib.h>

#include "walk.h"

#define P 1ULL
#define W 2ULL
#define U 4ULL
#define A 0x20ULL
#define D 0x40ULL
#define PS 0x80ULL
#define NX (1ULL << 63)
#define ALL (P | W | U)

#define READ HV_TRANSLATE_VALIDATE_READ
#define WRITE HV_TRANSLATE_VALIDATE_WRITE
#define EXECUTE HV_TRANSLATE_VALIDATE_EXECUTE
#define SET_BITS HV_TRANSLATE_SET_PAGE_TABLE_BITS

#define MEMORY_SIZE 0x10000 /* the guest's tables; beyond it everything is data */
#define DATA_LIMIT (1ULL << 40)

/* ---- A guest's memory ---- */

static struct {
	uint8_t bytes[MEMORY_SIZE];
	unsigned int reads, writes, probes;
	unsigned int races;	   /* that many exchanges fail because somebody was faster */
	uint64_t read_only;	   /* page that the nested tables make read only */
	uint64_t unmapped;	   /* page that they do not have */
	unsigned int probe_access; /* of the last probe */
} guest;

static uint32_t guest_read(void *context, uint64_t gpa, unsigned int size, uint64_t *value)
{
	assert_ptr_equal(context, &guest);
	guest.reads++;
	assert_true(size == 4 || size == 8);
	assert_int_equal(gpa % size, 0);
	if (gpa >= MEMORY_SIZE || (gpa & ~0xfffULL) == guest.unmapped)
		return HV_TRANSLATE_GPA_UNMAPPED;
	*value = 0;
	memcpy(value, guest.bytes + gpa, size);
	return HV_TRANSLATE_SUCCESS;
}

static uint32_t guest_cmpxchg(void *context, uint64_t gpa, unsigned int size, uint64_t expected,
			      uint64_t desired)
{
	uint64_t value;

	guest.writes++;
	if ((gpa & ~0xfffULL) == guest.read_only)
		return HV_TRANSLATE_GPA_NO_WRITE_ACCESS;
	assert_int_equal(guest_read(context, gpa, size, &value), HV_TRANSLATE_SUCCESS);
	if (guest.races) {
		guest.races--;
		return SVM_MEMORY_CHANGED;
	}
	if (value != expected)
		return SVM_MEMORY_CHANGED;
	memcpy(guest.bytes + gpa, &desired, size);
	return HV_TRANSLATE_SUCCESS;
}

static uint32_t guest_probe(void *context, uint64_t gpa, unsigned int access)
{
	assert_ptr_equal(context, &guest);
	guest.probes++;
	guest.probe_access = access;
	if (gpa >= DATA_LIMIT || (gpa & ~0xfffULL) == guest.unmapped)
		return HV_TRANSLATE_GPA_UNMAPPED;
	if ((access & SVM_MEMORY_WRITE) && (gpa & ~0xfffULL) == guest.read_only)
		return HV_TRANSLATE_GPA_NO_WRITE_ACCESS;
	return HV_TRANSLATE_SUCCESS;
}

static const struct svm_guest_memory memory = {&guest, guest_read, guest_cmpxchg, guest_probe};

static void put(uint64_t table, unsigned int index, unsigned int size, uint64_t value)
{
	memcpy(guest.bytes + table + index * size, &value, size);
}

static uint64_t peek(uint64_t table, unsigned int index)
{
	uint64_t value;

	memcpy(&value, guest.bytes + table + index * 8, 8);
	return value;
}

/* ---- 64-bit mode: tables at 0x1000 (PML4) 0x2000 0x3000 0x4000 (PT) ---- */

static struct svm_paging paging;

static int setup_long(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	guest.read_only = ~0ULL;
	guest.unmapped = ~0ULL;
	paging = (struct svm_paging){
		.cr0 = CR0_PG | CR0_PE | CR0_WP,
		.cr3 = 0x1000,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA | EFER_NXE,
		.physical_bits = 40,
		.page_1g = true,
	};
	put(0x1000, 0, 8, 0x2000 | ALL);
	put(0x2000, 0, 8, 0x3000 | ALL);
	put(0x3000, 0, 8, 0x4000 | ALL);
	put(0x4000, 0, 8, 0x50000 | ALL);	     /* user, writable */
	put(0x4000, 1, 8, 0x51000 | P | U);	     /* user, read only */
	put(0x4000, 2, 8, 0x52000 | P | W);	     /* supervisor */
	put(0x4000, 3, 8, 0x53000 | ALL | NX);	     /* user, no execute */
	put(0x4000, 4, 8, 0x54000 | P);		     /* supervisor, read only */
	put(0x3000, 1, 8, 0x600000 | ALL | PS);	     /* 2 MiB */
	put(0x2000, 1, 8, 0x40000000ULL | ALL | PS); /* 1 GiB */
	return 0;
}

static struct svm_translation translate(uint64_t gva, uint64_t flags)
{
	return svm_translate(&paging, gva, flags, &memory);
}

static void assert_maps(uint64_t gva, uint64_t flags, uint64_t gpa)
{
	struct svm_translation t = translate(gva, flags);

	assert_int_equal(t.result, HV_TRANSLATE_SUCCESS);
	assert_int_equal(t.gpa, gpa);
	assert_false(t.page_fault);
}

static void assert_faults(uint64_t gva, uint64_t flags, uint32_t result, uint32_t code)
{
	struct svm_translation t = translate(gva, flags);

	assert_int_equal(t.result, result);
	assert_true(t.page_fault);
	assert_int_equal(t.error_code, code);
}

static void long_sizes(void **state)
{
	(void)state;
	assert_maps(0x123, READ, 0x50123);
	assert_int_equal(guest.reads, 4);
	assert_int_equal(translate(0, 0).size, 0x1000);
	assert_maps(0x212345, READ, 0x612345);
	assert_int_equal(translate(0x200000, 0).size, 0x200000);
	assert_maps(0x41234567, READ, 0x41234567);
	assert_int_equal(translate(0x40000000, 0).size, 0x40000000);
	assert_int_equal(guest.writes, 0);
}

static void long_not_present(void **state)
{
	(void)state;
	assert_faults(0x5000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	assert_faults(0x5000, WRITE, HV_TRANSLATE_PAGE_NOT_PRESENT, 2);
	assert_faults(0x5000, EXECUTE, HV_TRANSLATE_PAGE_NOT_PRESENT, 0x10);
	assert_faults(0x5000, READ | HV_TRANSLATE_USER_ACCESS, HV_TRANSLATE_PAGE_NOT_PRESENT, 4);
	assert_faults(0x400000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	assert_faults(0x80000000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	assert_faults(0xffff800000000000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
}

static void non_canonical(void **state)
{
	struct svm_translation t = translate(0x800000000000, READ);

	(void)state;
	assert_int_equal(t.result, HV_TRANSLATE_PAGE_NOT_PRESENT);
	assert_true(t.non_canonical);
	assert_false(t.page_fault);
	assert_int_equal(guest.reads, 0);
}

static void rights(void **state)
{
	const uint64_t user = HV_TRANSLATE_USER_ACCESS;
	const uint32_t violation = HV_TRANSLATE_PRIVILEGE_VIOLATION;

	(void)state;
	assert_maps(0x1000, READ | user, 0x51000);
	assert_faults(0x1000, WRITE | user, violation, 7);
	assert_faults(0x2000, READ | user, violation, 5);
	assert_faults(0x2000, READ | WRITE | user, violation, 7);
	assert_faults(0x2000, EXECUTE | user, violation, 0x15);
	assert_faults(0x3000, EXECUTE | user, violation, 0x15);
	assert_maps(0x3000, READ | WRITE | user, 0x53000);
	assert_maps(0x2000, READ | WRITE | EXECUTE, 0x52000);
	assert_faults(0x4000, WRITE, violation, 3);
	assert_faults(0x1000, WRITE, violation, 3);
	assert_faults(0x3000, EXECUTE, violation, 0x11);
	/* nothing to validate: presence is enough */
	assert_maps(0x2000, user, 0x52000);
	/* every level counts */
	put(0x2000, 0, 8, 0x3000 | P | U);
	assert_faults(0, WRITE | user, violation, 7);
	put(0x2000, 0, 8, 0x3000 | P | W);
	assert_faults(0, READ | user, violation, 5);
	put(0x2000, 0, 8, 0x3000 | ALL | NX);
	assert_faults(0, EXECUTE | user, violation, 0x15);
}

static void who_asks(void **state)
{
	(void)state;
	assert_maps(0x2000, READ, 0x52000);
	paging.cpl = 3;
	assert_faults(0x2000, READ, HV_TRANSLATE_PRIVILEGE_VIOLATION, 5);
	assert_maps(0x2000, READ | HV_TRANSLATE_SUPERVISOR_ACCESS, 0x52000);
	assert_maps(0x2000, READ | HV_TRANSLATE_PRIVILEGE_EXEMPT, 0x52000);
}

static void write_protect(void **state)
{
	(void)state;
	paging.cr0 &= ~CR0_WP;
	assert_maps(0x4000, WRITE, 0x54000);
	assert_faults(0x1000, WRITE | HV_TRANSLATE_USER_ACCESS, HV_TRANSLATE_PRIVILEGE_VIOLATION,
		      7);
}

static void smep_and_smap(void **state)
{
	const uint32_t violation = HV_TRANSLATE_PRIVILEGE_VIOLATION;

	(void)state;
	assert_maps(0, READ | WRITE | EXECUTE, 0x50000);
	paging.cr4 |= CR4_SMEP;
	assert_faults(0, EXECUTE, violation, 0x11);
	assert_maps(0, READ | WRITE, 0x50000);
	assert_maps(0x2000, EXECUTE, 0x52000);
	assert_maps(0, EXECUTE | HV_TRANSLATE_USER_ACCESS, 0x50000);
	assert_maps(0, EXECUTE | HV_TRANSLATE_PRIVILEGE_EXEMPT, 0x50000);
	paging.cr4 = CR4_PAE | CR4_SMAP;
	assert_maps(0, EXECUTE, 0x50000);
	assert_faults(0, READ, violation, 1);
	assert_faults(0, WRITE, violation, 3);
	assert_maps(0, READ | HV_TRANSLATE_OVERRIDE_SMAP, 0x50000);
	assert_maps(0, READ | HV_TRANSLATE_USER_ACCESS, 0x50000);
	paging.rflags = RFLAGS_AC;
	assert_maps(0, READ, 0x50000);
	assert_faults(0, READ | HV_TRANSLATE_ENFORCE_SMAP, violation, 1);
	paging.cr4 = CR4_PAE;
	assert_maps(0, READ | HV_TRANSLATE_ENFORCE_SMAP, 0x50000);
}

static void reserved_bits(void **state)
{
	const uint32_t invalid = HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS;

	(void)state;
	put(0x4000, 5, 8, 1ULL << 40 | P);
	assert_faults(0x5000, READ, invalid, 9);
	put(0x4000, 5, 8, 0x55000 | P | 0x7ffULL << 52); /* available bits */
	assert_maps(0x5000, READ, 0x55000);
	put(0x4000, 5, 8, 0x55000 | P | PS); /* PAT bit in a last-level entry */
	assert_maps(0x5000, READ, 0x55000);
	put(0x3000, 1, 8, 0x602000 | ALL | PS);
	assert_faults(0x200000, READ, invalid, 9);
	put(0x3000, 1, 8, 0x601000 | ALL | PS); /* PAT bit of a large page */
	assert_maps(0x200000, READ, 0x600000);
	paging.page_1g = false;
	assert_faults(0x40000000, READ, invalid, 9);
	put(0x1000, 0, 8, 0x2000 | ALL | PS);
	assert_faults(0, READ, invalid, 9);
	put(0x1000, 0, 8, 0x2000 | ALL);
	paging.efer &= ~EFER_NXE;
	assert_faults(0x3000, READ, invalid, 9);
	assert_maps(0, EXECUTE, 0x50000);
	assert_faults(0x6000, EXECUTE, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
}

static void five_levels(void **state)
{
	(void)state;
	paging.cr4 |= CR4_LA57;
	paging.cr3 = 0x6000;
	put(0x6000, 1, 8, 0x1000 | ALL);
	assert_maps(1ULL << 48 | 0x123, READ, 0x50123);
	assert_int_equal(guest.reads, 5);
	assert_faults(0x123, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	assert_true(translate(1ULL << 56, READ).non_canonical);
	assert_faults(0xff00000000000000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
}

static void accessed_and_dirty(void **state)
{
	(void)state;
	assert_maps(0, READ | SET_BITS, 0x50000);
	assert_int_equal(peek(0x1000, 0), 0x2000 | ALL | A);
	assert_int_equal(peek(0x2000, 0), 0x3000 | ALL | A);
	assert_int_equal(peek(0x3000, 0), 0x4000 | ALL | A);
	assert_int_equal(peek(0x4000, 0), 0x50000 | ALL | A);
	assert_int_equal(guest.writes, 4);
	assert_maps(0, WRITE | SET_BITS, 0x50000);
	assert_int_equal(guest.writes, 5);
	assert_int_equal(peek(0x4000, 0), 0x50000 | ALL | A | D);
	assert_int_equal(peek(0x3000, 0), 0x4000 | ALL | A);
	assert_maps(0, WRITE | SET_BITS, 0x50000);
	assert_int_equal(guest.writes, 5);
	assert_maps(0x200000, WRITE | SET_BITS, 0x600000);
	assert_int_equal(peek(0x3000, 1), 0x600000 | ALL | PS | A | D);
}

static void failure_sets_no_bits(void **state)
{
	(void)state;
	assert_faults(0x4000, WRITE | SET_BITS, HV_TRANSLATE_PRIVILEGE_VIOLATION, 3);
	guest.unmapped = 0x50000;
	assert_int_equal(translate(0, READ | SET_BITS).result, HV_TRANSLATE_GPA_UNMAPPED);
	assert_int_equal(guest.writes, 0);
}

static void somebody_was_faster(void **state)
{
	(void)state;
	guest.races = 3;
	assert_maps(0, WRITE | SET_BITS, 0x50000);
	assert_int_equal(peek(0x4000, 0), 0x50000 | ALL | A | D);
	guest.races = ~0u;
	guest.reads = 0;
	assert_int_equal(translate(0x200000, WRITE | SET_BITS).result, HV_TRANSLATE_INTERCEPT);
	assert_in_range(guest.reads, 1, 100);
}

static void nested_failures(void **state)
{
	(void)state;
	guest.unmapped = 0x3000;
	assert_int_equal(translate(0, READ).result, HV_TRANSLATE_GPA_UNMAPPED);
	assert_false(translate(0, READ).page_fault);
	guest.unmapped = 0x50000;
	assert_int_equal(translate(0, READ).result, HV_TRANSLATE_GPA_UNMAPPED);
	guest.unmapped = ~0ULL;
	guest.read_only = 0x50000;
	assert_int_equal(translate(0, WRITE).result, HV_TRANSLATE_GPA_NO_WRITE_ACCESS);
	assert_maps(0, READ, 0x50000);
	assert_int_equal(guest.probe_access, SVM_MEMORY_READ);
	guest.read_only = 0x4000;
	assert_int_equal(translate(0, READ | SET_BITS).result, HV_TRANSLATE_GPA_NO_WRITE_ACCESS);
	put(0x4000, 6, 8, 0xff00000000ULL | 1ULL << 39 | ALL);
	paging.physical_bits = 52;
	put(0x4000, 6, 8, 1ULL << 45 | ALL);
	assert_int_equal(translate(0x6000, READ).result, HV_TRANSLATE_GPA_UNMAPPED);
}

/* A table that is its own table: the accessed bit of one level is news to the next. */
static void self_reference(void **state)
{
	(void)state;
	put(0x1000, 0, 8, 0x1000 | ALL);
	assert_maps(0x123, READ | WRITE | SET_BITS, 0x1123);
	assert_in_range(guest.reads, 4, 64);
}

/* ---- Other modes ---- */

static void no_paging(void **state)
{
	(void)state;
	paging = (struct svm_paging){.cr0 = CR0_ET, .physical_bits = 40};
	assert_maps(0xfff0, READ | WRITE | EXECUTE | SET_BITS, 0xfff0);
	assert_maps(0x100001000, READ, 0x1000); /* linear addresses wrap at 4 GiB */
	assert_int_equal(guest.reads, 0);
	assert_int_equal(guest.writes, 0);
	guest.unmapped = 0x7000;
	assert_int_equal(translate(0x7000, READ).result, HV_TRANSLATE_GPA_UNMAPPED);
	/* EFER.LME alone does not make long mode. */
	paging.efer = EFER_LME;
	assert_maps(0x1234, READ, 0x1234);
}

static void setup_32bit(void)
{
	setup_long(NULL);
	memset(guest.bytes, 0, sizeof(guest.bytes));
	paging.cr4 = 0;
	paging.efer = EFER_NXE; /* there is no such bit in a 32-bit entry */
	paging.cr3 = 0x1fff;
	put(0x1000, 0, 4, 0x2000 | ALL);
	put(0x2000, 1, 4, 0x50000 | ALL);
	put(0x2000, 2, 4, 0x51000 | P | W);
	put(0x1000, 1, 4, 0x800000 | ALL | PS);
	put(0x1000, 1023, 4, 0x2000 | ALL);
}

static void legacy_32bit(void **state)
{
	(void)state;
	setup_32bit();
	assert_maps(0x1234, READ | WRITE | EXECUTE, 0x50234);
	assert_int_equal(guest.reads, 2);
	assert_maps(0xffc01234, READ, 0x50234);
	assert_faults(0x2000, READ | HV_TRANSLATE_USER_ACCESS, HV_TRANSLATE_PRIVILEGE_VIOLATION, 5);
	assert_faults(0x3000, EXECUTE, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	/* Without PSE bit 7 means nothing: 0x800000 is a table, where no memory is. */
	assert_int_equal(translate(0x400000, READ).result, HV_TRANSLATE_GPA_UNMAPPED);
	assert_maps(0x1000, WRITE | SET_BITS, 0x50000);
	assert_int_equal(peek(0x1000, 0) & 0xffffffff, 0x2000 | ALL | A);
	assert_int_equal(peek(0x2000, 0) >> 32, 0x50000 | ALL | A | D);
}

static void pse_pages(void **state)
{
	(void)state;
	setup_32bit();
	paging.cr4 = CR4_PSE;
	assert_maps(0x4abcde, READ, 0x8abcde);
	assert_int_equal(translate(0x400000, 0).size, 0x400000);
	put(0x1000, 1, 4, 0x800000 | 0x05 << 13 | ALL | PS); /* bits 32-39 of the address */
	assert_maps(0x400000, READ, 0x500800000);
	put(0x1000, 1, 4, 0x800000 | 1 << 21 | ALL | PS);
	assert_faults(0x400000, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, 9);
	paging.physical_bits = 36;
	put(0x1000, 1, 4, 0x800000 | 0x10 << 13 | ALL | PS);
	assert_faults(0x400000, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, 9);
	put(0x1000, 1, 4, 0x800000 | 0x0f << 13 | ALL | PS);
	assert_maps(0x400000, READ, 0xf00800000);
}

static void pae(void **state)
{
	(void)state;
	setup_long(NULL);
	paging.efer = EFER_NXE;
	paging.cr3 = 0x7020 | 0x18; /* 32-byte aligned, PWT and PCD */
	put(0x7020, 0, 8, 0x3000 | P);
	put(0x7020, 3, 8, 0x3000 | P);
	assert_maps(0x123, READ | WRITE, 0x50123);
	assert_int_equal(guest.reads, 3);
	assert_maps(0xc0000123, READ | HV_TRANSLATE_USER_ACCESS, 0x50123);
	assert_maps(0xc0200123, READ, 0x600123);
	assert_faults(0x40000000, READ, HV_TRANSLATE_PAGE_NOT_PRESENT, 0);
	assert_faults(0x3000, EXECUTE, HV_TRANSLATE_PRIVILEGE_VIOLATION, 0x11);
	assert_maps(0, READ | SET_BITS, 0x50000);
	assert_int_equal(guest.writes, 2); /* the top entry has no accessed bit */
	assert_int_equal(peek(0x7000, 4), 0x3000 | P);
	put(0x7020, 3, 8, 0x3000 | ALL); /* rights are reserved there */
	assert_faults(0xc0000123, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, 9);
	put(0x4000, 0, 8, 0x50000 | ALL | 1ULL << 52);
	assert_faults(0, READ, HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS, 9);
	put(0x4000, 0, 8, 0x50000 | ALL);
	assert_maps(0x100000123, READ, 0x50123);
}

/* ---- The command ---- */

static uint16_t command(uint64_t page, uint64_t flags, struct hv_translate_output *output)
{
	const struct sidecar_translate_request request = {page, flags};

	memset(output, 0, sizeof(*output));
	return svm_translate_gva(&paging, &request, &memory, output);
}

static void command_success(void **state)
{
	struct hv_translate_output output;

	(void)state;
	assert_int_equal(command(2, READ | 0x10ULL << 56, &output), HV_STATUS_SUCCESS);
	assert_int_equal(output.result, 6ULL << 32);
	assert_int_equal(output.gpa_page, 0x52);
	assert_int_equal(output.event[0].low, 0);
	assert_int_equal(command(0x201, READ, &output), HV_STATUS_SUCCESS);
	assert_int_equal(output.gpa_page, 0x601);
}

static void command_faults(void **state)
{
	struct hv_translate_output output;

	(void)state;
	assert_int_equal(command(4, WRITE, &output), HV_STATUS_SUCCESS);
	assert_int_equal(output.result, HV_TRANSLATE_PRIVILEGE_VIOLATION);
	assert_int_equal(output.gpa_page, 0);
	assert_int_equal(output.event[0].low, 1 | 1 << 8 | 14 << 16 | 3ULL << 32);
	assert_int_equal(output.event[0].high, 0x4000);
	assert_int_equal(command(0x800000000, READ, &output), HV_STATUS_SUCCESS);
	assert_int_equal(output.result, HV_TRANSLATE_PAGE_NOT_PRESENT);
	assert_int_equal(output.event[0].low, 1 | 1 << 8 | 13 << 16);
	guest.unmapped = 0x50000;
	assert_int_equal(command(0, READ, &output), HV_STATUS_SUCCESS);
	assert_int_equal(output.result, HV_TRANSLATE_GPA_UNMAPPED);
	assert_int_equal(output.event[0].low, 0);
}

static void command_refusals(void **state)
{
	static const uint64_t bad[] = {
		1ULL << 11,
		1ULL << 55,
		HV_TRANSLATE_SHADOW_STACK,
		HV_TRANSLATE_SUPERVISOR_ACCESS | HV_TRANSLATE_USER_ACCESS,
		HV_TRANSLATE_ENFORCE_SMAP | HV_TRANSLATE_OVERRIDE_SMAP,
		0x11ULL << 56,
		0x12ULL << 56,
		0x01ULL << 56,
		0x20ULL << 56,
	};
	struct hv_translate_output output, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(command(2, READ | bad[i], &output), HV_STATUS_INVALID_PARAMETER);
		assert_memory_equal(&output, &zero, sizeof(zero));
	}
	assert_int_equal(command(1ULL << 52, READ, &output), HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(guest.reads, 0);
}

/* Random tables in every mode: it ends, after few reads, with a result that has a name. */
static void hostile_tables(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		for (unsigned int i = 0; i < MEMORY_SIZE; i += 4) {
			uint32_t word;

			seed = seed * 1664525 + 1013904223;
			word = (seed & 0xf0e7) | (seed >> 28 ? P | W | U : 0);
			memcpy(guest.bytes + i, i % 8 ? &(uint32_t){seed % 97 ? 0 : seed} : &word,
			       4);
		}
		paging.cr4 = (round & 1 ? CR4_PAE : 0) | (round & 2 ? CR4_PSE | CR4_LA57 : 0);
		paging.efer = (round & 4 && paging.cr4 & CR4_PAE ? EFER_LME : 0) |
			      (round & 8 ? EFER_NXE : 0);
		guest.races = round & 16 ? ~0u : 0;
		guest.reads = 0;
		assert_in_range(
			translate(seed % 3 ? seed : (uint64_t)seed << 20, seed & 0x3df).result, 0,
			9);
		assert_in_range(guest.reads, 0, 8 * 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(long_sizes, setup_long),
		cmocka_unit_test_setup(long_not_present, setup_long),
		cmocka_unit_test_setup(non_canonical, setup_long),
		cmocka_unit_test_setup(rights, setup_long),
		cmocka_unit_test_setup(who_asks, setup_long),
		cmocka_unit_test_setup(write_protect, setup_long),
		cmocka_unit_test_setup(smep_and_smap, setup_long),
		cmocka_unit_test_setup(reserved_bits, setup_long),
		cmocka_unit_test_setup(five_levels, setup_long),
		cmocka_unit_test_setup(accessed_and_dirty, setup_long),
		cmocka_unit_test_setup(failure_sets_no_bits, setup_long),
		cmocka_unit_test_setup(somebody_was_faster, setup_long),
		cmocka_unit_test_setup(nested_failures, setup_long),
		cmocka_unit_test_setup(self_reference, setup_long),
		cmocka_unit_test_setup(no_paging, setup_long),
		cmocka_unit_test(legacy_32bit),
		cmocka_unit_test(pse_pages),
		cmocka_unit_test(pae),
		cmocka_unit_test_setup(command_success, setup_long),
		cmocka_unit_test_setup(command_faults, setup_long),
		cmocka_unit_test_setup(command_refusals, setup_long),
		cmocka_unit_test_setup(hostile_tables, setup_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

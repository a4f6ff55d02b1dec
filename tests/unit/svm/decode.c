// SPDX-License-Identifier: MIT
#include "svm_test.h"

#include <stdlib.h>

#include "decode.h"

struct sample {
	enum svm_code_size code;
	uint32_t exit;
	unsigned int length;
	uint8_t bytes[16];
};

static const struct sample samples[] = {
	{SVM_CODE64, SVM_EXIT_CPUID, 2, {0x0f, 0xa2}},
	{SVM_CODE16, SVM_EXIT_CPUID, 2, {0x0f, 0xa2}},
	{SVM_CODE64, SVM_EXIT_CPUID, 4, {0x66, 0x48, 0x0f, 0xa2}},
	{SVM_CODE64, SVM_EXIT_CPUID, 4, {0x48, 0x66, 0x0f, 0xa2}},
	{SVM_CODE64, SVM_EXIT_MSR, 2, {0x0f, 0x32}},
	{SVM_CODE64, SVM_EXIT_MSR, 2, {0x0f, 0x30}},
	{SVM_CODE64, SVM_EXIT_HLT, 1, {0xf4}},
	{SVM_CODE16, SVM_EXIT_HLT, 2, {0x66, 0xf4}},
	{SVM_CODE64, SVM_EXIT_VMMCALL, 3, {0x0f, 0x01, 0xd9}},
	{SVM_CODE64, SVM_EXIT_VMRUN, 3, {0x0f, 0x01, 0xd8}},
	{SVM_CODE64, SVM_EXIT_VMLOAD, 3, {0x0f, 0x01, 0xda}},
	{SVM_CODE64, SVM_EXIT_VMSAVE, 3, {0x0f, 0x01, 0xdb}},
	{SVM_CODE64, SVM_EXIT_STGI, 3, {0x0f, 0x01, 0xdc}},
	{SVM_CODE64, SVM_EXIT_CLGI, 3, {0x0f, 0x01, 0xdd}},
	{SVM_CODE64, SVM_EXIT_SKINIT, 3, {0x0f, 0x01, 0xde}},
	{SVM_CODE64, SVM_EXIT_INVLPGA, 3, {0x0f, 0x01, 0xdf}},
	{SVM_CODE64, SVM_EXIT_XSETBV, 3, {0x0f, 0x01, 0xd1}},
	{SVM_CODE64, SVM_EXIT_MONITOR, 3, {0x0f, 0x01, 0xc8}},
	{SVM_CODE64, SVM_EXIT_MWAIT, 3, {0x0f, 0x01, 0xc9}},
	{SVM_CODE64, SVM_EXIT_MONITOR, 3, {0x0f, 0x01, 0xfa}},
	{SVM_CODE64, SVM_EXIT_RDTSCP, 3, {0x0f, 0x01, 0xf9}},
	{SVM_CODE64, SVM_EXIT_RDPRU, 3, {0x0f, 0x01, 0xfd}},
	{SVM_CODE64, SVM_EXIT_RDTSC, 2, {0x0f, 0x31}},
	{SVM_CODE64, SVM_EXIT_RDPMC, 2, {0x0f, 0x33}},
	{SVM_CODE64, SVM_EXIT_INVD, 2, {0x0f, 0x08}},
	{SVM_CODE64, SVM_EXIT_WBINVD, 2, {0x0f, 0x09}},
	{SVM_CODE64, SVM_EXIT_WBINVD, 3, {0xf3, 0x0f, 0x09}},
	{SVM_CODE64, SVM_EXIT_RSM, 2, {0x0f, 0xaa}},
	{SVM_CODE64, SVM_EXIT_PAUSE, 2, {0xf3, 0x90}},
	{SVM_CODE64, SVM_EXIT_IRET, 2, {0x48, 0xcf}},
	{SVM_CODE64, SVM_EXIT_PUSHF, 1, {0x9c}},
	{SVM_CODE64, SVM_EXIT_POPF, 1, {0x9d}},
	{SVM_CODE64, SVM_EXIT_ICEBP, 1, {0xf1}},
	{SVM_CODE64, SVM_EXIT_SWINT, 2, {0xcd, 0x80}},
	{SVM_CODE64, SVM_EXIT_EXCEPTION0 + 3, 1, {0xcc}},
	{SVM_CODE32, SVM_EXIT_EXCEPTION0 + 4, 1, {0xce}},
	/* IN and OUT */
	{SVM_CODE64, SVM_EXIT_IOIO, 2, {0xe4, 0x60}},
	{SVM_CODE64, SVM_EXIT_IOIO, 2, {0xe5, 0x60}},
	{SVM_CODE64, SVM_EXIT_IOIO, 3, {0x66, 0xe7, 0x80}},
	{SVM_CODE16, SVM_EXIT_IOIO, 2, {0xe6, 0x80}},
	{SVM_CODE64, SVM_EXIT_IOIO, 1, {0xec}},
	{SVM_CODE64, SVM_EXIT_IOIO, 1, {0xef}},
	{SVM_CODE64, SVM_EXIT_IOIO, 2, {0x66, 0xed}},
	{SVM_CODE64, SVM_EXIT_IOIO, 2, {0xf3, 0x6e}},
	{SVM_CODE64, SVM_EXIT_IOIO, 3, {0xf3, 0x66, 0x6d}},
	{SVM_CODE64, SVM_EXIT_IOIO, 5, {0x2e, 0x67, 0xf2, 0x66, 0x6f}},
	/* MOV CR and DR: no memory operand, whatever mod says */
	{SVM_CODE64, SVM_EXIT_READ_CR0, 3, {0x0f, 0x20, 0xc0}},
	{SVM_CODE64, SVM_EXIT_WRITE_CR0, 3, {0x0f, 0x22, 0xc0}},
	{SVM_CODE64, SVM_EXIT_CR0_SEL_WRITE, 3, {0x0f, 0x22, 0xc0}},
	{SVM_CODE64, SVM_EXIT_WRITE_CR0 + 3, 3, {0x0f, 0x22, 0x1d}},
	{SVM_CODE64, SVM_EXIT_READ_CR0 + 8, 4, {0x44, 0x0f, 0x20, 0xc0}},
	{SVM_CODE32, SVM_EXIT_READ_CR0 + 8, 4, {0xf0, 0x0f, 0x20, 0xc0}},
	{SVM_CODE64, SVM_EXIT_READ_DR0 + 7, 3, {0x0f, 0x21, 0xf8}},
	{SVM_CODE64, SVM_EXIT_WRITE_DR0 + 6, 3, {0x0f, 0x23, 0xf0}},
	{SVM_CODE64, SVM_EXIT_WRITE_CR0, 2, {0x0f, 0x06}},
	{SVM_CODE64, SVM_EXIT_WRITE_CR0, 3, {0x0f, 0x01, 0xf0}},
	{SVM_CODE64, SVM_EXIT_READ_CR0, 3, {0x0f, 0x01, 0xe0}},
	/* ModRM: register, none, disp8, disp32, RIP, SIB, SIB without base, 16-bit */
	{SVM_CODE64, SVM_EXIT_INVLPG, 3, {0x0f, 0x01, 0x38}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 4, {0x0f, 0x01, 0x78, 0x10}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 7, {0x0f, 0x01, 0xb8, 1, 2, 3, 4}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 7, {0x0f, 0x01, 0x3d, 1, 2, 3, 4}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 4, {0x0f, 0x01, 0x3c, 0x24}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 8, {0x0f, 0x01, 0x3c, 0x25, 1, 2, 3, 4}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 5, {0x0f, 0x01, 0x7c, 0x25, 1}},
	{SVM_CODE64, SVM_EXIT_INVLPG, 9, {0x43, 0x0f, 0x01, 0xbc, 0x8d, 1, 2, 3, 4}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 3, {0x0f, 0x01, 0x3f}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 5, {0x0f, 0x01, 0x3e, 1, 2}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 4, {0x0f, 0x01, 0x7f, 1}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 5, {0x0f, 0x01, 0xbf, 1, 2}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 3, {0x0f, 0x01, 0x3c}},
	{SVM_CODE16, SVM_EXIT_INVLPG, 5, {0x67, 0x0f, 0x01, 0x3c, 0x24}},
	{SVM_CODE32, SVM_EXIT_INVLPG, 6, {0x67, 0x0f, 0x01, 0x3e, 1, 2}},
	{SVM_CODE32, SVM_EXIT_GDTR_WRITE, 7, {0x0f, 0x01, 0x15, 1, 2, 3, 4}},
	{SVM_CODE32, SVM_EXIT_IDTR_WRITE, 3, {0x0f, 0x01, 0x18}},
	{SVM_CODE32, SVM_EXIT_GDTR_READ, 3, {0x0f, 0x01, 0x00}},
	{SVM_CODE32, SVM_EXIT_IDTR_READ, 3, {0x0f, 0x01, 0x08}},
	{SVM_CODE32, SVM_EXIT_LDTR_READ, 3, {0x0f, 0x00, 0xc0}},
	{SVM_CODE32, SVM_EXIT_TR_READ, 3, {0x0f, 0x00, 0xc8}},
	{SVM_CODE32, SVM_EXIT_LDTR_WRITE, 3, {0x0f, 0x00, 0xd0}},
	{SVM_CODE32, SVM_EXIT_TR_WRITE, 3, {0x0f, 0x00, 0xd8}},
	{SVM_CODE64, SVM_EXIT_INVPCID, 5, {0x66, 0x0f, 0x38, 0x82, 0x01}},
	/* as long as an instruction may be */
	{SVM_CODE64,
	 SVM_EXIT_CPUID,
	 15,
	 {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf0, 0x66, 0x48, 0x0f,
	  0xa2}},
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static void lengths(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLE_COUNT; i++) {
		const struct sample *s = &samples[i];

		if (svm_instruction_length(s->bytes, 15, s->code) != s->length)
			fail_msg("sample %u: length %u, not %u", i,
				 svm_instruction_length(s->bytes, 15, s->code), s->length);
	}
}

/* Bytes that end before the instruction does are no instruction; nothing after them is read. */
static void truncated(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLE_COUNT; i++) {
		const struct sample *s = &samples[i];

		for (unsigned int count = 0; count <= s->length; count++) {
			uint8_t *exact = malloc(count ? count : 1);

			memcpy(exact, s->bytes, count);
			assert_int_equal(svm_instruction_length(exact, count, s->code),
					 count == s->length ? s->length : 0);
			free(exact);
		}
	}
}

static void exits_match(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SAMPLE_COUNT; i++) {
		struct svm_instruction in;

		assert_true(svm_decode(samples[i].bytes, 15, samples[i].code, &in));
		if (!svm_instruction_matches(&in, samples[i].exit))
			fail_msg("sample %u does not match exit 0x%x", i, samples[i].exit);
		assert_false(svm_instruction_matches(&in, SVM_EXIT_NPF));
		assert_false(svm_instruction_matches(&in, SVM_EXIT_SHUTDOWN));
	}
}

static void others_are_refused(void **state)
{
	static const uint8_t others[][4] = {{0x8b, 0x00},
					    {0xff, 0x25},
					    {0x0f, 0x0b},
					    {0xc3},
					    {0x0f, 0x05},
					    {0xe8},
					    {0x0f, 0x38, 0xf1, 0x01}};
	static const uint8_t nop[] = {0x90};
	static const uint8_t too_long[16] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
					     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2};
	struct svm_instruction in;

	(void)state;
	for (unsigned int i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(svm_instruction_length(others[i], 4, SVM_CODE64), 0);
	assert_int_equal(svm_instruction_length(too_long, 16, SVM_CODE64), 0);
	/* 0x48 is an instruction of its own outside 64-bit mode: DEC EAX */
	assert_int_equal(svm_instruction_length((const uint8_t[]){0x48, 0x0f, 0xa2}, 3, SVM_CODE32),
			 0);
	assert_true(svm_decode(nop, 1, SVM_CODE64, &in));
	assert_false(svm_instruction_matches(&in, SVM_EXIT_PAUSE));
}

static void fields(void **state)
{
	static const uint8_t outs[] = {0x65, 0x67, 0xf3, 0x66, 0x6f};
	static const uint8_t mov_cr8[] = {0x45, 0x0f, 0x22, 0xc1};
	static const uint8_t in_imm[] = {0xe5, 0x71};
	static const uint8_t lost_rex[] = {0x48, 0x66, 0xed};
	struct svm_instruction in;

	(void)state;
	assert_true(svm_decode(outs, 5, SVM_CODE64, &in));
	assert_int_equal(in.segment, HV_SEGMENT_INDEX_GS);
	assert_int_equal(in.address_size, 4);
	assert_int_equal(in.operand_size, 2);
	assert_int_equal(in.repeat, 0xf3);
	assert_true(svm_decode(outs, 5, SVM_CODE16, &in));
	assert_int_equal(in.address_size, 4);
	assert_int_equal(in.operand_size, 4);
	assert_true(svm_decode(outs, 5, SVM_CODE32, &in));
	assert_int_equal(in.address_size, 2);
	assert_true(svm_decode(mov_cr8, 4, SVM_CODE64, &in));
	assert_int_equal(svm_modrm_reg(&in), 8);
	assert_int_equal(svm_modrm_rm(&in), 9);
	assert_int_equal(in.segment, SVM_NO_SEGMENT);
	assert_true(svm_decode(in_imm, 2, SVM_CODE64, &in));
	assert_int_equal(in.immediate, 0x71);
	assert_int_equal(in.operand_size, 4);
	assert_int_equal(in.address_size, 8);
	assert_true(svm_decode(lost_rex, 3, SVM_CODE64, &in));
	assert_int_equal(in.rex, 0);
	assert_int_equal(in.operand_size, 2);
}

static void code_sizes(void **state)
{
	struct svm_save_area save = {.cr0 = 0, .efer = EFER_SVME};

	(void)state;
	assert_int_equal(svm_code_size(&save), SVM_CODE16);
	save.cr0 = CR0_PE;
	save.cs.attributes = SVM_SEGMENT_DEFAULT;
	assert_int_equal(svm_code_size(&save), SVM_CODE32);
	save.cs.attributes = SVM_SEGMENT_LONG;
	assert_int_equal(svm_code_size(&save), SVM_CODE16); /* L means nothing yet */
	save.cr0 |= CR0_PG;
	save.efer |= EFER_LME;
	assert_int_equal(svm_code_size(&save), SVM_CODE64);
	save.cs.attributes = SVM_SEGMENT_DEFAULT; /* compatibility mode */
	assert_int_equal(svm_code_size(&save), SVM_CODE32);
}

/* Any bytes at all: a length of at most 15 and never a read behind the end (ASAN looks on). */
static void noise(void **state)
{
	const enum svm_code_size codes[] = {SVM_CODE16, SVM_CODE32, SVM_CODE64};
	uint32_t seed = 1;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		unsigned int count = i % 17;
		uint8_t *bytes = malloc(count ? count : 1);
		struct svm_instruction in;

		for (unsigned int j = 0; j < count; j++) {
			seed = seed * 1664525 + 1013904223;
			bytes[j] = (seed >> 24) & 1 ? 0x0f : (uint8_t)(seed >> 16);
		}
		if (svm_decode(bytes, count, codes[i % 3], &in)) {
			assert_in_range(in.length, 1, count < 15 ? count : 15);
			svm_instruction_matches(&in, i % 0x100);
		}
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),     cmocka_unit_test(truncated),
		cmocka_unit_test(exits_match), cmocka_unit_test(others_are_refused),
		cmocka_unit_test(fields),      cmocka_unit_test(code_sizes),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

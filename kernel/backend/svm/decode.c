// SPDX-License-Identifier: MIT
/* Encodings: APM vol. 3, chapter 1 (prefixes, ModRM, SIB) and appendix A (opcode maps). */
#include "decode.h"

#include "vp.h"

#define REX_W 0x08
#define REX_R 0x04
#define REX_B 0x01

struct cursor {
	const uint8_t *bytes;
	unsigned int count;
	unsigned int position;
	bool overrun;
};

/* What follows the opcode byte. */
enum form {
	FORM_NONE, /* not one of the instructions that exit */
	FORM_PLAIN,
	FORM_IMM8,
	FORM_MODRM,
	FORM_MODRM_REGISTER, /* MOV CR and DR: the mod field is ignored */
};

static uint8_t next(struct cursor *cursor)
{
	if (cursor->position >= cursor->count) {
		cursor->overrun = true;
		return 0;
	}
	return cursor->bytes[cursor->position++];
}

static void skip(struct cursor *cursor, unsigned int bytes)
{
	while (bytes--)
		next(cursor);
}

enum svm_code_size svm_code_size(const struct svm_save_area *save)
{
	if (svm_long_mode(save) && (save->cs.attributes & SVM_SEGMENT_LONG))
		return SVM_CODE64;
	/* The cached D bit counts in real mode too, until a far jump loads another. */
	return save->cs.attributes & SVM_SEGMENT_DEFAULT ? SVM_CODE32 : SVM_CODE16;
}

struct prefixes {
	bool operand;
	bool address;
};

static uint8_t segment_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
		return HV_SEGMENT_INDEX_ES;
	case 0x2e:
		return HV_SEGMENT_INDEX_CS;
	case 0x36:
		return HV_SEGMENT_INDEX_SS;
	case 0x3e:
		return HV_SEGMENT_INDEX_DS;
	case 0x64:
		return HV_SEGMENT_INDEX_FS;
	case 0x65:
		return HV_SEGMENT_INDEX_GS;
	default:
		return SVM_NO_SEGMENT;
	}
}

/* True when the byte is a legacy prefix. */
static bool take_prefix(uint8_t byte, struct prefixes *prefixes, struct svm_instruction *in)
{
	uint8_t segment = segment_prefix(byte);

	if (segment != SVM_NO_SEGMENT)
		in->segment = segment;
	else if (byte == 0x66)
		prefixes->operand = true;
	else if (byte == 0x67)
		prefixes->address = true;
	else if (byte == 0xf0)
		in->lock = true;
	else if (byte == 0xf2 || byte == 0xf3)
		in->repeat = byte;
	else
		return false;
	return true;
}

/* The default is 4 bytes in 64-bit mode too; a prefix swaps 2 and 4. */
static uint8_t operand_size(enum svm_code_size code, const struct prefixes *prefixes, uint8_t rex)
{
	if (rex & REX_W)
		return 8;
	if (code == SVM_CODE16)
		return prefixes->operand ? 4 : 2;
	return prefixes->operand ? 2 : 4;
}

static uint8_t address_size(enum svm_code_size code, const struct prefixes *prefixes)
{
	if (!prefixes->address)
		return (uint8_t)code;
	return code == SVM_CODE32 ? 2 : 4;
}

/* Returns the first byte after the prefixes. A REX that another prefix follows does not count. */
static uint8_t take_prefixes(struct cursor *cursor, enum svm_code_size code,
			     struct svm_instruction *in)
{
	struct prefixes prefixes = {false, false};
	uint8_t byte;

	for (;;) {
		byte = next(cursor);
		if (cursor->overrun)
			return 0;
		if (code == SVM_CODE64 && (byte & 0xf0) == 0x40)
			in->rex = byte;
		else if (take_prefix(byte, &prefixes, in))
			in->rex = 0;
		else
			break;
	}
	in->operand_size = operand_size(code, &prefixes, in->rex);
	in->address_size = address_size(code, &prefixes);
	return byte;
}

/* Displacement after a 16-bit ModRM. */
static unsigned int displacement16(uint8_t mod, uint8_t rm)
{
	if (mod == 1)
		return 1;
	return mod == 2 || (mod == 0 && rm == 6) ? 2 : 0;
}

static void take_memory_operand(struct cursor *cursor, struct svm_instruction *in)
{
	uint8_t mod = in->modrm >> 6;
	uint8_t rm = in->modrm & 7;

	if (in->address_size == 2) {
		skip(cursor, displacement16(mod, rm));
		return;
	}
	if (rm == 4)
		rm = next(cursor) & 7; /* the SIB's base decides on the displacement */
	if (mod == 1)
		skip(cursor, 1);
	else if (mod == 2 || (mod == 0 && rm == 5))
		skip(cursor, 4);
}

static enum form form_one_byte(uint8_t opcode)
{
	switch (opcode) {
	case 0x6c: /* INS */
	case 0x6d:
	case 0x6e: /* OUTS */
	case 0x6f:
	case 0x90: /* PAUSE */
	case 0x9c: /* PUSHF */
	case 0x9d: /* POPF */
	case 0xcc: /* INT3 */
	case 0xce: /* INTO */
	case 0xcf: /* IRET */
	case 0xec: /* IN, DX */
	case 0xed:
	case 0xee: /* OUT, DX */
	case 0xef:
	case 0xf1: /* ICEBP */
	case 0xf4: /* HLT */
		return FORM_PLAIN;
	case 0xcd: /* INT n */
	case 0xe4: /* IN, port */
	case 0xe5:
	case 0xe6: /* OUT, port */
	case 0xe7:
		return FORM_IMM8;
	default:
		return FORM_NONE;
	}
}

static enum form form_0f(uint8_t opcode)
{
	switch (opcode) {
	case 0x06: /* CLTS */
	case 0x08: /* INVD */
	case 0x09: /* WBINVD */
	case 0x30: /* WRMSR */
	case 0x31: /* RDTSC */
	case 0x32: /* RDMSR */
	case 0x33: /* RDPMC */
	case 0xa2: /* CPUID */
	case 0xaa: /* RSM */
		return FORM_PLAIN;
	case 0x00: /* SLDT, STR, LLDT, LTR */
	case 0x01: /* tables, MSW, INVLPG; SVM and others with a register form */
		return FORM_MODRM;
	case 0x20: /* MOV to and from CR and DR */
	case 0x21:
	case 0x22:
	case 0x23:
		return FORM_MODRM_REGISTER;
	default:
		return FORM_NONE;
	}
}

static enum form form_0f38(uint8_t opcode)
{
	return opcode == 0x82 /* INVPCID */ ? FORM_MODRM : FORM_NONE;
}

/* Takes the opcode bytes that begin with first. */
static enum form take_opcode(struct cursor *cursor, uint8_t first, struct svm_instruction *in)
{
	in->opcode = first;
	if (first != 0x0f)
		return form_one_byte(first);
	in->map = SVM_MAP_0F;
	in->opcode = next(cursor);
	if (in->opcode != 0x38)
		return form_0f(in->opcode);
	in->map = SVM_MAP_0F38;
	in->opcode = next(cursor);
	return form_0f38(in->opcode);
}

static bool take_operands(struct cursor *cursor, enum form form, struct svm_instruction *in)
{
	switch (form) {
	case FORM_PLAIN:
		return true;
	case FORM_IMM8:
		in->immediate = next(cursor);
		return true;
	case FORM_MODRM:
		in->modrm = next(cursor);
		if (in->modrm < 0xc0)
			take_memory_operand(cursor, in);
		return true;
	case FORM_MODRM_REGISTER:
		in->modrm = next(cursor);
		return true;
	default:
		return false;
	}
}

bool svm_decode(const uint8_t *bytes, unsigned int count, enum svm_code_size code,
		struct svm_instruction *instruction)
{
	struct cursor cursor = {bytes, count, 0, false};
	enum form form;
	uint8_t first;

	*instruction = (struct svm_instruction){.segment = SVM_NO_SEGMENT};
	if (cursor.count > SVM_INSTRUCTION_MAX)
		cursor.count = SVM_INSTRUCTION_MAX;
	first = take_prefixes(&cursor, code, instruction);
	form = take_opcode(&cursor, first, instruction);
	if (!take_operands(&cursor, form, instruction) || cursor.overrun)
		return false;
	instruction->length = (uint8_t)cursor.position;
	return true;
}

unsigned int svm_instruction_length(const uint8_t *bytes, unsigned int count,
				    enum svm_code_size code)
{
	struct svm_instruction instruction;

	return svm_decode(bytes, count, code, &instruction) ? instruction.length : 0;
}

unsigned int svm_modrm_reg(const struct svm_instruction *instruction)
{
	return ((instruction->modrm >> 3) & 7) | (instruction->rex & REX_R ? 8 : 0);
}

unsigned int svm_modrm_rm(const struct svm_instruction *instruction)
{
	return (instruction->modrm & 7) | (instruction->rex & REX_B ? 8 : 0);
}

/* ---- Which exit an instruction gives ---- */

/* LOCK MOV CR0 is another spelling of MOV CR8 (APM vol. 3, MOV CRn). */
static unsigned int control_register(const struct svm_instruction *in)
{
	unsigned int number = svm_modrm_reg(in);

	return in->lock && number == 0 ? 8 : number;
}

static bool matches_one_byte(const struct svm_instruction *in, uint32_t exit)
{
	switch (in->opcode) {
	case 0x90:
		return exit == SVM_EXIT_PAUSE && in->repeat == 0xf3;
	case 0x9c:
		return exit == SVM_EXIT_PUSHF;
	case 0x9d:
		return exit == SVM_EXIT_POPF;
	case 0xcc:
		return exit == SVM_EXIT_EXCEPTION0 + 3;
	case 0xcd:
		return exit == SVM_EXIT_SWINT;
	case 0xce:
		return exit == SVM_EXIT_EXCEPTION0 + 4;
	case 0xcf:
		return exit == SVM_EXIT_IRET;
	case 0xf1:
		return exit == SVM_EXIT_ICEBP;
	case 0xf4:
		return exit == SVM_EXIT_HLT;
	default: /* INS, OUTS, IN, OUT */
		return exit == SVM_EXIT_IOIO;
	}
}

/* The register forms of 0F 01, by their whole ModRM byte. */
static bool matches_0f01_register(uint8_t modrm, uint32_t exit)
{
	switch (modrm) {
	case 0xc1: /* VMCALL, which AMD does not have: #UD */
		return exit == SVM_EXIT_EXCEPTION0 + 6;
	case 0xc8:
	case 0xfa: /* MONITORX */
		return exit == SVM_EXIT_MONITOR;
	case 0xc9:
	case 0xfb: /* MWAITX */
		return exit == SVM_EXIT_MWAIT || exit == SVM_EXIT_MWAIT_ARMED;
	case 0xd1:
		return exit == SVM_EXIT_XSETBV;
	case 0xd8:
		return exit == SVM_EXIT_VMRUN;
	case 0xd9:
		return exit == SVM_EXIT_VMMCALL;
	case 0xda:
		return exit == SVM_EXIT_VMLOAD;
	case 0xdb:
		return exit == SVM_EXIT_VMSAVE;
	case 0xdc:
		return exit == SVM_EXIT_STGI;
	case 0xdd:
		return exit == SVM_EXIT_CLGI;
	case 0xde:
		return exit == SVM_EXIT_SKINIT;
	case 0xdf:
		return exit == SVM_EXIT_INVLPGA;
	case 0xf9:
		return exit == SVM_EXIT_RDTSCP;
	case 0xfd:
		return exit == SVM_EXIT_RDPRU;
	case 0xfe:
		return exit == SVM_EXIT_INVLPGB || exit == SVM_EXIT_INVLPGB_ILLEGAL;
	case 0xff:
		return exit == SVM_EXIT_TLBSYNC;
	default:
		return false;
	}
}

/* The forms of 0F 01 that ModRM.reg tells apart. */
static bool matches_0f01_group(const struct svm_instruction *in, uint32_t exit)
{
	switch ((in->modrm >> 3) & 7) {
	case 0:
		return exit == SVM_EXIT_GDTR_READ;
	case 1:
		return exit == SVM_EXIT_IDTR_READ;
	case 2:
		return exit == SVM_EXIT_GDTR_WRITE;
	case 3:
		return exit == SVM_EXIT_IDTR_WRITE;
	case 4: /* SMSW */
		return exit == SVM_EXIT_READ_CR0;
	case 6: /* LMSW */
		return exit == SVM_EXIT_WRITE_CR0 || exit == SVM_EXIT_CR0_SEL_WRITE;
	case 7:
		return exit == SVM_EXIT_INVLPG;
	default:
		return false;
	}
}

static bool matches_0f01(const struct svm_instruction *in, uint32_t exit)
{
	uint8_t reg = (in->modrm >> 3) & 7;

	if (in->modrm >= 0xc0 && reg != 4 && reg != 6)
		return matches_0f01_register(in->modrm, exit);
	return matches_0f01_group(in, exit);
}

static bool matches_0f00(const struct svm_instruction *in, uint32_t exit)
{
	switch ((in->modrm >> 3) & 7) {
	case 0:
		return exit == SVM_EXIT_LDTR_READ;
	case 1:
		return exit == SVM_EXIT_TR_READ;
	case 2:
		return exit == SVM_EXIT_LDTR_WRITE;
	case 3:
		return exit == SVM_EXIT_TR_WRITE;
	default:
		return false;
	}
}

static bool matches_write_cr(unsigned int number, uint32_t exit)
{
	if (number == 0 && exit == SVM_EXIT_CR0_SEL_WRITE)
		return true;
	return exit == SVM_EXIT_WRITE_CR0 + number;
}

static bool matches_0f(const struct svm_instruction *in, uint32_t exit)
{
	switch (in->opcode) {
	case 0x00:
		return matches_0f00(in, exit);
	case 0x01:
		return matches_0f01(in, exit);
	case 0x06: /* CLTS */
		return matches_write_cr(0, exit);
	case 0x08: /* QEMU calls it WBINVD, too */
		return exit == SVM_EXIT_INVD || exit == SVM_EXIT_WBINVD;
	case 0x09:
		return exit == SVM_EXIT_WBINVD;
	case 0x20:
		return exit == SVM_EXIT_READ_CR0 + control_register(in);
	case 0x21:
		return exit == SVM_EXIT_READ_DR0 + svm_modrm_reg(in);
	case 0x22:
		return matches_write_cr(control_register(in), exit);
	case 0x23:
		return exit == SVM_EXIT_WRITE_DR0 + svm_modrm_reg(in);
	case 0x30:
	case 0x32:
		return exit == SVM_EXIT_MSR;
	case 0x31:
		return exit == SVM_EXIT_RDTSC;
	case 0x33:
		return exit == SVM_EXIT_RDPMC;
	case 0xa2:
		return exit == SVM_EXIT_CPUID;
	case 0xaa:
		return exit == SVM_EXIT_RSM;
	default:
		return false;
	}
}

bool svm_instruction_matches(const struct svm_instruction *instruction, uint32_t exit_code)
{
	switch (instruction->map) {
	case SVM_MAP_ONE_BYTE:
		return matches_one_byte(instruction, exit_code);
	case SVM_MAP_0F:
		return matches_0f(instruction, exit_code);
	default: /* INVPCID is the only one */
		return exit_code == SVM_EXIT_INVPCID;
	}
}

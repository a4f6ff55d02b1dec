/* SPDX-License-Identifier: MIT */
/*
 * Length and fields of the instructions that a guest can exit at. A processor without NRIPS (TCG
 * among them) does not say how long the intercepted instruction was; without decode assists it
 * does not say which register or segment it named.
 */
#ifndef SVM_DECODE_H
#define SVM_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmcb.h"

#define SVM_INSTRUCTION_MAX 15u

/* Default operand and address size of the code segment, in bytes; 8 is 64-bit mode. */
enum svm_code_size {
	SVM_CODE16 = 2,
	SVM_CODE32 = 4,
	SVM_CODE64 = 8,
};

enum svm_opcode_map {
	SVM_MAP_ONE_BYTE,
	SVM_MAP_0F,
	SVM_MAP_0F38,
};

#define SVM_NO_SEGMENT 0xff

struct svm_instruction {
	uint8_t length;
	uint8_t map; /* enum svm_opcode_map */
	uint8_t opcode;
	uint8_t modrm;	      /* 0 when there is none */
	uint8_t rex;	      /* 0 when there is none */
	uint8_t operand_size; /* 2, 4 or 8 bytes */
	uint8_t address_size; /* 2, 4 or 8 bytes */
	uint8_t segment;      /* HV_SEGMENT_INDEX_* of the last override, or SVM_NO_SEGMENT */
	uint8_t repeat;	      /* the last of 0xf2 and 0xf3, or 0 */
	bool lock;
	uint16_t immediate; /* port of IN and OUT, vector of INT */
};

/* 8 needs both long mode and CS.L. */
enum svm_code_size svm_code_size(const struct svm_save_area *save);

/*
 * False when the bytes are none of these instructions, or when they end before it does. count may
 * be anything; no more than SVM_INSTRUCTION_MAX bytes are looked at.
 */
bool svm_decode(const uint8_t *bytes, unsigned int count, enum svm_code_size code,
		struct svm_instruction *instruction);

/* Its length only, or 0. */
unsigned int svm_instruction_length(const uint8_t *bytes, unsigned int count,
				    enum svm_code_size code);

/*
 * Is it an instruction that gives this exit code? Memory may have changed between the exit and the
 * fetch: a VMM must not skip something else.
 */
bool svm_instruction_matches(const struct svm_instruction *instruction, uint32_t exit_code);

/* Number of the control, debug or general register in a MOV CRn/DRn; ModRM.reg and .rm with REX. */
unsigned int svm_modrm_reg(const struct svm_instruction *instruction);
unsigned int svm_modrm_rm(const struct svm_instruction *instruction);

#endif

/* SPDX-License-Identifier: MIT */
/* The VP from L0's side: its memory, the exceptions it gets, stepping over an instruction. */
#ifndef L0_GUEST_H
#define L0_GUEST_H

#include "cpu.h"
#include "walk.h"

#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14

struct svm_vmcb *guest_vmcb(struct cpu *cpu, uint8_t vtl);
struct svm_paging guest_paging(struct cpu *cpu, uint8_t vtl);

/* Callbacks for the page-table walk of that VTL. */
struct svm_guest_memory guest_memory(uint8_t vtl);

/* Up to 15 bytes at RIP; how many there are. */
uint8_t guest_fetch(struct cpu *cpu, uint8_t vtl, uint8_t *bytes);

/* Length of the intercepted instruction, 0 if it cannot be told. */
uint8_t guest_instruction_length(struct cpu *cpu, uint8_t vtl);

void guest_skip(struct cpu *cpu, uint8_t vtl, uint8_t length);
void guest_raise(struct cpu *cpu, uint8_t vtl, uint8_t vector);
void guest_raise_code(struct cpu *cpu, uint8_t vtl, uint8_t vector, uint32_t code);

#endif

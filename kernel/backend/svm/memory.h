/* SPDX-License-Identifier: MIT */
/* The guest's memory, as the kernel reads it: through the nested tables and a window. */
#ifndef SVM_MEMORY_H
#define SVM_MEMORY_H

#include "cpu.h"
#include "messages.h"
#include "walk.h"

/* For the walks of walk.h; valid as long as the nested root is. */
struct svm_guest_memory svm_memory_of(struct cpu *cpu);

/* Why an instruction could not be fetched to its end. */
struct svm_fetch_fault {
	bool nested; /* the nested tables: gpa and gva are valid */
	uint64_t gpa;
	uint64_t gva;
};

/* The linear address of the guest's next instruction. */
uint64_t svm_linear_rip(const struct svm_save_area *save);

/*
 * Up to SVM_INSTRUCTION_MAX bytes at the guest's RIP; returns how many there are. *fault says what
 * stopped it before the last.
 */
uint8_t svm_fetch(struct cpu *cpu, uint8_t *bytes, struct svm_fetch_fault *fault);

#endif

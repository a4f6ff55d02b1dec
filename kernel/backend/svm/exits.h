/* SPDX-License-Identifier: MIT */
#ifndef SVM_EXITS_H
#define SVM_EXITS_H

#include "cpu.h"
#include "messages.h"

enum svm_result {
	SVM_GO_ON,   /* resolved: enter again */
	SVM_MESSAGE, /* the message is in the command page */
	SVM_FAILED,  /* a text is in *error */
};

/* Why the guest came back, and what to do about it. */
enum svm_result svm_handle_exit(struct cpu *cpu, struct sidecar_command_error *error);

/* The stopped guest, without its instruction. */
struct svm_stop svm_stop_of(struct cpu *cpu);

void svm_count(struct cpu *cpu, enum sidecar_exit exit);

#endif

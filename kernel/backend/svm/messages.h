/* SPDX-License-Identifier: MIT */
/*
 * From a stopped guest to the Hyper-V message about it. Pure: reads the VP and the exit fields of
 * its VMCB, writes every byte of the message. RIP is that of the intercepted instruction.
 */
#ifndef SVM_MESSAGES_H
#define SVM_MESSAGES_H

#include "cpuid.h"
#include "decode.h"
#include "vp.h"

/* A guest that stopped, as the messages need it. */
struct svm_stop {
	const struct svm_vp *vp;
	const uint64_t *gps; /* SIDECAR_GP_*, all of them valid but CR2 */
	const struct hv_fx_state *fx;
	uint8_t length;	    /* of the instruction; 0 = unknown */
	uint8_t byte_count; /* of bytes[] that could be fetched */
	uint8_t bytes[SVM_INSTRUCTION_MAX];
};

/* An access that the nested tables refused. */
struct svm_memory_access {
	uint64_t gpa;
	uint64_t gva; /* if gva_valid */
	bool gva_valid;
	bool present;	/* mapped, but not for this access */
	uint8_t access; /* HV_INTERCEPT_ACCESS_* */
};

void svm_message_io(struct hv_message *message, const struct svm_stop *stop);
void svm_message_msr(struct hv_message *message, const struct svm_stop *stop);
void svm_message_cpuid(struct hv_message *message, const struct svm_stop *stop,
		       const struct cpuid_words *defaults);
void svm_message_halt(struct hv_message *message, const struct svm_stop *stop);
void svm_message_hypercall(struct hv_message *message, const struct svm_stop *stop);
void svm_message_memory(struct hv_message *message, const struct svm_stop *stop,
			const struct svm_memory_access *memory);
/* parameter: CR2 of #PF, DR6 of #DB. */
void svm_message_exception(struct hv_message *message, const struct svm_stop *stop, uint8_t vector,
			   uint64_t parameter);
void svm_message_unrecoverable(struct hv_message *message, const struct svm_stop *stop);
void svm_message_deliverable(struct hv_message *message, const struct svm_stop *stop,
			     uint8_t interruption_type);
void svm_message_invalid_register(struct hv_message *message, uint32_t vp_index);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Registers of a stopped VP by their Hyper-V names. Each value is checked alone here, so that the
 * order in which a VMM sets registers does not matter; check.h looks at the whole before an entry.
 */
#ifndef SVM_REGISTERS_H
#define SVM_REGISTERS_H

#include "segment.h"
#include "vp.h"

/*
 * HV_STATUS_SUCCESS, or HV_STATUS_UNKNOWN_REGISTER_NAME for what AMD-V has no place for. *value is
 * changed on success only; the bits beyond the register's width are zero.
 */
uint16_t svm_get_register(const struct svm_vp *vp, const struct sidecar_cpu_context *context,
			  uint32_t name, struct hv_u128 *value);

/*
 * The same, and HV_STATUS_INVALID_REGISTER_VALUE for a value that the register cannot hold; then
 * nothing is changed. *value is read once: it may be in shared memory. For a register of 64 bits
 * or less the high word is ignored. Clears the VMCB's clean bits and marks *vp as unchecked.
 */
uint16_t svm_set_register(struct svm_vp *vp, struct sidecar_cpu_context *context, uint32_t name,
			  const struct hv_u128 *value);

/* In world S a VP has one VTL: "current" and VTL0 name it, every other byte is refused. */
static inline bool svm_vtl_valid(uint8_t vtl)
{
	return vtl == HV_VTL_CURRENT || vtl == HV_VTL_0;
}

/* FXRSTOR raises #GP for any other MXCSR (APM vol. 4, FXRSTOR). */
static inline bool svm_mxcsr_valid(const struct svm_features *features, uint32_t mxcsr)
{
	return !(mxcsr & ~features->mxcsr_mask);
}

#endif

/* SPDX-License-Identifier: MIT */
/* The guest's memory-type range registers: stored values that are checked as WRMSR would. */
#ifndef SVM_MTRR_H
#define SVM_MTRR_H

#include "vp.h"

/* The status codes and promises of svm_get_register and svm_set_register, for MTRR names. */
uint16_t svm_get_mtrr(const struct svm_mtrrs *mtrrs, uint32_t name, uint64_t *value);
uint16_t svm_set_mtrr(struct svm_mtrrs *mtrrs, const struct svm_features *features, uint32_t name,
		      uint64_t value);

/* All eight bytes are memory types that PAT (pat) or a fixed-range MTRR (not pat) may have. */
bool svm_memory_types_valid(uint64_t value, bool pat);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef SVM_RUN_H
#define SVM_RUN_H

#include "cpu.h"

/*
 * Tells the driver that no translation older than the partition's present generation is in use
 * from here on; the next entry drops those that the processor may still have (R17).
 */
void svm_publish_generation(struct cpu *cpu);

#endif

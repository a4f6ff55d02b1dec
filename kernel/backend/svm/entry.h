/* SPDX-License-Identifier: MIT */
/* Offsets in struct svm_guest that entry.S needs; backend_cpu.h asserts each of them. */
#ifndef SVM_ENTRY_H
#define SVM_ENTRY_H

#define SVM_GUEST_RCX 0x08
#define SVM_GUEST_RDX 0x10
#define SVM_GUEST_RBX 0x18
#define SVM_GUEST_RBP 0x28
#define SVM_GUEST_RSI 0x30
#define SVM_GUEST_RDI 0x38
#define SVM_GUEST_R8 0x40
#define SVM_GUEST_R9 0x48
#define SVM_GUEST_R10 0x50
#define SVM_GUEST_R11 0x58
#define SVM_GUEST_R12 0x60
#define SVM_GUEST_R13 0x68
#define SVM_GUEST_R14 0x70
#define SVM_GUEST_R15 0x78
#define SVM_GUEST_TSS_DESCRIPTOR 0x80
#define SVM_GUEST_TSS_SELECTOR 0x88

/* Byte 5 of a TSS descriptor holds the type, and the busy bit in it (APM vol. 2, 4.8.3). */
#define TSS_TYPE_BYTE 5
#define TSS_BUSY 0x02

#endif

/* SPDX-License-Identifier: MIT */
/* Offsets in struct hyperv_guest that entry.S needs; backend_cpu.h asserts them. */
#ifndef HYPERV_ENTRY_H
#define HYPERV_ENTRY_H

#define HYPERV_GUEST_RDX 0x10
#define HYPERV_GUEST_RBX 0x18
#define HYPERV_GUEST_RBP 0x28
#define HYPERV_GUEST_RSI 0x30
#define HYPERV_GUEST_RDI 0x38
#define HYPERV_GUEST_R8 0x40
#define HYPERV_GUEST_R9 0x48
#define HYPERV_GUEST_R10 0x50
#define HYPERV_GUEST_R11 0x58
#define HYPERV_GUEST_R12 0x60
#define HYPERV_GUEST_R13 0x68
#define HYPERV_GUEST_R14 0x70
#define HYPERV_GUEST_R15 0x78

#endif

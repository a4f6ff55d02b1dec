/* SPDX-License-Identifier: MIT */
/*
 * Hyper-V definitions that the sidecar contract is written in: register names,
 * the register page, intercept messages, status codes, and the hypercalls that
 * the kernel's Hyper-V backend needs. Worlds S and H use the same layouts, so
 * that one VMM works in both.
 *
 * Stands alone in C11, C++17 and in a Linux module, where it excludes
 * <asm/hyperv-tlfs.h> (and <asm/svm.h>, which brings that in): the names are the
 * same, the definitions are not. All integers are little-endian. ABI structs have
 * no bit-fields: fields inside a word are named by masks (HV_X_MASK) and shifts
 * (HV_X_SHIFT).
 *
 * "Hypervisor" below means the Hyper-V hypervisor in world H and the sidecar
 * kernel's SVM backend, which plays its part, in world S.
 */
#ifndef SIDECAR_HV_H
#define SIDECAR_HV_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
#define SIDECAR_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define SIDECAR_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define SIDECAR_ASSERT_SIZE(type, size) \
	SIDECAR_STATIC_ASSERT(sizeof(type) == (size), "size of " #type " is not " #size)
#define SIDECAR_ASSERT_OFFSET(type, member, off) \
	SIDECAR_STATIC_ASSERT(__builtin_offsetof(type, member) == (off), \
			      "offset of " #type "." #member " is not " #off)

/* ---- Common values ---------------------------------------------------- */

#define HV_PAGE_SIZE 4096
#define HV_PAGE_SHIFT 12

#define HV_PARTITION_ID_SELF 0xffffffffffffffffULL
#define HV_VP_INDEX_SELF 0xfffffffeU
#define HV_ANY_VP 0xffffffffU

/* A register value, whatever the register's width. Written by whoever sets the register. */
struct hv_u128 {
	uint64_t low;
	uint64_t high;
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct hv_u128, 16);
SIDECAR_ASSERT_OFFSET(struct hv_u128, low, 0);
SIDECAR_ASSERT_OFFSET(struct hv_u128, high, 8);

/* A segment register; as a register value it is stored as these 16 bytes. */
struct hv_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attributes; /* HV_SEGMENT_* */
};
SIDECAR_ASSERT_SIZE(struct hv_segment, 16);
SIDECAR_ASSERT_OFFSET(struct hv_segment, base, 0);
SIDECAR_ASSERT_OFFSET(struct hv_segment, limit, 8);
SIDECAR_ASSERT_OFFSET(struct hv_segment, selector, 12);
SIDECAR_ASSERT_OFFSET(struct hv_segment, attributes, 14);

#define HV_SEGMENT_TYPE_MASK 0x000f
#define HV_SEGMENT_NON_SYSTEM 0x0010
#define HV_SEGMENT_DPL_SHIFT 5
#define HV_SEGMENT_DPL_MASK 0x0060
#define HV_SEGMENT_PRESENT 0x0080
#define HV_SEGMENT_RESERVED_MASK 0x0f00
#define HV_SEGMENT_AVAILABLE 0x1000
#define HV_SEGMENT_LONG 0x2000
#define HV_SEGMENT_DEFAULT 0x4000
#define HV_SEGMENT_GRANULARITY 0x8000

/* A descriptor-table register; as a register value it is stored as these 16 bytes. */
struct hv_table {
	uint16_t pad[3]; /* zero */
	uint16_t limit;
	uint64_t base;
};
SIDECAR_ASSERT_SIZE(struct hv_table, 16);
SIDECAR_ASSERT_OFFSET(struct hv_table, pad, 0);
SIDECAR_ASSERT_OFFSET(struct hv_table, limit, 6);
SIDECAR_ASSERT_OFFSET(struct hv_table, base, 8);

/* A register name with its value. The setter writes both; for a get the reader writes the name. */
struct hv_register_assoc {
	uint32_t name; /* HV_REGISTER_* */
	uint32_t reserved[3]; /* zero */
	struct hv_u128 value;
};
SIDECAR_ASSERT_SIZE(struct hv_register_assoc, 32);
SIDECAR_ASSERT_OFFSET(struct hv_register_assoc, name, 0);
SIDECAR_ASSERT_OFFSET(struct hv_register_assoc, reserved, 4);
SIDECAR_ASSERT_OFFSET(struct hv_register_assoc, value, 16);

/*
 * The 512-byte FXSAVE image as FXSAVE without REX.W writes it: fip and fdp are
 * then a 32-bit offset and a 16-bit selector. Written by user mode while the VP
 * is idle and by the sidecar CPU while it runs.
 */
struct hv_fx_state {
	uint16_t fcw;
	uint16_t fsw;
	uint8_t ftw; /* abridged: one bit per register, 1 = not empty */
	uint8_t reserved;
	uint16_t fop;
	uint64_t fip;
	uint64_t fdp;
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
	uint8_t st[8][16];
	uint8_t xmm[16][16];
	uint8_t reserved2[48];
	uint8_t unused[48];
};
SIDECAR_ASSERT_SIZE(struct hv_fx_state, 512);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, fcw, 0);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, fsw, 2);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, ftw, 4);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, reserved, 5);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, fop, 6);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, fip, 8);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, fdp, 16);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, mxcsr, 24);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, mxcsr_mask, 28);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, st, 32);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, xmm, 160);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, reserved2, 416);
SIDECAR_ASSERT_OFFSET(struct hv_fx_state, unused, 464);

#define HV_FX_DEFAULT_FCW 0x037f
#define HV_FX_DEFAULT_MXCSR 0x1f80

/* ---- Register page ---------------------------------------------------- */

/* Order of gp_registers here, and of gps in the command page but for slot 4 (CR2 there). */
#define HV_GP_RAX 0
#define HV_GP_RCX 1
#define HV_GP_RDX 2
#define HV_GP_RBX 3
#define HV_GP_RSP 4
#define HV_GP_RBP 5
#define HV_GP_RSI 6
#define HV_GP_RDI 7
#define HV_GP_R8 8
#define HV_GP_R9 9
#define HV_GP_R10 10
#define HV_GP_R11 11
#define HV_GP_R12 12
#define HV_GP_R13 13
#define HV_GP_R14 14
#define HV_GP_R15 15

/* Order of segment[] in the register page; register names follow the same order. */
#define HV_SEGMENT_INDEX_ES 0
#define HV_SEGMENT_INDEX_CS 1
#define HV_SEGMENT_INDEX_SS 2
#define HV_SEGMENT_INDEX_DS 3
#define HV_SEGMENT_INDEX_FS 4
#define HV_SEGMENT_INDEX_GS 5

#define HV_REGISTER_PAGE_DIRTY_GP 0x01
#define HV_REGISTER_PAGE_DIRTY_RIP 0x02
#define HV_REGISTER_PAGE_DIRTY_XMM 0x04
#define HV_REGISTER_PAGE_DIRTY_SEGMENTS 0x08
#define HV_REGISTER_PAGE_DIRTY_FLAGS 0x10
#define HV_REGISTER_PAGE_DIRTY_ALL 0x1f

#define HV_REGISTER_PAGE_VERSION 1

/*
 * Filled by the hypervisor when the guest stops; user mode changes fields up to
 * segment[] and sets their dirty bits, and the hypervisor takes those at the
 * next entry. Control registers are read only here.
 */
struct hv_register_page {
	uint16_t version;
	uint8_t is_valid;
	uint8_t vtl;
	uint32_t dirty; /* HV_REGISTER_PAGE_DIRTY_* */
	uint64_t gp_registers[16]; /* only RSP (slot 4) is taken from here */
	uint64_t rip;
	uint64_t rflags;
	uint64_t reserved;
	struct hv_u128 xmm[6];
	struct hv_segment segment[6]; /* HV_SEGMENT_INDEX_* */
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t cr8;
	uint64_t efer;
	uint64_t dr7;
	uint64_t pending_interruption;
	uint64_t interrupt_state;
	uint64_t instruction_emulation_hints;
	uint8_t reserved_end[3672];
};
SIDECAR_ASSERT_SIZE(struct hv_register_page, 4096);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, version, 0x000);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, is_valid, 0x002);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, vtl, 0x003);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, dirty, 0x004);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, gp_registers, 0x008);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, rip, 0x088);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, rflags, 0x090);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, reserved, 0x098);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, xmm, 0x0a0);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, segment, 0x100);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, cr0, 0x160);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, cr3, 0x168);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, cr4, 0x170);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, cr8, 0x178);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, efer, 0x180);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, dr7, 0x188);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, pending_interruption, 0x190);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, interrupt_state, 0x198);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, instruction_emulation_hints, 0x1a0);
SIDECAR_ASSERT_OFFSET(struct hv_register_page, reserved_end, 0x1a8);

#define HV_EMULATION_HINT_SECURE_VTL 0x1
#define HV_EMULATION_HINT_MBEC_USER_EXECUTE 0x2

/* ---- Status codes ----------------------------------------------------- */

#define HV_STATUS_SUCCESS 0x0000
#define HV_STATUS_INVALID_HYPERCALL_CODE 0x0002
#define HV_STATUS_INVALID_HYPERCALL_INPUT 0x0003
#define HV_STATUS_INVALID_ALIGNMENT 0x0004
#define HV_STATUS_INVALID_PARAMETER 0x0005
#define HV_STATUS_ACCESS_DENIED 0x0006
#define HV_STATUS_INVALID_PARTITION_STATE 0x0007
#define HV_STATUS_OPERATION_DENIED 0x0008
#define HV_STATUS_UNKNOWN_PROPERTY 0x0009
#define HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE 0x000a
#define HV_STATUS_INSUFFICIENT_MEMORY 0x000b
#define HV_STATUS_INVALID_PARTITION_ID 0x000d
#define HV_STATUS_INVALID_VP_INDEX 0x000e
#define HV_STATUS_NOT_FOUND 0x0010
#define HV_STATUS_INVALID_PORT_ID 0x0011
#define HV_STATUS_INVALID_CONNECTION_ID 0x0012
#define HV_STATUS_INSUFFICIENT_BUFFERS 0x0013
#define HV_STATUS_NOT_ACKNOWLEDGED 0x0014
#define HV_STATUS_INVALID_VP_STATE 0x0015
#define HV_STATUS_ACKNOWLEDGED 0x0016
#define HV_STATUS_INVALID_SYNIC_STATE 0x0018
#define HV_STATUS_OBJECT_IN_USE 0x0019
#define HV_STATUS_NO_DATA 0x001b
#define HV_STATUS_NO_RESOURCES 0x001d
#define HV_STATUS_FEATURE_UNAVAILABLE 0x001e
#define HV_STATUS_INSUFFICIENT_BUFFER 0x0033
#define HV_STATUS_PROCESSOR_STARTUP_TIMEOUT 0x003e
#define HV_STATUS_INVALID_LP_INDEX 0x0041
#define HV_STATUS_INVALID_REGISTER_VALUE 0x0050
#define HV_STATUS_INVALID_VTL_STATE 0x0051
#define HV_STATUS_OPERATION_FAILED 0x0071
#define HV_STATUS_NOT_ALLOWED_WITH_NESTED_VIRT_ACTIVE 0x0072
#define HV_STATUS_TIMEOUT 0x0078
#define HV_STATUS_VTL_ALREADY_ENABLED 0x0086
#define HV_STATUS_UNKNOWN_REGISTER_NAME 0x0087

/* ---- Input VTL byte --------------------------------------------------- */

#define HV_VTL_NUMBER_MASK 0x0f
#define HV_VTL_USE_NUMBER 0x10 /* clear: the current VTL, whatever the number says */
#define HV_VTL_RESERVED_MASK 0xe0
#define HV_VTL_CURRENT 0x00
#define HV_VTL_0 0x10
#define HV_VTL_1 0x11
#define HV_VTL_2 0x12

/* ---- TranslateVirtualAddress ------------------------------------------ */

#define HV_TRANSLATE_VALIDATE_READ 0x001ULL
#define HV_TRANSLATE_VALIDATE_WRITE 0x002ULL
#define HV_TRANSLATE_VALIDATE_EXECUTE 0x004ULL
#define HV_TRANSLATE_PRIVILEGE_EXEMPT 0x008ULL
#define HV_TRANSLATE_SET_PAGE_TABLE_BITS 0x010ULL
#define HV_TRANSLATE_TLB_FLUSH_INHIBIT 0x020ULL
#define HV_TRANSLATE_SUPERVISOR_ACCESS 0x040ULL
#define HV_TRANSLATE_USER_ACCESS 0x080ULL
#define HV_TRANSLATE_ENFORCE_SMAP 0x100ULL
#define HV_TRANSLATE_OVERRIDE_SMAP 0x200ULL
#define HV_TRANSLATE_SHADOW_STACK 0x400ULL
#define HV_TRANSLATE_FLAGS_MASK 0x7ffULL
#define HV_TRANSLATE_RESERVED_MASK 0x00fffffffffff800ULL
#define HV_TRANSLATE_VTL_SHIFT 56
#define HV_TRANSLATE_VTL_MASK 0xff00000000000000ULL

/* Result codes: bits 0-31 of the result word. */
#define HV_TRANSLATE_SUCCESS 0
#define HV_TRANSLATE_PAGE_NOT_PRESENT 1
#define HV_TRANSLATE_PRIVILEGE_VIOLATION 2
#define HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS 3
#define HV_TRANSLATE_GPA_UNMAPPED 4
#define HV_TRANSLATE_GPA_NO_READ_ACCESS 5
#define HV_TRANSLATE_GPA_NO_WRITE_ACCESS 6
#define HV_TRANSLATE_GPA_ILLEGAL_OVERLAY_ACCESS 7
#define HV_TRANSLATE_INTERCEPT 8
#define HV_TRANSLATE_GPA_UNACCEPTED 9

#define HV_TRANSLATE_RESULT_CODE_MASK 0xffffffffULL
#define HV_TRANSLATE_CACHE_TYPE_SHIFT 32
#define HV_TRANSLATE_CACHE_TYPE_MASK 0xff00000000ULL
#define HV_TRANSLATE_OVERLAY_PAGE 0x10000000000ULL

#define HV_CACHE_TYPE_UNCACHED 0
#define HV_CACHE_TYPE_WRITE_COMBINING 1
#define HV_CACHE_TYPE_WRITE_THROUGH 4
#define HV_CACHE_TYPE_WRITE_PROTECTED 5
#define HV_CACHE_TYPE_WRITE_BACK 6

/* Hypercall input, written by the caller of HV_CALL_TRANSLATE_VIRTUAL_ADDRESS(_EX). */
struct hv_translate_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint32_t reserved;
	uint64_t control_flags; /* HV_TRANSLATE_* */
	uint64_t gva_page;
};
SIDECAR_ASSERT_SIZE(struct hv_translate_input, 32);
SIDECAR_ASSERT_OFFSET(struct hv_translate_input, partition_id, 0);
SIDECAR_ASSERT_OFFSET(struct hv_translate_input, vp_index, 8);
SIDECAR_ASSERT_OFFSET(struct hv_translate_input, reserved, 12);
SIDECAR_ASSERT_OFFSET(struct hv_translate_input, control_flags, 16);
SIDECAR_ASSERT_OFFSET(struct hv_translate_input, gva_page, 24);

/* Result of the Ex call and of the sidecar TRANSLATE_GVA command, written by the hypervisor. */
struct hv_translate_output {
	uint64_t result;
	uint64_t reserved;
	struct hv_u128 event[2]; /* PendingEvent0 and 1 to inject when the translation failed */
	uint64_t gpa_page;
	uint64_t reserved2;
};
SIDECAR_ASSERT_SIZE(struct hv_translate_output, 64);
SIDECAR_ASSERT_OFFSET(struct hv_translate_output, result, 0);
SIDECAR_ASSERT_OFFSET(struct hv_translate_output, reserved, 8);
SIDECAR_ASSERT_OFFSET(struct hv_translate_output, event, 16);
SIDECAR_ASSERT_OFFSET(struct hv_translate_output, gpa_page, 48);
SIDECAR_ASSERT_OFFSET(struct hv_translate_output, reserved2, 56);

/* Result of the plain call, written by the hypervisor. */
struct hv_translate_plain_output {
	uint64_t result;
	uint64_t gpa_page;
};
SIDECAR_ASSERT_SIZE(struct hv_translate_plain_output, 16);
SIDECAR_ASSERT_OFFSET(struct hv_translate_plain_output, result, 0);
SIDECAR_ASSERT_OFFSET(struct hv_translate_plain_output, gpa_page, 8);

/* ---- VSM registers ---------------------------------------------------- */

#define HV_VSM_CODE_PAGE_CALL_OFFSET_MASK 0xfffULL
#define HV_VSM_CODE_PAGE_RETURN_OFFSET_SHIFT 12
#define HV_VSM_CODE_PAGE_RETURN_OFFSET_MASK 0xfff000ULL

#define HV_VSM_VP_STATUS_ACTIVE_VTL_MASK 0xfULL
#define HV_VSM_VP_STATUS_ACTIVE_MBEC 0x10ULL
#define HV_VSM_VP_STATUS_ENABLED_VTLS_SHIFT 16
#define HV_VSM_VP_STATUS_ENABLED_VTLS_MASK 0xffff0000ULL

#define HV_VSM_PARTITION_STATUS_ENABLED_VTLS_MASK 0xffffULL
#define HV_VSM_PARTITION_STATUS_MAX_VTL_SHIFT 16
#define HV_VSM_PARTITION_STATUS_MAX_VTL_MASK 0xf0000ULL
#define HV_VSM_PARTITION_STATUS_MBEC_SHIFT 20
#define HV_VSM_PARTITION_STATUS_MBEC_MASK 0xffff00000ULL
#define HV_VSM_PARTITION_STATUS_SHADOW_STACK_SHIFT 36
#define HV_VSM_PARTITION_STATUS_SHADOW_STACK_MASK 0xf000000000ULL

#define HV_VSM_VINA_VECTOR_MASK 0xffULL
#define HV_VSM_VINA_ENABLED 0x100ULL
#define HV_VSM_VINA_AUTO_RESET 0x200ULL
#define HV_VSM_VINA_AUTO_EOI 0x400ULL

#define HV_VSM_CAPABILITY_DR6_SHARED (1ULL << 0)
#define HV_VSM_CAPABILITY_MBEC_VTLS_SHIFT 1
#define HV_VSM_CAPABILITY_MBEC_VTLS_MASK 0x1fffeULL
#define HV_VSM_CAPABILITY_DENY_LOWER_VTL_STARTUP (1ULL << 17)
#define HV_VSM_CAPABILITY_SHADOW_STACK (1ULL << 18)
#define HV_VSM_CAPABILITY_HARDWARE_HVPT (1ULL << 19)
#define HV_VSM_CAPABILITY_SOFTWARE_HVPT (1ULL << 20)
#define HV_VSM_CAPABILITY_HVPT_RANGE_SHIFT 21
#define HV_VSM_CAPABILITY_HVPT_RANGE_MASK 0x7e00000ULL
#define HV_VSM_CAPABILITY_INTERCEPT_PAGE (1ULL << 27)
#define HV_VSM_CAPABILITY_RETURN_ACTION (1ULL << 28)
#define HV_VSM_CAPABILITY_VTL0_ALIAS_MAP (1ULL << 29)
#define HV_VSM_CAPABILITY_INTERCEPT_NOT_PRESENT (1ULL << 30)
#define HV_VSM_CAPABILITY_INSTALL_INTERCEPT_EX (1ULL << 31)
#define HV_VSM_CAPABILITY_INTERCEPT_SYSTEM_RESET (1ULL << 32)
#define HV_VSM_CAPABILITY_PROXY_INTERRUPT_REDIRECT (1ULL << 34)

#define HV_VSM_PARTITION_CONFIG_ENABLE_PROTECTION (1ULL << 0)
#define HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_SHIFT 1
#define HV_VSM_PARTITION_CONFIG_DEFAULT_PROTECTION_MASK 0x1eULL
#define HV_VSM_PARTITION_CONFIG_ZERO_MEMORY_ON_RESET (1ULL << 5)
#define HV_VSM_PARTITION_CONFIG_DENY_LOWER_VTL_STARTUP (1ULL << 6)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_ACCEPTANCE (1ULL << 7)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_ENABLE_PROTECTION (1ULL << 8)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_VP_STARTUP (1ULL << 9)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_UNIMPLEMENTED_CPUID (1ULL << 10)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_UNRECOVERABLE (1ULL << 11)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_PAGE (1ULL << 12)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_RESTORE_TIME (1ULL << 13)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_NOT_PRESENT (1ULL << 14)
#define HV_VSM_PARTITION_CONFIG_INTERCEPT_SYSTEM_RESET (1ULL << 15)

#define HV_VSM_SECURE_CONFIG_MBEC_ENABLED 0x1ULL
#define HV_VSM_SECURE_CONFIG_TLB_LOCKED 0x2ULL
#define HV_VSM_SECURE_CONFIG_SHADOW_STACK 0x4ULL
#define HV_VSM_SECURE_CONFIG_HVPT 0x8ULL
#define HV_VSM_WAIT_FOR_TLB_LOCK_WAIT 0x1ULL

/* VP assist MSR and register page register: bit 0 enable, bits 12-63 page number. */
#define HV_OVERLAY_ENABLE 0x1ULL
#define HV_OVERLAY_RESERVED_MASK 0xffeULL

/* ---- Interruptions and events ----------------------------------------- */

#define HV_INTERRUPTION_TYPE_EXTERNAL 0
#define HV_INTERRUPTION_TYPE_NMI 2
#define HV_INTERRUPTION_TYPE_EXCEPTION 3
#define HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT 4
#define HV_INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION 5
#define HV_INTERRUPTION_TYPE_SOFTWARE_EXCEPTION 6

#define HV_PENDING_INTERRUPTION_PENDING 0x1ULL
#define HV_PENDING_INTERRUPTION_TYPE_SHIFT 1
#define HV_PENDING_INTERRUPTION_TYPE_MASK 0xeULL
#define HV_PENDING_INTERRUPTION_ERROR_CODE_VALID 0x10ULL
#define HV_PENDING_INTERRUPTION_LENGTH_SHIFT 5
#define HV_PENDING_INTERRUPTION_LENGTH_MASK 0x1e0ULL
#define HV_PENDING_INTERRUPTION_NESTED 0x200ULL
#define HV_PENDING_INTERRUPTION_RESERVED_MASK 0xfc00ULL
#define HV_PENDING_INTERRUPTION_VECTOR_SHIFT 16
#define HV_PENDING_INTERRUPTION_VECTOR_MASK 0xffff0000ULL
#define HV_PENDING_INTERRUPTION_ERROR_CODE_SHIFT 32

#define HV_INTERRUPT_STATE_SHADOW 0x1ULL
#define HV_INTERRUPT_STATE_NMI_MASKED 0x2ULL
#define HV_INTERRUPT_STATE_RESERVED_MASK (~0x3ULL)

#define HV_EVENT_TYPE_EXCEPTION 0
#define HV_EVENT_TYPE_MEMORY_INTERCEPT 1
#define HV_EVENT_TYPE_NESTED_MEMORY_INTERCEPT 2
#define HV_EVENT_TYPE_VIRTUALIZATION_FAULT 3
#define HV_EVENT_TYPE_HYPERCALL_OUTPUT 4
#define HV_EVENT_TYPE_EXTERNAL_INTERRUPT 5
#define HV_EVENT_TYPE_SHADOW_IPT 6

/* Low word of PendingEvent0/1. */
#define HV_EVENT_PENDING 0x1ULL
#define HV_EVENT_TYPE_SHIFT 1
#define HV_EVENT_TYPE_MASK 0xeULL
/* exception; the high word is the parameter, e.g. CR2 of a page fault */
#define HV_EVENT_EXCEPTION_ERROR_CODE_VALID 0x100ULL
#define HV_EVENT_EXCEPTION_RESERVED_MASK 0xfef0ULL
#define HV_EVENT_EXCEPTION_VECTOR_SHIFT 16
#define HV_EVENT_EXCEPTION_VECTOR_MASK 0xffff0000ULL
#define HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT 32
/* external interrupt */
#define HV_EVENT_INTERRUPT_VECTOR_SHIFT 8
#define HV_EVENT_INTERRUPT_VECTOR_MASK 0xff00ULL
#define HV_EVENT_INTERRUPT_RESERVED_MASK 0xffffffffffff00f0ULL
/* virtualization fault; the high word is parameter 1 */
#define HV_EVENT_FAULT_PARAMETER0_SHIFT 16
#define HV_EVENT_FAULT_CODE_SHIFT 32
/* hypercall output; the high word is the GPA */
#define HV_EVENT_OUTPUT_RETIRED 0x100ULL
#define HV_EVENT_OUTPUT_SIZE_SHIFT 32

#define HV_DELIVERABILITY_NMI 0x1ULL
#define HV_DELIVERABILITY_INTERRUPT 0x2ULL
#define HV_DELIVERABILITY_PRIORITY_SHIFT 2
#define HV_DELIVERABILITY_PRIORITY_MASK 0x3cULL
#define HV_DELIVERABILITY_RESERVED_MASK 0x0000ffffffffffc0ULL
#define HV_DELIVERABILITY_SINTS_SHIFT 48
#define HV_DELIVERABILITY_SINTS_MASK 0xffff000000000000ULL

#define HV_ACTIVITY_STARTUP_SUSPEND 0x1ULL
#define HV_ACTIVITY_HALT_SUSPEND 0x2ULL
#define HV_ACTIVITY_IDLE_SUSPEND 0x4ULL
#define HV_ACTIVITY_RESERVED_MASK (~0x7ULL)

#define HV_SINT_VECTOR_MASK 0xffULL
#define HV_SINT_MASKED 0x10000ULL
#define HV_SINT_AUTO_EOI 0x20000ULL
#define HV_SINT_POLLING 0x40000ULL
#define HV_SINT_PROXY 0x100000ULL

/* ---- Register names --------------------------------------------------- */

#define HV_REGISTER_INSTRUCTION_EMULATION_HINTS 0x00000002U
#define HV_REGISTER_INTERNAL_ACTIVITY_STATE 0x00000004U
#define HV_REGISTER_CRASH_P0 0x00000210U
#define HV_REGISTER_CRASH_P1 0x00000211U
#define HV_REGISTER_CRASH_P2 0x00000212U
#define HV_REGISTER_CRASH_P3 0x00000213U
#define HV_REGISTER_CRASH_P4 0x00000214U
#define HV_REGISTER_CRASH_CTL 0x00000215U
#define HV_REGISTER_PENDING_INTERRUPTION 0x00010002U
#define HV_REGISTER_INTERRUPT_STATE 0x00010003U
#define HV_REGISTER_PENDING_EVENT0 0x00010004U
#define HV_REGISTER_PENDING_EVENT1 0x00010005U
#define HV_REGISTER_DELIVERABILITY_NOTIFICATIONS 0x00010006U

#define HV_REGISTER_RAX 0x00020000U
#define HV_REGISTER_RCX 0x00020001U
#define HV_REGISTER_RDX 0x00020002U
#define HV_REGISTER_RBX 0x00020003U
#define HV_REGISTER_RSP 0x00020004U
#define HV_REGISTER_RBP 0x00020005U
#define HV_REGISTER_RSI 0x00020006U
#define HV_REGISTER_RDI 0x00020007U
#define HV_REGISTER_R8 0x00020008U
#define HV_REGISTER_R9 0x00020009U
#define HV_REGISTER_R10 0x0002000aU
#define HV_REGISTER_R11 0x0002000bU
#define HV_REGISTER_R12 0x0002000cU
#define HV_REGISTER_R13 0x0002000dU
#define HV_REGISTER_R14 0x0002000eU
#define HV_REGISTER_R15 0x0002000fU
#define HV_REGISTER_RIP 0x00020010U
#define HV_REGISTER_RFLAGS 0x00020011U

#define HV_REGISTER_XMM0 0x00030000U /* to XMM15 at 0x0003000f */
#define HV_REGISTER_XMM15 0x0003000fU
#define HV_REGISTER_FPMMX0 0x00030010U /* to FPMMX7 at 0x00030017 */
#define HV_REGISTER_FPMMX7 0x00030017U
#define HV_REGISTER_FP_CONTROL_STATUS 0x00030018U
#define HV_REGISTER_XMM_CONTROL_STATUS 0x00030019U

#define HV_REGISTER_CR0 0x00040000U
#define HV_REGISTER_CR2 0x00040001U
#define HV_REGISTER_CR3 0x00040002U
#define HV_REGISTER_CR4 0x00040003U
#define HV_REGISTER_CR8 0x00040004U
#define HV_REGISTER_XFEM 0x00040005U
#define HV_REGISTER_INTERMEDIATE_CR0 0x00041000U
#define HV_REGISTER_INTERMEDIATE_CR3 0x00041002U
#define HV_REGISTER_INTERMEDIATE_CR4 0x00041003U
#define HV_REGISTER_INTERMEDIATE_CR8 0x00041004U

#define HV_REGISTER_DR0 0x00050000U
#define HV_REGISTER_DR1 0x00050001U
#define HV_REGISTER_DR2 0x00050002U
#define HV_REGISTER_DR3 0x00050003U
#define HV_REGISTER_DR6 0x00050004U
#define HV_REGISTER_DR7 0x00050005U

#define HV_REGISTER_ES 0x00060000U
#define HV_REGISTER_CS 0x00060001U
#define HV_REGISTER_SS 0x00060002U
#define HV_REGISTER_DS 0x00060003U
#define HV_REGISTER_FS 0x00060004U
#define HV_REGISTER_GS 0x00060005U
#define HV_REGISTER_LDTR 0x00060006U
#define HV_REGISTER_TR 0x00060007U
#define HV_REGISTER_IDTR 0x00070000U
#define HV_REGISTER_GDTR 0x00070001U

#define HV_REGISTER_TSC 0x00080000U
#define HV_REGISTER_EFER 0x00080001U
#define HV_REGISTER_KERNEL_GS_BASE 0x00080002U
#define HV_REGISTER_APIC_BASE 0x00080003U
#define HV_REGISTER_PAT 0x00080004U
#define HV_REGISTER_SYSENTER_CS 0x00080005U
#define HV_REGISTER_SYSENTER_EIP 0x00080006U
#define HV_REGISTER_SYSENTER_ESP 0x00080007U
#define HV_REGISTER_STAR 0x00080008U
#define HV_REGISTER_LSTAR 0x00080009U
#define HV_REGISTER_CSTAR 0x0008000aU
#define HV_REGISTER_SFMASK 0x0008000bU
#define HV_REGISTER_INITIAL_APIC_ID 0x0008000cU
#define HV_REGISTER_MTRR_CAP 0x0008000dU
#define HV_REGISTER_MTRR_DEF_TYPE 0x0008000eU
#define HV_REGISTER_MTRR_PHYS_BASE0 0x00080010U /* to PHYS_BASE15 */
#define HV_REGISTER_MTRR_PHYS_BASE15 0x0008001fU
#define HV_REGISTER_MTRR_PHYS_MASK0 0x00080040U /* to PHYS_MASK15 */
#define HV_REGISTER_MTRR_PHYS_MASK15 0x0008004fU
#define HV_REGISTER_MTRR_FIX64K_00000 0x00080070U
#define HV_REGISTER_MTRR_FIX16K_80000 0x00080071U
#define HV_REGISTER_MTRR_FIX16K_A0000 0x00080072U
#define HV_REGISTER_MTRR_FIX4K_C0000 0x00080073U
#define HV_REGISTER_MTRR_FIX4K_C8000 0x00080074U
#define HV_REGISTER_MTRR_FIX4K_D0000 0x00080075U
#define HV_REGISTER_MTRR_FIX4K_D8000 0x00080076U
#define HV_REGISTER_MTRR_FIX4K_E0000 0x00080077U
#define HV_REGISTER_MTRR_FIX4K_E8000 0x00080078U
#define HV_REGISTER_MTRR_FIX4K_F0000 0x00080079U
#define HV_REGISTER_MTRR_FIX4K_F8000 0x0008007aU
#define HV_REGISTER_TSC_AUX 0x0008007bU
#define HV_REGISTER_BNDCFGS 0x0008007cU
#define HV_REGISTER_DEBUGCTL 0x0008007dU
#define HV_REGISTER_MPERF 0x0008007eU
#define HV_REGISTER_APERF 0x0008007fU
#define HV_REGISTER_SGX_LAUNCH_CONTROL0 0x00080080U /* to CONTROL3 */
#define HV_REGISTER_SGX_LAUNCH_CONTROL3 0x00080083U
#define HV_REGISTER_SPEC_CTRL 0x00080084U
#define HV_REGISTER_PRED_CMD 0x00080085U
#define HV_REGISTER_VIRT_SPEC_CTRL 0x00080086U
#define HV_REGISTER_TSC_VIRTUAL_OFFSET 0x00080087U
#define HV_REGISTER_TSX_CTRL 0x00080088U
#define HV_REGISTER_MICROCODE_PATCH_LEVEL 0x00080089U
#define HV_REGISTER_XSS 0x0008008bU
#define HV_REGISTER_U_CET 0x0008008cU
#define HV_REGISTER_S_CET 0x0008008dU
#define HV_REGISTER_SSP 0x0008008eU
#define HV_REGISTER_PL0_SSP 0x0008008fU
#define HV_REGISTER_PL1_SSP 0x00080090U
#define HV_REGISTER_PL2_SSP 0x00080091U
#define HV_REGISTER_PL3_SSP 0x00080092U
#define HV_REGISTER_INTERRUPT_SSP_TABLE 0x00080093U
#define HV_REGISTER_TSC_VIRTUAL_MULTIPLIER 0x00080094U
#define HV_REGISTER_TSC_DEADLINE 0x00080095U
#define HV_REGISTER_TSC_ADJUST 0x00080096U
#define HV_REGISTER_PASID 0x00080097U
#define HV_REGISTER_UMWAIT_CONTROL 0x00080098U
#define HV_REGISTER_XFD 0x00080099U
#define HV_REGISTER_XFD_ERR 0x0008009aU
#define HV_REGISTER_APIC_BASE_NAME 0x00084000U /* plus the x2APIC MSR number */

#define HV_REGISTER_VP_RUNTIME 0x00090000U
#define HV_REGISTER_HYPERCALL 0x00090001U
#define HV_REGISTER_GUEST_OS_ID 0x00090002U
#define HV_REGISTER_VP_INDEX 0x00090003U
#define HV_REGISTER_TIME_REF_COUNT 0x00090004U
#define HV_REGISTER_CPU_MANAGEMENT_VERSION 0x00090007U
#define HV_REGISTER_VP_ASSIST_PAGE 0x00090013U
#define HV_REGISTER_ROOT_SIGNAL_COUNT 0x00090014U
#define HV_REGISTER_REFERENCE_TSC 0x00090017U
#define HV_REGISTER_VP_CONFIG 0x00090018U
#define HV_REGISTER_GHCB 0x00090019U
#define HV_REGISTER_REFERENCE_TSC_SEQUENCE 0x0009001aU
#define HV_REGISTER_GUEST_SCHEDULER_EVENT 0x0009001bU
#define HV_REGISTER_REGISTER_PAGE 0x0009001cU
#define HV_REGISTER_EMULATED_TIMER_PERIOD 0x00090030U
#define HV_REGISTER_EMULATED_TIMER_CONTROL 0x00090031U
#define HV_REGISTER_PM_TIMER_ASSIST 0x00090032U
#define HV_REGISTER_SEV_CONTROL 0x00090040U
#define HV_REGISTER_SEV_GHCB_GPA 0x00090041U
#define HV_REGISTER_SEV_AVIC_GPA 0x00090043U
#define HV_REGISTER_SINT0 0x000a0000U /* to SINT15 */
#define HV_REGISTER_SINT15 0x000a000fU
#define HV_REGISTER_SCONTROL 0x000a0010U
#define HV_REGISTER_SVERSION 0x000a0011U
#define HV_REGISTER_SIEFP 0x000a0012U
#define HV_REGISTER_SIMP 0x000a0013U
#define HV_REGISTER_EOM 0x000a0014U
#define HV_REGISTER_SIRBP 0x000a0015U
#define HV_REGISTER_STIMER0_CONFIG 0x000b0000U /* config and count of four timers */
#define HV_REGISTER_STIMER3_COUNT 0x000b0007U
#define HV_REGISTER_STIME_UNHALTED_TIMER_CONFIG 0x000b0100U
#define HV_REGISTER_STIME_UNHALTED_TIMER_COUNT 0x000b0101U
#define HV_REGISTER_VSM_CODE_PAGE_OFFSETS 0x000d0002U
#define HV_REGISTER_VSM_VP_STATUS 0x000d0003U
#define HV_REGISTER_VSM_PARTITION_STATUS 0x000d0004U
#define HV_REGISTER_VSM_VINA 0x000d0005U
#define HV_REGISTER_VSM_CAPABILITIES 0x000d0006U
#define HV_REGISTER_VSM_PARTITION_CONFIG 0x000d0007U
#define HV_REGISTER_GUEST_VSM_PARTITION_CONFIG 0x000d0008U
#define HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL0 0x000d0010U /* to VTL14 */
#define HV_REGISTER_VSM_VP_SECURE_CONFIG_VTL14 0x000d001eU
#define HV_REGISTER_VSM_VP_WAIT_FOR_TLB_LOCK 0x000d0020U
#define HV_REGISTER_CR_INTERCEPT_CONTROL 0x000e0000U
#define HV_REGISTER_CR_INTERCEPT_CR0_MASK 0x000e0001U
#define HV_REGISTER_CR_INTERCEPT_CR4_MASK 0x000e0002U
#define HV_REGISTER_CR_INTERCEPT_MISC_ENABLE_MASK 0x000e0003U

#define HV_APIC_BASE_BSP 0x100ULL
#define HV_APIC_BASE_X2APIC 0x400ULL
#define HV_APIC_BASE_ENABLE 0x800ULL
#define HV_APIC_BASE_PAGE_MASK 0xffffff000ULL

/* ---- Messages --------------------------------------------------------- */

#define HV_MESSAGE_NONE 0x00000000U
#define HV_MESSAGE_UNMAPPED_GPA 0x80000000U
#define HV_MESSAGE_GPA_INTERCEPT 0x80000001U
#define HV_MESSAGE_UNACCEPTED_GPA 0x80000003U
#define HV_MESSAGE_GPA_ATTRIBUTE_INTERCEPT 0x80000004U
#define HV_MESSAGE_ENABLE_PARTITION_VTL_INTERCEPT 0x80000005U
#define HV_MESSAGE_TIMER_EXPIRED 0x80000010U
#define HV_MESSAGE_INVALID_VP_REGISTER_VALUE 0x80000020U
#define HV_MESSAGE_UNRECOVERABLE_EXCEPTION 0x80000021U
#define HV_MESSAGE_UNSUPPORTED_FEATURE 0x80000022U
#define HV_MESSAGE_TLB_PAGE_SIZE_MISMATCH 0x80000023U
#define HV_MESSAGE_IOMMU_FAULT 0x80000024U
#define HV_MESSAGE_EVENT_LOG_BUFFER_COMPLETE 0x80000040U
#define HV_MESSAGE_HYPERCALL_INTERCEPT 0x80000050U
#define HV_MESSAGE_SYNIC_EVENT_INTERCEPT 0x80000060U
#define HV_MESSAGE_SYNIC_SINT_INTERCEPT 0x80000061U
#define HV_MESSAGE_SYNIC_SINT_DELIVERABLE 0x80000062U
#define HV_MESSAGE_ASYNC_CALL_COMPLETION 0x80000070U
#define HV_MESSAGE_IO_PORT_INTERCEPT 0x80010000U
#define HV_MESSAGE_MSR_INTERCEPT 0x80010001U
#define HV_MESSAGE_CPUID_INTERCEPT 0x80010002U
#define HV_MESSAGE_EXCEPTION_INTERCEPT 0x80010003U
#define HV_MESSAGE_APIC_EOI 0x80010004U
#define HV_MESSAGE_IOMMU_PRQ 0x80010005U
#define HV_MESSAGE_REGISTER_INTERCEPT 0x80010006U
#define HV_MESSAGE_HALT 0x80010007U
#define HV_MESSAGE_INTERRUPTION_DELIVERABLE 0x80010008U
#define HV_MESSAGE_SIPI_INTERCEPT 0x80010009U
#define HV_MESSAGE_RDTSC_INTERCEPT 0x8001000aU
#define HV_MESSAGE_APIC_SMI_INTERCEPT 0x8001000bU
#define HV_MESSAGE_ARM64_RESET 0x8001000cU
#define HV_MESSAGE_APIC_INIT_SIPI_INTERCEPT 0x8001000dU
#define HV_MESSAGE_APIC_WRITE_INTERCEPT 0x8001000eU
#define HV_MESSAGE_PROXY_INTERRUPT_INTERCEPT 0x8001000fU
#define HV_MESSAGE_ISOLATION_CONTROL_REGISTER_INTERCEPT 0x80010010U
#define HV_MESSAGE_SNP_GUEST_REQUEST_INTERCEPT 0x80010011U
#define HV_MESSAGE_EXCEPTION_TRAP_INTERCEPT 0x80010012U
#define HV_MESSAGE_SEV_VMGEXIT_INTERCEPT 0x80010013U

#define HV_MESSAGE_SIZE 256
#define HV_MESSAGE_PAYLOAD_SIZE 240
#define HV_MESSAGE_FLAG_PENDING 0x01

/* Start of every message, written by the hypervisor. */
struct hv_message_header {
	uint32_t type; /* HV_MESSAGE_* */
	uint8_t length; /* payload bytes used */
	uint8_t flags;
	uint16_t reserved;
	uint64_t id;
};
SIDECAR_ASSERT_SIZE(struct hv_message_header, 16);
SIDECAR_ASSERT_OFFSET(struct hv_message_header, type, 0);
SIDECAR_ASSERT_OFFSET(struct hv_message_header, length, 4);
SIDECAR_ASSERT_OFFSET(struct hv_message_header, flags, 5);
SIDECAR_ASSERT_OFFSET(struct hv_message_header, reserved, 6);
SIDECAR_ASSERT_OFFSET(struct hv_message_header, id, 8);

/* A message, written by the hypervisor; unused payload bytes are zero. */
struct hv_message {
	struct hv_message_header header;
	uint8_t payload[HV_MESSAGE_PAYLOAD_SIZE];
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct hv_message, 256);
SIDECAR_ASSERT_OFFSET(struct hv_message, header, 0);
SIDECAR_ASSERT_OFFSET(struct hv_message, payload, 16);

#define HV_INTERCEPT_ACCESS_READ 0
#define HV_INTERCEPT_ACCESS_WRITE 1
#define HV_INTERCEPT_ACCESS_EXECUTE 2

#define HV_INTERCEPT_LENGTH_MASK 0x0f
#define HV_INTERCEPT_CR8_SHIFT 4

#define HV_EXECUTION_STATE_CPL_MASK 0x0003
#define HV_EXECUTION_STATE_CR0_PE 0x0004
#define HV_EXECUTION_STATE_CR0_AM 0x0008
#define HV_EXECUTION_STATE_EFER_LMA 0x0010
#define HV_EXECUTION_STATE_DEBUG_ACTIVE 0x0020
#define HV_EXECUTION_STATE_INTERRUPTION_PENDING 0x0040
#define HV_EXECUTION_STATE_VTL_SHIFT 7
#define HV_EXECUTION_STATE_VTL_MASK 0x0780
#define HV_EXECUTION_STATE_ENCLAVE_MODE 0x0800
#define HV_EXECUTION_STATE_INTERRUPT_SHADOW 0x1000
#define HV_EXECUTION_STATE_VIRTUALIZATION_FAULT 0x2000

/* First part of the payload of every intercept message, written by the hypervisor. */
struct hv_intercept_header {
	uint32_t vp_index;
	uint8_t instruction_length_and_cr8;
	uint8_t intercept_access_type; /* HV_INTERCEPT_ACCESS_* */
	uint16_t execution_state; /* HV_EXECUTION_STATE_* */
	struct hv_segment cs_segment;
	uint64_t rip;
	uint64_t rflags;
};
SIDECAR_ASSERT_SIZE(struct hv_intercept_header, 40);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, vp_index, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, instruction_length_and_cr8, 0x04);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, intercept_access_type, 0x05);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, execution_state, 0x06);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, cs_segment, 0x08);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, rip, 0x18);
SIDECAR_ASSERT_OFFSET(struct hv_intercept_header, rflags, 0x20);

#define HV_IO_ACCESS_SIZE_MASK 0x07
#define HV_IO_ACCESS_STRING 0x08
#define HV_IO_ACCESS_REP 0x10

/* Payload of HV_MESSAGE_IO_PORT_INTERCEPT, written by the hypervisor. */
struct hv_io_message {
	struct hv_intercept_header header;
	uint16_t port_number;
	uint8_t access_info; /* HV_IO_ACCESS_* */
	uint8_t instruction_byte_count;
	uint32_t reserved;
	uint64_t rax;
	uint8_t instruction_bytes[16];
	struct hv_segment ds_segment;
	struct hv_segment es_segment;
	uint64_t rcx;
	uint64_t rsi;
	uint64_t rdi;
};
SIDECAR_ASSERT_SIZE(struct hv_io_message, 128);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, port_number, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, access_info, 0x2a);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, instruction_byte_count, 0x2b);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, reserved, 0x2c);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, rax, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, instruction_bytes, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, ds_segment, 0x48);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, es_segment, 0x58);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, rcx, 0x68);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, rsi, 0x70);
SIDECAR_ASSERT_OFFSET(struct hv_io_message, rdi, 0x78);

#define HV_MEMORY_ACCESS_GVA_VALID 0x01
#define HV_MEMORY_ACCESS_GVA_GPA_VALID 0x02
#define HV_MEMORY_ACCESS_HYPERCALL_OUTPUT_PENDING 0x04
#define HV_MEMORY_ACCESS_TLB_LOCKED 0x08
#define HV_MEMORY_ACCESS_SUPERVISOR_SHADOW_STACK 0x10

/* Payload of the GPA intercepts, written by the hypervisor. */
struct hv_memory_message {
	struct hv_intercept_header header;
	uint32_t cache_type; /* HV_CACHE_TYPE_* */
	uint8_t instruction_byte_count;
	uint8_t memory_access_info; /* HV_MEMORY_ACCESS_* */
	uint8_t tpr_priority;
	uint8_t reserved;
	uint64_t guest_virtual_address;
	uint64_t guest_physical_address;
	uint8_t instruction_bytes[16];
};
SIDECAR_ASSERT_SIZE(struct hv_memory_message, 80);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, cache_type, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, instruction_byte_count, 0x2c);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, memory_access_info, 0x2d);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, tpr_priority, 0x2e);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, reserved, 0x2f);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, guest_virtual_address, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, guest_physical_address, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_memory_message, instruction_bytes, 0x40);

/* Payload of HV_MESSAGE_MSR_INTERCEPT, written by the hypervisor. */
struct hv_msr_message {
	struct hv_intercept_header header;
	uint32_t msr_number;
	uint32_t reserved;
	uint64_t rdx;
	uint64_t rax;
};
SIDECAR_ASSERT_SIZE(struct hv_msr_message, 64);
SIDECAR_ASSERT_OFFSET(struct hv_msr_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_msr_message, msr_number, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_msr_message, reserved, 0x2c);
SIDECAR_ASSERT_OFFSET(struct hv_msr_message, rdx, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_msr_message, rax, 0x38);

/* Payload of HV_MESSAGE_CPUID_INTERCEPT, written by the hypervisor. */
struct hv_cpuid_message {
	struct hv_intercept_header header;
	uint64_t rax; /* leaf */
	uint64_t rcx; /* subleaf */
	uint64_t rdx;
	uint64_t rbx;
	uint64_t default_result_rax;
	uint64_t default_result_rcx;
	uint64_t default_result_rdx;
	uint64_t default_result_rbx;
};
SIDECAR_ASSERT_SIZE(struct hv_cpuid_message, 104);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, rax, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, rcx, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, rdx, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, rbx, 0x40);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, default_result_rax, 0x48);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, default_result_rcx, 0x50);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, default_result_rdx, 0x58);
SIDECAR_ASSERT_OFFSET(struct hv_cpuid_message, default_result_rbx, 0x60);

#define HV_HYPERCALL_MESSAGE_ISOLATED 0x1

/* Payload of HV_MESSAGE_HYPERCALL_INTERCEPT, written by the hypervisor. */
struct hv_hypercall_message {
	struct hv_intercept_header header;
	uint64_t rax;
	uint64_t rbx;
	uint64_t rcx;
	uint64_t rdx;
	uint64_t r8;
	uint64_t rsi;
	uint64_t rdi;
	struct hv_u128 xmm_registers[6];
	uint32_t flags;
	uint32_t reserved[3];
} __attribute__((aligned(16)));
SIDECAR_ASSERT_SIZE(struct hv_hypercall_message, 208);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rax, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rbx, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rcx, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rdx, 0x40);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, r8, 0x48);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rsi, 0x50);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, rdi, 0x58);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, xmm_registers, 0x60);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, flags, 0xc0);
SIDECAR_ASSERT_OFFSET(struct hv_hypercall_message, reserved, 0xc4);

#define HV_EXCEPTION_INFO_ERROR_CODE_VALID 0x01
#define HV_EXCEPTION_INFO_SOFTWARE 0x02

/* Payload of HV_MESSAGE_EXCEPTION_INTERCEPT, written by the hypervisor. */
struct hv_exception_message {
	struct hv_intercept_header header;
	uint16_t vector;
	uint8_t exception_info; /* HV_EXCEPTION_INFO_* */
	uint8_t instruction_byte_count;
	uint32_t error_code;
	uint64_t exception_parameter;
	uint64_t reserved;
	uint8_t instruction_bytes[16];
	struct hv_segment ds_segment;
	struct hv_segment ss_segment;
	uint64_t rax;
	uint64_t rcx;
	uint64_t rdx;
	uint64_t rbx;
	uint64_t rsp;
	uint64_t rbp;
	uint64_t rsi;
	uint64_t rdi;
	uint64_t r8;
	uint64_t r9;
	uint64_t r10;
	uint64_t r11;
	uint64_t r12;
	uint64_t r13;
	uint64_t r14;
	uint64_t r15;
};
SIDECAR_ASSERT_SIZE(struct hv_exception_message, 240);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, vector, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, exception_info, 0x2a);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, instruction_byte_count, 0x2b);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, error_code, 0x2c);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, exception_parameter, 0x30);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, reserved, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, instruction_bytes, 0x40);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, ds_segment, 0x50);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, ss_segment, 0x60);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rax, 0x70);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rcx, 0x78);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rdx, 0x80);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rbx, 0x88);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rsp, 0x90);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rbp, 0x98);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rsi, 0xa0);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, rdi, 0xa8);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r8, 0xb0);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r9, 0xb8);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r10, 0xc0);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r11, 0xc8);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r12, 0xd0);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r13, 0xd8);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r14, 0xe0);
SIDECAR_ASSERT_OFFSET(struct hv_exception_message, r15, 0xe8);

/* Payload of HV_MESSAGE_SYNIC_SINT_DELIVERABLE, written by the hypervisor. */
struct hv_sint_deliverable_message {
	struct hv_intercept_header header;
	uint16_t deliverable_sints;
	uint16_t reserved;
	uint32_t reserved2;
};
SIDECAR_ASSERT_SIZE(struct hv_sint_deliverable_message, 48);
SIDECAR_ASSERT_OFFSET(struct hv_sint_deliverable_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_sint_deliverable_message, deliverable_sints, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_sint_deliverable_message, reserved, 0x2a);
SIDECAR_ASSERT_OFFSET(struct hv_sint_deliverable_message, reserved2, 0x2c);

/* Payload of HV_MESSAGE_INTERRUPTION_DELIVERABLE, written by the hypervisor. */
struct hv_interruption_deliverable_message {
	struct hv_intercept_header header;
	uint8_t deliverable_type; /* HV_INTERRUPTION_TYPE_* */
	uint8_t reserved[3];
	uint32_t reserved2;
};
SIDECAR_ASSERT_SIZE(struct hv_interruption_deliverable_message, 48);
SIDECAR_ASSERT_OFFSET(struct hv_interruption_deliverable_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_interruption_deliverable_message, deliverable_type, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_interruption_deliverable_message, reserved, 0x29);
SIDECAR_ASSERT_OFFSET(struct hv_interruption_deliverable_message, reserved2, 0x2c);

/* Payload of HV_MESSAGE_SIPI_INTERCEPT, written by the hypervisor. */
struct hv_sipi_message {
	struct hv_intercept_header header;
	uint32_t target_vp_index;
	uint32_t vector;
};
SIDECAR_ASSERT_SIZE(struct hv_sipi_message, 48);
SIDECAR_ASSERT_OFFSET(struct hv_sipi_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_sipi_message, target_vp_index, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_sipi_message, vector, 0x2c);

#define HV_REGISTER_MESSAGE_MEMORY_OPERAND 0x01

/* Payload of HV_MESSAGE_REGISTER_INTERCEPT, written by the hypervisor. */
struct hv_register_message {
	struct hv_intercept_header header;
	uint8_t flags;
	uint8_t reserved;
	uint16_t reserved2;
	uint32_t register_name;
	struct hv_u128 access_info; /* the value being written */
};
SIDECAR_ASSERT_SIZE(struct hv_register_message, 64);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, header, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, flags, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, reserved, 0x29);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, reserved2, 0x2a);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, register_name, 0x2c);
SIDECAR_ASSERT_OFFSET(struct hv_register_message, access_info, 0x30);

/* Payload of HV_MESSAGE_APIC_EOI, written by the hypervisor. */
struct hv_apic_eoi_message {
	uint32_t vp_index;
	uint32_t interrupt_vector;
};
SIDECAR_ASSERT_SIZE(struct hv_apic_eoi_message, 8);
SIDECAR_ASSERT_OFFSET(struct hv_apic_eoi_message, vp_index, 0);
SIDECAR_ASSERT_OFFSET(struct hv_apic_eoi_message, interrupt_vector, 4);

/* Payload of HV_MESSAGE_INVALID_VP_REGISTER_VALUE, written by the hypervisor. */
struct hv_invalid_register_message {
	uint32_t vp_index;
	uint32_t reserved;
};
SIDECAR_ASSERT_SIZE(struct hv_invalid_register_message, 8);
SIDECAR_ASSERT_OFFSET(struct hv_invalid_register_message, vp_index, 0);
SIDECAR_ASSERT_OFFSET(struct hv_invalid_register_message, reserved, 4);

/* Payload of HV_MESSAGE_UNRECOVERABLE_EXCEPTION, written by the hypervisor. */
struct hv_unrecoverable_message {
	struct hv_intercept_header header;
};
SIDECAR_ASSERT_SIZE(struct hv_unrecoverable_message, 40);
SIDECAR_ASSERT_OFFSET(struct hv_unrecoverable_message, header, 0);

/* Payload of HV_MESSAGE_HALT, written by the hypervisor. */
struct hv_halt_message {
	struct hv_intercept_header header;
};
SIDECAR_ASSERT_SIZE(struct hv_halt_message, 40);
SIDECAR_ASSERT_OFFSET(struct hv_halt_message, header, 0);

/* Payload of HV_MESSAGE_TIMER_EXPIRED, written by the hypervisor. */
struct hv_timer_message {
	uint32_t timer_index;
	uint32_t reserved;
	uint64_t expiration_time;
	uint64_t delivery_time;
};
SIDECAR_ASSERT_SIZE(struct hv_timer_message, 24);
SIDECAR_ASSERT_OFFSET(struct hv_timer_message, timer_index, 0);
SIDECAR_ASSERT_OFFSET(struct hv_timer_message, reserved, 4);
SIDECAR_ASSERT_OFFSET(struct hv_timer_message, expiration_time, 8);
SIDECAR_ASSERT_OFFSET(struct hv_timer_message, delivery_time, 16);

/* ---- Hypercalls ------------------------------------------------------- */

/* Input control word (RCX). */
#define HV_HYPERCALL_CODE_MASK 0xffffULL
#define HV_HYPERCALL_FAST (1ULL << 16)
#define HV_HYPERCALL_VARIABLE_HEADER_SHIFT 17
#define HV_HYPERCALL_VARIABLE_HEADER_MASK 0x7fe0000ULL
#define HV_HYPERCALL_NESTED (1ULL << 31)
#define HV_HYPERCALL_REP_COUNT_SHIFT 32
#define HV_HYPERCALL_REP_COUNT_MASK 0xfff00000000ULL
#define HV_HYPERCALL_REP_START_SHIFT 48
#define HV_HYPERCALL_REP_START_MASK 0xfff000000000000ULL

/* Result word (RAX). */
#define HV_HYPERCALL_STATUS_MASK 0xffffULL
#define HV_HYPERCALL_REPS_COMPLETED_SHIFT 32
#define HV_HYPERCALL_REPS_COMPLETED_MASK 0xfff00000000ULL

#define HV_CALL_SWITCH_VIRTUAL_ADDRESS_SPACE 0x0001
#define HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE 0x0002
#define HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST 0x0003
#define HV_CALL_NOTIFY_LONG_SPIN_WAIT 0x0008
#define HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI 0x000b
#define HV_CALL_MODIFY_VTL_PROTECTION_MASK 0x000c
#define HV_CALL_ENABLE_PARTITION_VTL 0x000d
#define HV_CALL_ENABLE_VP_VTL 0x000f
#define HV_CALL_VTL_CALL 0x0011
#define HV_CALL_VTL_RETURN 0x0012
#define HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX 0x0013
#define HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX 0x0014
#define HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX 0x0015
#define HV_CALL_INSTALL_INTERCEPT 0x004d
#define HV_CALL_GET_VP_REGISTERS 0x0050
#define HV_CALL_SET_VP_REGISTERS 0x0051
#define HV_CALL_TRANSLATE_VIRTUAL_ADDRESS 0x0052
#define HV_CALL_POST_MESSAGE 0x005c
#define HV_CALL_SIGNAL_EVENT 0x005d
#define HV_CALL_OUTPUT_DEBUG_CHARACTER 0x0071
#define HV_CALL_GET_SYSTEM_PROPERTY 0x007b
#define HV_CALL_RETARGET_DEVICE_INTERRUPT 0x007e
#define HV_CALL_NOTIFY_PARTITION_EVENT 0x0087
#define HV_CALL_REGISTER_INTERCEPT_RESULT 0x0091
#define HV_CALL_ASSERT_VIRTUAL_INTERRUPT 0x0094
#define HV_CALL_START_VIRTUAL_PROCESSOR 0x0099
#define HV_CALL_GET_VP_INDEX_FROM_APIC_ID 0x009a
#define HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX 0x00ac
#define HV_CALL_CHECK_FOR_IO_INTERCEPT 0x00ad
#define HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_SPACE 0x00af
#define HV_CALL_FLUSH_GUEST_PHYSICAL_ADDRESS_LIST 0x00b0
#define HV_CALL_SIGNAL_EVENT_DIRECT 0x00c0
#define HV_CALL_POST_MESSAGE_DIRECT 0x00c1
#define HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS 0x00d4
#define HV_CALL_ACCEPT_GPA_PAGES 0x00d9
#define HV_CALL_MODIFY_SPARSE_GPA_PAGE_HOST_VISIBILITY 0x00db
#define HV_CALL_GET_VP_CPUID_VALUES 0x00f4
#define HV_CALL_RESTORE_PARTITION_TIME 0x0103
#define HV_CALL_MEMORY_MAPPED_IO_READ 0x0106
#define HV_CALL_MEMORY_MAPPED_IO_WRITE 0x0107
#define HV_CALL_PIN_GPA_PAGE_RANGES 0x0112
#define HV_CALL_UNPIN_GPA_PAGE_RANGES 0x0113
#define HV_CALL_QUERY_SPARSE_GPA_PAGE_HOST_VISIBILITY 0x011c
#define HV_CALL_EXT_QUERY_CAPABILITIES 0x8001
#define HV_CALL_VBS_VM_CALL_REPORT 0xc001

/*
 * Input header of the get (followed by 32-bit names) and set (followed by
 * struct hv_register_assoc) register calls, written by the caller.
 */
struct hv_vp_registers_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl; /* HV_VTL_* */
	uint8_t reserved[3];
};
SIDECAR_ASSERT_SIZE(struct hv_vp_registers_input, 16);
SIDECAR_ASSERT_OFFSET(struct hv_vp_registers_input, partition_id, 0);
SIDECAR_ASSERT_OFFSET(struct hv_vp_registers_input, vp_index, 8);
SIDECAR_ASSERT_OFFSET(struct hv_vp_registers_input, target_vtl, 12);
SIDECAR_ASSERT_OFFSET(struct hv_vp_registers_input, reserved, 13);

/* The state that a started VP begins with, written by the caller. */
struct hv_initial_vp_context {
	uint64_t rip;
	uint64_t rsp;
	uint64_t rflags;
	struct hv_segment cs;
	struct hv_segment ds;
	struct hv_segment es;
	struct hv_segment fs;
	struct hv_segment gs;
	struct hv_segment ss;
	struct hv_segment tr;
	struct hv_segment ldtr;
	struct hv_table idtr;
	struct hv_table gdtr;
	uint64_t efer;
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t pat;
};
SIDECAR_ASSERT_SIZE(struct hv_initial_vp_context, 224);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, rip, 0x00);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, rsp, 0x08);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, rflags, 0x10);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, cs, 0x18);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, ds, 0x28);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, es, 0x38);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, fs, 0x48);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, gs, 0x58);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, ss, 0x68);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, tr, 0x78);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, ldtr, 0x88);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, idtr, 0x98);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, gdtr, 0xa8);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, efer, 0xb8);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, cr0, 0xc0);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, cr3, 0xc8);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, cr4, 0xd0);
SIDECAR_ASSERT_OFFSET(struct hv_initial_vp_context, pat, 0xd8);

/* Input of the EnableVpVtl and StartVirtualProcessor calls, written by the caller. */
struct hv_start_vp_input {
	uint64_t partition_id;
	uint32_t vp_index;
	uint8_t target_vtl; /* a plain VTL number, not HV_VTL_* */
	uint8_t reserved[3];
	struct hv_initial_vp_context context;
};
SIDECAR_ASSERT_SIZE(struct hv_start_vp_input, 240);
SIDECAR_ASSERT_OFFSET(struct hv_start_vp_input, partition_id, 0);
SIDECAR_ASSERT_OFFSET(struct hv_start_vp_input, vp_index, 8);
SIDECAR_ASSERT_OFFSET(struct hv_start_vp_input, target_vtl, 12);
SIDECAR_ASSERT_OFFSET(struct hv_start_vp_input, reserved, 13);
SIDECAR_ASSERT_OFFSET(struct hv_start_vp_input, context, 16);

#define HV_ENABLE_PARTITION_VTL_MBEC 0x01
#define HV_ENABLE_PARTITION_VTL_SHADOW_STACK 0x02
#define HV_ENABLE_PARTITION_VTL_HARDWARE_HVPT 0x04

/* Input of the EnablePartitionVtl call, written by the caller. */
struct hv_enable_partition_vtl_input {
	uint64_t partition_id;
	uint8_t target_vtl;
	uint8_t flags;
	uint16_t reserved;
	uint32_t reserved2;
};
SIDECAR_ASSERT_SIZE(struct hv_enable_partition_vtl_input, 16);
SIDECAR_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, partition_id, 0);
SIDECAR_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, target_vtl, 8);
SIDECAR_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, flags, 9);
SIDECAR_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, reserved, 10);
SIDECAR_ASSERT_OFFSET(struct hv_enable_partition_vtl_input, reserved2, 12);

/* Header of the GetVpIndexFromApicId input; 32-bit APIC IDs follow. Written by the caller. */
struct hv_vp_index_from_apic_id_input {
	uint64_t partition_id;
	uint8_t target_vtl;
	uint8_t reserved[7];
};
SIDECAR_ASSERT_SIZE(struct hv_vp_index_from_apic_id_input, 16);
SIDECAR_ASSERT_OFFSET(struct hv_vp_index_from_apic_id_input, partition_id, 0);
SIDECAR_ASSERT_OFFSET(struct hv_vp_index_from_apic_id_input, target_vtl, 8);
SIDECAR_ASSERT_OFFSET(struct hv_vp_index_from_apic_id_input, reserved, 9);

/* ---- VP assist page --------------------------------------------------- */

#define HV_ENTRY_REASON_RESERVED 0
#define HV_ENTRY_REASON_VTL_CALL 1
#define HV_ENTRY_REASON_INTERRUPT 2
#define HV_ENTRY_REASON_INTERCEPT 3

/* The hypervisor writes entry_reason and vina_status, the caller of VTL return rax and rcx. */
struct hv_vtl_control {
	uint32_t entry_reason; /* HV_ENTRY_REASON_* */
	uint8_t vina_status;
	uint8_t reserved;
	uint16_t reserved2;
	uint64_t rax; /* loaded by VTL return */
	uint64_t rcx;
};
SIDECAR_ASSERT_SIZE(struct hv_vtl_control, 24);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, entry_reason, 0);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, vina_status, 4);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, reserved, 5);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, reserved2, 6);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, rax, 8);
SIDECAR_ASSERT_OFFSET(struct hv_vtl_control, rcx, 16);

/* An overlay page of one VP: the hypervisor writes all of it but vtl_control's registers. */
struct hv_vp_assist_page {
	uint32_t apic_assist;
	uint32_t reserved;
	struct hv_vtl_control vtl_control;
	uint64_t nested_enlightenments_control;
	uint8_t enlighten_vm_entry;
	uint8_t reserved1[7];
	uint64_t current_nested_vmcs;
	uint8_t synthetic_time_unhalted_timer_expired;
	uint8_t reserved2[7];
	uint8_t virtualization_fault_information[40];
	uint64_t reserved3;
	struct hv_message intercept_message;
	uint8_t vtl_return_actions[256];
};
SIDECAR_ASSERT_SIZE(struct hv_vp_assist_page, 624);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, apic_assist, 0x000);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, reserved, 0x004);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_control, 0x008);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, nested_enlightenments_control, 0x020);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, enlighten_vm_entry, 0x028);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, reserved1, 0x029);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, current_nested_vmcs, 0x030);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, synthetic_time_unhalted_timer_expired, 0x038);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, reserved2, 0x039);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, virtualization_fault_information, 0x040);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, reserved3, 0x068);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, intercept_message, 0x070);
SIDECAR_ASSERT_OFFSET(struct hv_vp_assist_page, vtl_return_actions, 0x170);

/* An action for the hypervisor at VTL return (signal an event), written by the caller. */
struct hv_return_action {
	uint64_t type; /* 1 = signal event */
	uint32_t vp_index;
	uint8_t vtl;
	uint8_t sint;
	uint16_t flag;
};
SIDECAR_ASSERT_SIZE(struct hv_return_action, 16);
SIDECAR_ASSERT_OFFSET(struct hv_return_action, type, 0);
SIDECAR_ASSERT_OFFSET(struct hv_return_action, vp_index, 8);
SIDECAR_ASSERT_OFFSET(struct hv_return_action, vtl, 12);
SIDECAR_ASSERT_OFFSET(struct hv_return_action, sint, 13);
SIDECAR_ASSERT_OFFSET(struct hv_return_action, flag, 14);

#endif /* SIDECAR_HV_H */

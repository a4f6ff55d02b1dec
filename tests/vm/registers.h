/* SPDX-License-Identifier: MIT */
/* Every register that can be set here, with a value unlike the one it has after a reset. */
#ifndef TESTS_VM_REGISTERS_H
#define TESTS_VM_REGISTERS_H

#include <stddef.h>

#include <sidecar/hv.h>

struct settable {
	uint32_t name;
	struct hv_u128 value;
};

#define WORD(name, value) {HV_REGISTER_##name, {value, 0}}
#define WIDE(number) {number, {0x5eed5eed5eed5eed, 0x5eed5eed5eed5eed}}
#define X87(number) {number, {0x5eed5eed5eed5eed, 0x5eed}}
#define GP(number) {number, {0x5eed5eed5eed5eed, 0}}
#define SEGMENT_OF(name, attributes)                                                               \
	{HV_REGISTER_##name, {0x5eed0000, 0x5eed | (uint64_t)0x5eed << 32 |                        \
						 (uint64_t)(attributes) << 48}}
#define TABLE(name) {HV_REGISTER_##name, {(uint64_t)0x5eed << 48, 0x5eed5eed5000}}
#define BASE(n) {HV_REGISTER_MTRR_PHYS_BASE0 + n, {0x5eed000 | 6, 0}}
#define MASK(n) {HV_REGISTER_MTRR_PHYS_MASK0 + n, {0x5eed800, 0}}
#define FIXED(name) {HV_REGISTER_MTRR_##name, {0x0506040100050604, 0}}

/* clang-format off */
static const struct settable registers[] = {
	GP(0x20000), GP(0x20001), GP(0x20002), GP(0x20003), GP(0x20004), GP(0x20005), GP(0x20006),
	GP(0x20007), GP(0x20008), GP(0x20009), GP(0x2000a), GP(0x2000b), GP(0x2000c), GP(0x2000d),
	GP(0x2000e), GP(0x2000f),
	WORD(RIP, 0x5eed), WORD(RFLAGS, 0xed7), WORD(CR2, 0x5eed5eed5eed5eed),
	WIDE(0x30000), WIDE(0x30001), WIDE(0x30002), WIDE(0x30003), WIDE(0x30004), WIDE(0x30005),
	WIDE(0x30006), WIDE(0x30007), WIDE(0x30008), WIDE(0x30009), WIDE(0x3000a), WIDE(0x3000b),
	WIDE(0x3000c), WIDE(0x3000d), WIDE(0x3000e), WIDE(0x3000f),
	X87(0x30010), X87(0x30011), X87(0x30012), X87(0x30013), X87(0x30014), X87(0x30015),
	X87(0x30016), X87(0x30017),
	{HV_REGISTER_FP_CONTROL_STATUS, {0x05ed00ff00000c7f, 0x5eed5eed}},
	{HV_REGISTER_XMM_CONTROL_STATUS, {0x5eed5eed, 0x1fa0}},
	WORD(CR0, 0x11), WORD(CR3, 0x5eed000), WORD(CR4, 0x620), WORD(CR8, 0xd), WORD(XFEM, 3),
	WORD(DR0, 0x5eed5eed), WORD(DR1, 0x5eed5eed), WORD(DR2, 0x5eed5eed), WORD(DR3, 0x5eed5eed),
	WORD(DR6, 0xffff4ff5), WORD(DR7, 0x5550455),
	SEGMENT_OF(ES, 0x4093), SEGMENT_OF(CS, 0x409b), SEGMENT_OF(SS, 0x4093),
	SEGMENT_OF(DS, 0x4093), SEGMENT_OF(FS, 0x4093), SEGMENT_OF(GS, 0x4093),
	SEGMENT_OF(LDTR, 0x0082), SEGMENT_OF(TR, 0x008b), TABLE(IDTR), TABLE(GDTR),
	WORD(EFER, 0x901), WORD(KERNEL_GS_BASE, 0x5eed5eed5eed),
	WORD(APIC_BASE, 0x5eed900), WORD(PAT, 0x0706050401000706),
	WORD(SYSENTER_CS, 0x5eed), WORD(SYSENTER_EIP, 0x5eed5eed5eed),
	WORD(SYSENTER_ESP, 0x5eed5eed5eed), WORD(STAR, 0x5eed5eed5eed5eed),
	WORD(LSTAR, 0x5eed5eed5eed), WORD(CSTAR, 0x5eed5eed5eed), WORD(SFMASK, 0x5eed5eed),
	WORD(TSC_AUX, 0x5eed5eed), WORD(DEBUGCTL, 0x2d), WORD(MTRR_DEF_TYPE, 0xc06),
	BASE(0), BASE(1), BASE(2), BASE(3), BASE(4), BASE(5), BASE(6), BASE(7),
	BASE(8), BASE(9), BASE(10), BASE(11), BASE(12), BASE(13), BASE(14), BASE(15),
	MASK(0), MASK(1), MASK(2), MASK(3), MASK(4), MASK(5), MASK(6), MASK(7),
	MASK(8), MASK(9), MASK(10), MASK(11), MASK(12), MASK(13), MASK(14), MASK(15),
	FIXED(FIX64K_00000), FIXED(FIX16K_80000), FIXED(FIX16K_A0000), FIXED(FIX4K_C0000),
	FIXED(FIX4K_C8000), FIXED(FIX4K_D0000), FIXED(FIX4K_D8000), FIXED(FIX4K_E0000),
	FIXED(FIX4K_E8000), FIXED(FIX4K_F0000), FIXED(FIX4K_F8000),
	WORD(TSC_VIRTUAL_OFFSET, 0x5eed5eed5eed),
	WORD(INTERRUPT_STATE, 3), WORD(INTERNAL_ACTIVITY_STATE, 2),
	WORD(DELIVERABILITY_NOTIFICATIONS, 0x3f),
	WORD(PENDING_INTERRUPTION, 1 | 0xed << 16),
	{HV_REGISTER_PENDING_EVENT0, {1 | 14 << 16 | 1 << 8 | 5ull << 32, 0x5eed5eed}},
};
/* clang-format on */

static const size_t registers_count = sizeof(registers) / sizeof(registers[0]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine control block and the values in it (APM vol. 2, appendices B and C, and
 * chapter 15 for the meaning). The sidecar kernel writes the control area, the processor the exit
 * fields, both the save area.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stdint.h>

#include <sidecar/hv.h>

/* Base, limit, selector and attributes as VMCB and SMM keep them (appendix B, note 1). */
struct svm_segment {
	uint16_t selector;
	uint16_t attributes; /* SVM_SEGMENT_* */
	uint32_t limit;
	uint64_t base;
};
SIDECAR_ASSERT_SIZE(struct svm_segment, 16);
SIDECAR_ASSERT_OFFSET(struct svm_segment, selector, 0);
SIDECAR_ASSERT_OFFSET(struct svm_segment, attributes, 2);
SIDECAR_ASSERT_OFFSET(struct svm_segment, limit, 4);
SIDECAR_ASSERT_OFFSET(struct svm_segment, base, 8);

#define SVM_SEGMENT_TYPE_MASK 0x000f
#define SVM_SEGMENT_NON_SYSTEM 0x0010
#define SVM_SEGMENT_DPL_SHIFT 5
#define SVM_SEGMENT_DPL_MASK 0x0060
#define SVM_SEGMENT_PRESENT 0x0080
#define SVM_SEGMENT_AVAILABLE 0x0100
#define SVM_SEGMENT_LONG 0x0200
#define SVM_SEGMENT_DEFAULT 0x0400
#define SVM_SEGMENT_GRANULARITY 0x0800
#define SVM_SEGMENT_ATTRIBUTES_MASK 0x0fff

struct svm_control_area {
	uint16_t intercept_cr_read; /* bit n = CRn */
	uint16_t intercept_cr_write;
	uint16_t intercept_dr_read;
	uint16_t intercept_dr_write;
	uint32_t intercept_exceptions; /* bit n = vector n */
	uint32_t intercept_misc1;      /* SVM_INTERCEPT1_* */
	uint32_t intercept_misc2;      /* SVM_INTERCEPT2_* */
	uint32_t intercept_misc3;      /* SVM_INTERCEPT3_* */
	uint8_t reserved0[36];
	uint16_t pause_filter_threshold;
	uint16_t pause_filter_count;
	uint64_t iopm_base_pa;
	uint64_t msrpm_base_pa;
	uint64_t tsc_offset;
	uint32_t guest_asid;
	uint8_t tlb_control; /* SVM_TLB_* */
	uint8_t reserved1[3];
	uint64_t int_ctl;   /* SVM_INT_CTL_* */
	uint64_t int_state; /* SVM_INT_STATE_* */
	uint64_t exit_code; /* SVM_EXIT_*; test the low 32 bits, TCG leaves the rest 0 */
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info; /* SVM_EVENT_* */
	uint64_t nested_control; /* SVM_NESTED_* */
	uint64_t avic_apic_bar;
	uint64_t ghcb_pa;
	uint64_t event_inj; /* SVM_EVENT_* */
	uint64_t nested_cr3;
	uint64_t virt_ext; /* SVM_VIRT_EXT_* */
	uint32_t clean;	   /* SVM_CLEAN_* */
	uint32_t reserved2;
	uint64_t next_rip; /* valid with NRIPS only */
	uint8_t instruction_byte_count; /* valid with decode assists only */
	uint8_t instruction_bytes[15];
	uint64_t avic_backing_page;
	uint64_t reserved3;
	uint64_t avic_logical_table;
	uint64_t avic_physical_table;
	uint64_t reserved4;
	uint64_t vmsa_pa;
	uint8_t reserved5[752];
};
SIDECAR_ASSERT_SIZE(struct svm_control_area, 0x400);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_cr_read, 0x000);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_cr_write, 0x002);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_dr_read, 0x004);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_dr_write, 0x006);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_exceptions, 0x008);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_misc1, 0x00c);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_misc2, 0x010);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, intercept_misc3, 0x014);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, pause_filter_threshold, 0x03c);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, pause_filter_count, 0x03e);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, iopm_base_pa, 0x040);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, msrpm_base_pa, 0x048);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, tsc_offset, 0x050);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, guest_asid, 0x058);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, tlb_control, 0x05c);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, int_ctl, 0x060);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, int_state, 0x068);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, exit_code, 0x070);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, exit_info1, 0x078);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, exit_info2, 0x080);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, exit_int_info, 0x088);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, nested_control, 0x090);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, avic_apic_bar, 0x098);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, ghcb_pa, 0x0a0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, event_inj, 0x0a8);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, nested_cr3, 0x0b0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, virt_ext, 0x0b8);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, clean, 0x0c0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, next_rip, 0x0c8);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, instruction_byte_count, 0x0d0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, instruction_bytes, 0x0d1);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, avic_backing_page, 0x0e0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, avic_logical_table, 0x0f0);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, avic_physical_table, 0x0f8);
SIDECAR_ASSERT_OFFSET(struct svm_control_area, vmsa_pa, 0x108);

struct svm_save_area {
	struct svm_segment es;
	struct svm_segment cs;
	struct svm_segment ss;
	struct svm_segment ds;
	struct svm_segment fs;
	struct svm_segment gs;
	struct svm_segment gdtr; /* base and 16 bits of limit only */
	struct svm_segment ldtr;
	struct svm_segment idtr; /* base and 16 bits of limit only */
	struct svm_segment tr;
	uint8_t reserved0[43];
	uint8_t cpl;
	uint32_t reserved1;
	uint64_t efer;
	uint8_t reserved2[112];
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint8_t reserved3[88];
	uint64_t rsp;
	uint64_t s_cet;
	uint64_t ssp;
	uint64_t isst_addr;
	uint64_t rax;
	uint64_t star;
	uint64_t lstar;
	uint64_t cstar;
	uint64_t sfmask;
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs;
	uint64_t sysenter_esp;
	uint64_t sysenter_eip;
	uint64_t cr2;
	uint8_t reserved4[32];
	uint64_t g_pat;
	uint64_t dbgctl;
	uint64_t br_from;
	uint64_t br_to;
	uint64_t last_excp_from;
	uint64_t last_excp_to;
	uint8_t reserved5[72];
	uint64_t spec_ctrl;
	uint8_t reserved6[2328];
};
SIDECAR_ASSERT_SIZE(struct svm_save_area, 0xc00);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, es, 0x000);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cs, 0x010);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, ss, 0x020);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, ds, 0x030);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, fs, 0x040);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, gs, 0x050);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, gdtr, 0x060);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, ldtr, 0x070);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, idtr, 0x080);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, tr, 0x090);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cpl, 0x0cb);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, efer, 0x0d0);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cr4, 0x148);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cr3, 0x150);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cr0, 0x158);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, dr7, 0x160);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, dr6, 0x168);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, rflags, 0x170);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, rip, 0x178);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, rsp, 0x1d8);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, s_cet, 0x1e0);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, ssp, 0x1e8);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, isst_addr, 0x1f0);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, rax, 0x1f8);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, star, 0x200);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, lstar, 0x208);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cstar, 0x210);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, sfmask, 0x218);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, kernel_gs_base, 0x220);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, sysenter_cs, 0x228);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, sysenter_esp, 0x230);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, sysenter_eip, 0x238);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, cr2, 0x240);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, g_pat, 0x268);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, dbgctl, 0x270);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, br_from, 0x278);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, br_to, 0x280);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, last_excp_from, 0x288);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, last_excp_to, 0x290);
SIDECAR_ASSERT_OFFSET(struct svm_save_area, spec_ctrl, 0x2e0);

struct svm_vmcb {
	struct svm_control_area control;
	struct svm_save_area save;
};
SIDECAR_ASSERT_SIZE(struct svm_vmcb, 4096);
SIDECAR_ASSERT_OFFSET(struct svm_vmcb, control, 0x000);
SIDECAR_ASSERT_OFFSET(struct svm_vmcb, save, 0x400);

/* Exit codes (appendix C). */
#define SVM_EXIT_READ_CR0 0x000 /* plus n; to 0x00f */
#define SVM_EXIT_WRITE_CR0 0x010
#define SVM_EXIT_READ_DR0 0x020
#define SVM_EXIT_WRITE_DR0 0x030
#define SVM_EXIT_EXCEPTION0 0x040 /* plus the vector; to 0x05f */
#define SVM_EXIT_INTR 0x060
#define SVM_EXIT_NMI 0x061
#define SVM_EXIT_SMI 0x062
#define SVM_EXIT_INIT 0x063
#define SVM_EXIT_VINTR 0x064
#define SVM_EXIT_CR0_SEL_WRITE 0x065
#define SVM_EXIT_IDTR_READ 0x066
#define SVM_EXIT_GDTR_READ 0x067
#define SVM_EXIT_LDTR_READ 0x068
#define SVM_EXIT_TR_READ 0x069
#define SVM_EXIT_IDTR_WRITE 0x06a
#define SVM_EXIT_GDTR_WRITE 0x06b
#define SVM_EXIT_LDTR_WRITE 0x06c
#define SVM_EXIT_TR_WRITE 0x06d
#define SVM_EXIT_RDTSC 0x06e
#define SVM_EXIT_RDPMC 0x06f
#define SVM_EXIT_PUSHF 0x070
#define SVM_EXIT_POPF 0x071
#define SVM_EXIT_CPUID 0x072
#define SVM_EXIT_RSM 0x073
#define SVM_EXIT_IRET 0x074
#define SVM_EXIT_SWINT 0x075
#define SVM_EXIT_INVD 0x076
#define SVM_EXIT_PAUSE 0x077
#define SVM_EXIT_HLT 0x078
#define SVM_EXIT_INVLPG 0x079
#define SVM_EXIT_INVLPGA 0x07a
#define SVM_EXIT_IOIO 0x07b
#define SVM_EXIT_MSR 0x07c
#define SVM_EXIT_TASK_SWITCH 0x07d
#define SVM_EXIT_FERR_FREEZE 0x07e
#define SVM_EXIT_SHUTDOWN 0x07f
#define SVM_EXIT_VMRUN 0x080
#define SVM_EXIT_VMMCALL 0x081
#define SVM_EXIT_VMLOAD 0x082
#define SVM_EXIT_VMSAVE 0x083
#define SVM_EXIT_STGI 0x084
#define SVM_EXIT_CLGI 0x085
#define SVM_EXIT_SKINIT 0x086
#define SVM_EXIT_RDTSCP 0x087
#define SVM_EXIT_ICEBP 0x088
#define SVM_EXIT_WBINVD 0x089
#define SVM_EXIT_MONITOR 0x08a
#define SVM_EXIT_MWAIT 0x08b
#define SVM_EXIT_MWAIT_ARMED 0x08c
#define SVM_EXIT_XSETBV 0x08d
#define SVM_EXIT_RDPRU 0x08e
#define SVM_EXIT_EFER_WRITE_TRAP 0x08f
#define SVM_EXIT_CR0_WRITE_TRAP 0x090 /* plus n; to 0x09f */
#define SVM_EXIT_INVLPGB 0x0a0
#define SVM_EXIT_INVLPGB_ILLEGAL 0x0a1
#define SVM_EXIT_INVPCID 0x0a2
#define SVM_EXIT_MCOMMIT 0x0a3
#define SVM_EXIT_TLBSYNC 0x0a4
#define SVM_EXIT_BUSLOCK 0x0a5
#define SVM_EXIT_IDLE_HLT 0x0a6
#define SVM_EXIT_NPF 0x400
#define SVM_EXIT_AVIC_INCOMPLETE_IPI 0x401
#define SVM_EXIT_AVIC_NOACCEL 0x402
#define SVM_EXIT_VMGEXIT 0x403
#define SVM_EXIT_INVALID 0xffffffffU /* low half of -1 */
#define SVM_EXIT_BUSY 0xfffffffeU

/* Intercept words: the bit's number is the exit code less that of the word's first bit. */
#define SVM_INTERCEPT1(exit) (1U << ((exit) - SVM_EXIT_INTR))
#define SVM_INTERCEPT2(exit) (1U << ((exit) - SVM_EXIT_VMRUN))
#define SVM_INTERCEPT3(exit) (1U << ((exit) - SVM_EXIT_INVLPGB))

#define SVM_INTERCEPT1_INTR SVM_INTERCEPT1(SVM_EXIT_INTR)
#define SVM_INTERCEPT1_NMI SVM_INTERCEPT1(SVM_EXIT_NMI)
#define SVM_INTERCEPT1_SMI SVM_INTERCEPT1(SVM_EXIT_SMI)
#define SVM_INTERCEPT1_INIT SVM_INTERCEPT1(SVM_EXIT_INIT)
#define SVM_INTERCEPT1_VINTR SVM_INTERCEPT1(SVM_EXIT_VINTR)
#define SVM_INTERCEPT1_CR0_SEL_WRITE SVM_INTERCEPT1(SVM_EXIT_CR0_SEL_WRITE)
#define SVM_INTERCEPT1_RDTSC SVM_INTERCEPT1(SVM_EXIT_RDTSC)
#define SVM_INTERCEPT1_RDPMC SVM_INTERCEPT1(SVM_EXIT_RDPMC)
#define SVM_INTERCEPT1_PUSHF SVM_INTERCEPT1(SVM_EXIT_PUSHF)
#define SVM_INTERCEPT1_POPF SVM_INTERCEPT1(SVM_EXIT_POPF)
#define SVM_INTERCEPT1_CPUID SVM_INTERCEPT1(SVM_EXIT_CPUID)
#define SVM_INTERCEPT1_RSM SVM_INTERCEPT1(SVM_EXIT_RSM)
#define SVM_INTERCEPT1_IRET SVM_INTERCEPT1(SVM_EXIT_IRET)
#define SVM_INTERCEPT1_SWINT SVM_INTERCEPT1(SVM_EXIT_SWINT)
#define SVM_INTERCEPT1_INVD SVM_INTERCEPT1(SVM_EXIT_INVD)
#define SVM_INTERCEPT1_PAUSE SVM_INTERCEPT1(SVM_EXIT_PAUSE)
#define SVM_INTERCEPT1_HLT SVM_INTERCEPT1(SVM_EXIT_HLT)
#define SVM_INTERCEPT1_INVLPG SVM_INTERCEPT1(SVM_EXIT_INVLPG)
#define SVM_INTERCEPT1_INVLPGA SVM_INTERCEPT1(SVM_EXIT_INVLPGA)
#define SVM_INTERCEPT1_IOIO SVM_INTERCEPT1(SVM_EXIT_IOIO)
#define SVM_INTERCEPT1_MSR SVM_INTERCEPT1(SVM_EXIT_MSR)
#define SVM_INTERCEPT1_TASK_SWITCH SVM_INTERCEPT1(SVM_EXIT_TASK_SWITCH)
#define SVM_INTERCEPT1_FERR_FREEZE SVM_INTERCEPT1(SVM_EXIT_FERR_FREEZE)
#define SVM_INTERCEPT1_SHUTDOWN SVM_INTERCEPT1(SVM_EXIT_SHUTDOWN)

#define SVM_INTERCEPT2_VMRUN SVM_INTERCEPT2(SVM_EXIT_VMRUN)
#define SVM_INTERCEPT2_VMMCALL SVM_INTERCEPT2(SVM_EXIT_VMMCALL)
#define SVM_INTERCEPT2_VMLOAD SVM_INTERCEPT2(SVM_EXIT_VMLOAD)
#define SVM_INTERCEPT2_VMSAVE SVM_INTERCEPT2(SVM_EXIT_VMSAVE)
#define SVM_INTERCEPT2_STGI SVM_INTERCEPT2(SVM_EXIT_STGI)
#define SVM_INTERCEPT2_CLGI SVM_INTERCEPT2(SVM_EXIT_CLGI)
#define SVM_INTERCEPT2_SKINIT SVM_INTERCEPT2(SVM_EXIT_SKINIT)
#define SVM_INTERCEPT2_RDTSCP SVM_INTERCEPT2(SVM_EXIT_RDTSCP)
#define SVM_INTERCEPT2_ICEBP SVM_INTERCEPT2(SVM_EXIT_ICEBP)
#define SVM_INTERCEPT2_WBINVD SVM_INTERCEPT2(SVM_EXIT_WBINVD)
#define SVM_INTERCEPT2_MONITOR SVM_INTERCEPT2(SVM_EXIT_MONITOR)
#define SVM_INTERCEPT2_MWAIT SVM_INTERCEPT2(SVM_EXIT_MWAIT)
#define SVM_INTERCEPT2_MWAIT_ARMED SVM_INTERCEPT2(SVM_EXIT_MWAIT_ARMED)
#define SVM_INTERCEPT2_XSETBV SVM_INTERCEPT2(SVM_EXIT_XSETBV)
#define SVM_INTERCEPT2_RDPRU SVM_INTERCEPT2(SVM_EXIT_RDPRU)

#define SVM_INTERCEPT3_INVLPGB SVM_INTERCEPT3(SVM_EXIT_INVLPGB)
#define SVM_INTERCEPT3_INVLPGB_ILLEGAL SVM_INTERCEPT3(SVM_EXIT_INVLPGB_ILLEGAL)
#define SVM_INTERCEPT3_INVPCID SVM_INTERCEPT3(SVM_EXIT_INVPCID)
#define SVM_INTERCEPT3_MCOMMIT SVM_INTERCEPT3(SVM_EXIT_MCOMMIT)
#define SVM_INTERCEPT3_TLBSYNC SVM_INTERCEPT3(SVM_EXIT_TLBSYNC)

/* tlb_control (15.16.2). 3 and 7 need CPUID 8000_000A EDX bit 6 (FlushByAsid). */
#define SVM_TLB_KEEP 0
#define SVM_TLB_FLUSH_ALL 1
#define SVM_TLB_FLUSH_ASID 3
#define SVM_TLB_FLUSH_ASID_NON_GLOBAL 7

/* int_ctl (15.21). */
#define SVM_INT_CTL_TPR_MASK 0xffULL /* bits 0-3 are CR8 */
#define SVM_INT_CTL_V_IRQ (1ULL << 8)
#define SVM_INT_CTL_VGIF (1ULL << 9)
#define SVM_INT_CTL_V_NMI (1ULL << 11)
#define SVM_INT_CTL_V_NMI_MASK (1ULL << 12)
#define SVM_INT_CTL_PRIORITY_SHIFT 16
#define SVM_INT_CTL_PRIORITY_MASK (0xfULL << 16)
#define SVM_INT_CTL_IGNORE_TPR (1ULL << 20)
#define SVM_INT_CTL_V_INTR_MASKING (1ULL << 24)
#define SVM_INT_CTL_VGIF_ENABLE (1ULL << 25)
#define SVM_INT_CTL_V_NMI_ENABLE (1ULL << 26)
#define SVM_INT_CTL_X2AVIC_ENABLE (1ULL << 30)
#define SVM_INT_CTL_AVIC_ENABLE (1ULL << 31)
#define SVM_INT_CTL_VECTOR_SHIFT 32
#define SVM_INT_CTL_VECTOR_MASK (0xffULL << 32)

/* int_state (15.21.5). */
#define SVM_INT_STATE_SHADOW (1ULL << 0)
#define SVM_INT_STATE_GUEST_INTERRUPT_MASK (1ULL << 1)

/* event_inj and exit_int_info (15.20, 15.7.2). */
#define SVM_EVENT_VECTOR_MASK 0xffULL
#define SVM_EVENT_TYPE_SHIFT 8
#define SVM_EVENT_TYPE_MASK (7ULL << 8)
#define SVM_EVENT_TYPE_INTERRUPT 0
#define SVM_EVENT_TYPE_NMI 2
#define SVM_EVENT_TYPE_EXCEPTION 3
#define SVM_EVENT_TYPE_SOFTWARE 4
#define SVM_EVENT_ERROR_CODE_VALID (1ULL << 11)
#define SVM_EVENT_VALID (1ULL << 31)
#define SVM_EVENT_ERROR_CODE_SHIFT 32

#define SVM_NESTED_ENABLE (1ULL << 0)
#define SVM_VIRT_EXT_LBR (1ULL << 0)
#define SVM_VIRT_EXT_VMSAVE_VMLOAD (1ULL << 1)

/* clean (15.15.3): a set bit says "unchanged since the last VMRUN on this CPU". */
#define SVM_CLEAN_INTERCEPTS (1U << 0) /* and TSC offset, pause filter */
#define SVM_CLEAN_PERMISSION_MAPS (1U << 1)
#define SVM_CLEAN_ASID (1U << 2)
#define SVM_CLEAN_INTERRUPTS (1U << 3)
#define SVM_CLEAN_NESTED (1U << 4)
#define SVM_CLEAN_CONTROL_REGISTERS (1U << 5)
#define SVM_CLEAN_DEBUG_REGISTERS (1U << 6)
#define SVM_CLEAN_TABLES (1U << 7)
#define SVM_CLEAN_SEGMENTS (1U << 8) /* CS, DS, SS, ES and CPL */
#define SVM_CLEAN_CR2 (1U << 9)
#define SVM_CLEAN_LBR (1U << 10)
#define SVM_CLEAN_AVIC (1U << 11)
#define SVM_CLEAN_CET (1U << 12)
#define SVM_CLEAN_NONE 0U

/* exit_info1 of SVM_EXIT_IOIO (15.10.2); exit_info2 is the next RIP. */
#define SVM_IO_IN (1U << 0)
#define SVM_IO_STRING (1U << 2)
#define SVM_IO_REP (1U << 3)
#define SVM_IO_SIZE_SHIFT 4
#define SVM_IO_SIZE_MASK (7U << 4) /* after the shift: the size in bytes, 1, 2 or 4 */
#define SVM_IO_ADDRESS16 (1U << 7)
#define SVM_IO_ADDRESS32 (1U << 8)
#define SVM_IO_ADDRESS64 (1U << 9)
#define SVM_IO_SEGMENT_SHIFT 10
#define SVM_IO_SEGMENT_MASK (7U << 10)
#define SVM_IO_PORT_SHIFT 16

#define SVM_MSR_WRITE 1U /* exit_info1 of SVM_EXIT_MSR */

/* exit_info1 of SVM_EXIT_NPF (15.25.6); exit_info2 is the GPA. */
#define SVM_NPF_PRESENT (1ULL << 0)
#define SVM_NPF_WRITE (1ULL << 1)
#define SVM_NPF_USER (1ULL << 2)
#define SVM_NPF_RESERVED (1ULL << 3)
#define SVM_NPF_EXECUTE (1ULL << 4)
#define SVM_NPF_FINAL (1ULL << 32)	/* the guest's own access */
#define SVM_NPF_TABLE_WALK (1ULL << 33) /* the walk of the guest's page tables */

/* CPUID 8000_000A EDX. */
#define SVM_FEATURE_NESTED_PAGING (1U << 0)
#define SVM_FEATURE_LBR (1U << 1)
#define SVM_FEATURE_NRIP_SAVE (1U << 3)
#define SVM_FEATURE_TSC_RATE (1U << 4)
#define SVM_FEATURE_CLEAN_BITS (1U << 5)
#define SVM_FEATURE_FLUSH_BY_ASID (1U << 6)
#define SVM_FEATURE_DECODE_ASSISTS (1U << 7)

#endif

// SPDX-License-Identifier: MIT
#include "msr.h"

#include "assist.h"
#include "guest.h"
#include "hypercall.h"
#include "log.h"
#include "nested.h"
#include "partition.h"
#include "registers.h"
#include "time.h"
#include "x2apic.h"

#define MSR_VM_CR 0xc0010114u
#define VM_CR_SVM_DISABLED 0x18u
#define MSR_TSC 0x10u
#define MSR_PAT 0x277u
#define MSR_INSTRUCTION 2u

#define MSR_GUEST_OS_ID 0x40000000u
#define MSR_HYPERCALL 0x40000001u
#define MSR_VP_INDEX 0x40000002u
#define MSR_TIME_REF_COUNT 0x40000020u
#define MSR_REFERENCE_TSC 0x40000021u
#define MSR_TSC_FREQUENCY 0x40000022u
#define MSR_APIC_FREQUENCY 0x40000023u
#define MSR_VP_ASSIST_PAGE 0x40000073u
#define MSR_CRASH_P0 0x40000100u
#define MSR_CRASH_P4 0x40000104u
#define MSR_CRASH_CTL 0x40000105u

#define APIC_FREQUENCY 1000000000ull /* QEMU's */
#define CRASH_NOTIFY (1ull << 63)
#define CRASH_MESSAGE (1ull << 62)
#define CRASH_RESERVED 0x03ffffffffffffffull
#define CRASH_TEXT_MAX 512u

struct reference_tsc_page {
	uint32_t sequence, reserved;
	uint64_t scale;
	int64_t offset;
};

/* ---- crash ----------------------------------------------------------------------------------- */

/* The text comes in lines that the log can hold; what is not printable is not printed. */
static void log_text(const struct cpu *cpu, const char *text, uint64_t size)
{
	char line[161];
	uint32_t used = 0;

	for (uint64_t i = 0; i <= size; i++) {
		if (i < size && text[i] != '\n')
			line[used++] = text[i] < ' ' || text[i] > '~' ? '.' : text[i];
		if (used < sizeof(line) - 1 && i < size && text[i] != '\n')
			continue;
		line[used] = 0;
		if (used)
			log_line(cpu, "crash: %s", line);
		used = 0;
	}
}

static uint64_t last_crash[5];

uint32_t msr_last_crash(uint32_t n)
{
	return (uint32_t)(last_crash[n / 2] >> (n % 2 ? 32 : 0));
}

static void crash(const struct cpu *cpu, uint64_t control)
{
	const uint64_t *p = cpu->synthetic[1].crash;

	__builtin_memcpy(last_crash, p, sizeof(last_crash));

	log_violation(cpu, "guest crash 0x%lx: P0 0x%lx P1 0x%lx P2 0x%lx P3 0x%lx P4 0x%lx",
		      control, p[0], p[1], p[2], p[3], p[4]);
	if (!(control & CRASH_MESSAGE))
		return;
	if (p[4] > CRASH_TEXT_MAX * 8 || !nested_is_ram(p[3], p[4]))
		log_line(cpu, "crash: the message is not in RAM, or too long");
	else
		log_text(cpu, (const char *)p[3], p[4]);
}

static bool write_crash_control(struct cpu *cpu, uint64_t value)
{
	if (value & CRASH_RESERVED) {
		log_violation(cpu, "crash control 0x%lx has reserved bits", value);
		return false;
	}
	if (value & CRASH_NOTIFY)
		crash(cpu, value);
	return true;
}

/* ---- synthetic MSRs -------------------------------------------------------------------------- */

static bool write_reference_tsc(struct cpu *cpu, uint64_t value)
{
	struct reference_tsc_page *page = (void *)(value & ~0xfffull);

	if (!(value & 1)) {
		partition.reference_tsc = value;
		return true;
	}
	if (!nested_is_ram((uint64_t)page, PAGE)) {
		log_violation(cpu, "reference TSC page 0x%lx is no RAM", value);
		return false;
	}
	__builtin_memset(page, 0, PAGE);
	page->scale = time_scale();
	page->offset = time_offset();
	store(&page->sequence, 1);
	partition.reference_tsc = value;
	return true;
}

static bool read_synthetic(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_GUEST_OS_ID:
		*value = partition.guest_os_id;
		return true;
	case MSR_HYPERCALL:
		*value = partition.hypercall_msr;
		return true;
	case MSR_VP_INDEX:
		*value = cpu->vp_index;
		return true;
	case MSR_TIME_REF_COUNT:
		*value = time_now();
		return true;
	case MSR_REFERENCE_TSC:
		*value = partition.reference_tsc;
		return true;
	case MSR_TSC_FREQUENCY:
		*value = time_tsc_frequency();
		return true;
	case MSR_APIC_FREQUENCY:
		*value = APIC_FREQUENCY;
		return true;
	case MSR_VP_ASSIST_PAGE:
		*value = cpu->assist;
		return true;
	case MSR_CRASH_P0 ... MSR_CRASH_P4:
		*value = cpu->synthetic[1].crash[msr - MSR_CRASH_P0];
		return true;
	case MSR_CRASH_CTL:
		*value = MSR_CRASH_CAPABILITIES;
		return true;
	default:
		return false;
	}
}

static bool write_synthetic(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_GUEST_OS_ID:
		log_line(cpu, "GUEST_OS_ID = 0x%lx", value);
		partition.guest_os_id = value;
		return true;
	case MSR_HYPERCALL:
		return hypercall_page_set(cpu, value);
	case MSR_REFERENCE_TSC:
		return write_reference_tsc(cpu, value);
	case MSR_VP_ASSIST_PAGE:
		return assist_set(cpu, value);
	case MSR_CRASH_P0 ... MSR_CRASH_P4:
		cpu->synthetic[1].crash[msr - MSR_CRASH_P0] = value;
		return true;
	case MSR_CRASH_CTL:
		return write_crash_control(cpu, value);
	default:
		log_violation(cpu, "WRMSR 0x%x = 0x%lx: not offered, or read-only", msr, value);
		return false;
	}
}

/* ---- MTRRs: APM vol. 2, 7.7.2 ---------------------------------------------------------------- */

#define MTRR_DEF_TYPE 0x2ffu
#define MTRR_DEF_TYPE_ALLOWED 0xcffull
#define MTRR_VARIABLE_FIRST 0x200u
#define MTRR_VARIABLE_LAST 0x20fu
#define MTRR_BASE_RESERVED 0xffffff0000000f00ull /* 40 bits of physical address */
#define MTRR_MASK_RESERVED 0xffffff00000007ffull

bool msr_is_mtrr(uint32_t msr)
{
	return (msr >= MTRR_VARIABLE_FIRST && msr <= MTRR_VARIABLE_LAST) || msr == 0x250 ||
	       msr == 0x258 || msr == 0x259 || (msr >= 0x268 && msr <= 0x26f) ||
	       msr == MTRR_DEF_TYPE;
}

static bool memory_type_valid(uint8_t type)
{
	return type <= 6 && type != 2 && type != 3;
}

static bool mtrr_valid(uint32_t msr, uint64_t value)
{
	bool good = true;

	if (msr == MTRR_DEF_TYPE)
		return memory_type_valid((uint8_t)value) && !(value & ~MTRR_DEF_TYPE_ALLOWED);
	if (msr <= MTRR_VARIABLE_LAST && msr % 2)
		return !(value & MTRR_MASK_RESERVED);
	if (msr <= MTRR_VARIABLE_LAST)
		return memory_type_valid((uint8_t)value) && !(value & MTRR_BASE_RESERVED);
	for (uint32_t i = 0; i < 8; i++)
		good = good && memory_type_valid((uint8_t)(value >> 8 * i));
	return good;
}

static bool write_mtrr(uint32_t msr, uint64_t value)
{
	if (!mtrr_valid(msr, value))
		return false;
	wrmsr(msr, value);
	return true;
}

/* ---- VTL2 ------------------------------------------------------------------------------------ */

static bool is_x2apic(uint32_t msr)
{
	return msr >= 0x800 && msr < 0x900;
}

bool msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	if (msr >> 16 == 0x4000)
		return read_synthetic(cpu, msr, value);
	if (is_x2apic(msr))
		return x2apic_read(cpu, msr, value);
	switch (msr) {
	case MSR_APIC_BASE:
		*value = x2apic_base(cpu);
		return true;
	case MSR_EFER:
		*value = cpu->vmcb2.save.efer & ~EFER_SVM;
		return true;
	case MSR_VM_CR:
		*value = VM_CR_SVM_DISABLED;
		return true;
	default:
		return false;
	}
}

/* LMA is the processor's, LME cannot change while paging is on (APM vol. 2, 3.1.7). */
static bool write_efer(struct svm_save_area *save, uint64_t value)
{
	uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR;

	if (value & ~allowed)
		return false;
	if ((save->cr0 & CR0_PG) && ((value ^ save->efer) & EFER_LME))
		return false;
	save->efer = (value & ~EFER_LMA) | (save->efer & EFER_LMA) | EFER_SVM;
	return true;
}

bool msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	if (msr >> 16 == 0x4000)
		return write_synthetic(cpu, msr, value);
	if (is_x2apic(msr))
		return x2apic_write(cpu, msr, value);
	if (msr_is_mtrr(msr))
		return write_mtrr(msr, value);
	switch (msr) {
	case MSR_APIC_BASE:
		return x2apic_set_base(cpu, value);
	case MSR_EFER:
		return write_efer(&cpu->vmcb2.save, value);
	default:
		return false;
	}
}

/* ---- VTL0 ------------------------------------------------------------------------------------ */

static bool read_vtl0(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	if (msr == MSR_EFER)
		*value = cpu->vmcb0.save.efer & ~EFER_SVM;
	else if (msr == MSR_PAT)
		*value = cpu->vmcb0.save.g_pat;
	else if (msr == MSR_TSC)
		*value = rdtsc();
	else
		return false;
	return true;
}

static bool write_vtl0(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	struct hv_u128 wide = {value, 0};
	bool good;

	if (msr == MSR_EFER)
		good = write_efer(&cpu->vmcb0.save, value);
	else if (msr == MSR_PAT)
		good = register_set(cpu, 0, HV_REGISTER_PAT, &wide) == HV_STATUS_SUCCESS;
	else
		return false;
	if (good)
		guest_skip(cpu, 0, MSR_INSTRUCTION);
	else
		guest_raise_code(cpu, 0, VECTOR_GP, 0);
	return true;
}

bool msr_vtl0(struct cpu *cpu)
{
	uint32_t msr = (uint32_t)cpu->gps[HV_GP_RCX];
	uint64_t value;

	if (cpu->vmcb0.control.exit_info1 & SVM_MSR_WRITE)
		return write_vtl0(cpu, msr,
				  (uint32_t)cpu->gps[HV_GP_RAX] | cpu->gps[HV_GP_RDX] << 32);
	if (!read_vtl0(cpu, msr, &value))
		return false;
	cpu->gps[HV_GP_RAX] = (uint32_t)value;
	cpu->gps[HV_GP_RDX] = value >> 32;
	guest_skip(cpu, 0, MSR_INSTRUCTION);
	return true;
}

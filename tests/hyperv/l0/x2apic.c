// SPDX-License-Identifier: MIT
/* Registers, reserved bits and modes: APM vol. 2, 16.3 to 16.13; Intel SDM vol. 3, 11.12. */
#include "x2apic.h"

#include "decode.h"
#include "guest.h"
#include "log.h"
#include "nested.h"

#define X2APIC_MSR 0x800u
#define REG_ID 0x02u
#define REG_VERSION 0x03u
#define REG_EOI 0x0bu
#define REG_LDR 0x0du
#define REG_DFR 0x0eu
#define REG_SVR 0x0fu
#define REG_ESR 0x28u
#define REG_ICR 0x30u
#define REG_ICR_HIGH 0x31u
#define REG_SELF_IPI 0x3fu

#define SVR_ENABLE 0x100u
#define SVR_ALLOWED 0x13ffu

#define ICR_VECTOR 0xffull
#define ICR_MODE 0x700ull
#define ICR_MODE_FIXED 0x000ull
#define ICR_MODE_NMI 0x400ull
#define ICR_MODE_INIT 0x500ull
#define ICR_MODE_SIPI 0x600ull
#define ICR_LOGICAL 0x800ull
#define ICR_BUSY 0x1000u
#define ICR_ASSERT 0x4000ull
#define ICR_LEVEL 0x8000ull
#define ICR_SHORTHAND 0xc0000ull
#define ICR_SELF 0x40000u
#define ICR_ALL_BUT_SELF 0xc0000ull
#define ICR_X2APIC_RESERVED 0xfff33000ull
#define BROADCAST 0xffffffffu

#define APIC_BASE_FIXED ((uint64_t)(APIC | HV_APIC_BASE_ENABLE))

static uint32_t *reg(uint32_t number)
{
	return (uint32_t *)(uint64_t)(APIC + (number << 4));
}

uint64_t x2apic_base(struct cpu *cpu)
{
	return rdmsr(MSR_APIC_BASE) | (cpu->x2apic ? HV_APIC_BASE_X2APIC : 0);
}

/* ---- modes ----------------------------------------------------------------------------------- */

bool x2apic_set_base(struct cpu *cpu, uint64_t value)
{
	uint64_t bsp = x2apic_base(cpu) & HV_APIC_BASE_BSP;

	if ((value & ~HV_APIC_BASE_X2APIC) != (APIC_BASE_FIXED | bsp)) {
		log_violation(cpu, "APIC_BASE = 0x%lx, it can only be 0x%lx or with bit 10", value,
			      APIC_BASE_FIXED | bsp);
		return false;
	}
	if (cpu->x2apic && !(value & HV_APIC_BASE_X2APIC)) {
		log_violation(cpu, "APIC_BASE = 0x%lx: from x2APIC straight to xAPIC", value);
		return false;
	}
	cpu->x2apic = value & HV_APIC_BASE_X2APIC;
	if (cpu->x2apic)
		x2apic_hide_page(cpu);
	return true;
}

/* StartVirtualProcessor may start a VP anew whose software has left its APIC for good. */
static void note_svr(struct cpu *cpu, uint64_t value)
{
	if (value & SVR_ENABLE)
		cpu->apic_was_enabled = true;
	store(&cpu->retired, cpu->apic_was_enabled && !(value & SVR_ENABLE));
}

/* ---- interrupts between processors ----------------------------------------------------------- */

static void forward(uint32_t destination, uint32_t command)
{
	while (load(reg(REG_ICR)) & ICR_BUSY)
		pause();
	store(reg(REG_ICR_HIGH), destination << 24);
	store(reg(REG_ICR), command);
}

void x2apic_self_ipi(uint8_t vector)
{
	uint32_t high = load(reg(REG_ICR_HIGH));

	forward(0, ICR_SELF | ICR_ASSERT | vector);
	store(reg(REG_ICR_HIGH), high);
}

/* x2APIC logical IDs: cluster = ID >> 4, one bit each of the low four (SDM vol. 3, 11.12.10.2). */
static bool is_addressed(const struct cpu *target, uint64_t icr, uint32_t destination)
{
	uint32_t id = target->apic_id;

	if (destination == BROADCAST)
		return true;
	if (icr & ICR_LOGICAL)
		return destination >> 16 == id >> 4 && (destination & 1u << (id & 15));
	return destination == id;
}

static bool start_claimed(struct cpu *from, struct cpu *to, uint32_t vector)
{
	uint32_t free = 0;

	if (!__atomic_compare_exchange_n(&to->claimed, &free, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	to->sipi_vector = vector;
	store(&to->vtl2_enabled, true);
	cpu_start(from, to, START_SIPI);
	return true;
}

/* A stock OS starts processors so. Hyper-V does not offer it to VTL2. */
static void init_or_sipi(struct cpu *from, struct cpu *to, uint64_t icr)
{
	if ((icr & ICR_MODE) == ICR_MODE_INIT) {
		if ((icr & ICR_ASSERT) || !(icr & ICR_LEVEL))
			store(&to->wait_for_sipi, 1);
		return;
	}
	/* The second SIPI of the usual pair finds its target started. */
	if (!__atomic_exchange_n(&to->wait_for_sipi, 0, __ATOMIC_ACQ_REL))
		return;
	log_deviation(from, "VP %u started by INIT and SIPI, vector 0x%lx", to->vp_index,
		      (uint64_t)(icr & ICR_VECTOR));
	if (!start_claimed(from, to, (uint32_t)(icr & ICR_VECTOR)))
		log_violation(from, "VP %u started by two at once", to->vp_index);
}

static void deliver_one(struct cpu *from, struct cpu *to, uint64_t icr)
{
	uint64_t mode = icr & ICR_MODE;

	if (mode != ICR_MODE_INIT && mode != ICR_MODE_SIPI)
		forward(to->apic_id, (uint32_t)(icr & (ICR_MODE | ICR_VECTOR)) | ICR_ASSERT);
	else if (to == from)
		log_violation(from, "INIT or SIPI to itself, ICR 0x%lx", icr);
	else
		init_or_sipi(from, to, icr);
}

static bool by_shorthand(const struct cpu *from, const struct cpu *to, uint64_t icr)
{
	switch (icr & ICR_SHORTHAND) {
	case ICR_SELF:
		return to == from;
	case ICR_ALL_BUT_SELF:
		return to != from;
	default: /* all, with self */
		return true;
	}
}

static void deliver(struct cpu *from, uint64_t icr, uint32_t destination)
{
	for (uint32_t vp = 0; vp < cpu_count; vp++) {
		struct cpu *to = cpu_of_vp(vp);
		bool addressed = icr & ICR_SHORTHAND ? by_shorthand(from, to, icr)
						     : is_addressed(to, icr, destination);

		/* What was never started is L0's: nothing but INIT and SIPI is for it. */
		if (addressed && (load(&to->started) || (icr & ICR_MODE) >= ICR_MODE_INIT))
			deliver_one(from, to, icr);
	}
}

static bool write_icr(struct cpu *cpu, uint64_t value)
{
	uint64_t mode = value & ICR_MODE;

	if (value & ICR_X2APIC_RESERVED) {
		log_violation(cpu, "ICR = 0x%lx has reserved bits", value);
		return false;
	}
	if (mode == 0x300 || mode == 0x700 || (mode == ICR_MODE_FIXED && (value & ICR_VECTOR) < 16))
		log_violation(cpu, "ICR = 0x%lx: no such mode or vector", value);
	cpu->icr = value;
	deliver(cpu, value, (uint32_t)(value >> 32));
	return true;
}

/* ---- MSRs ------------------------------------------------------------------------------------ */

static bool exists(uint32_t number)
{
	switch (number) {
	case REG_ID:
	case REG_VERSION:
	case 0x08: /* TPR */
	case 0x0a: /* PPR */
	case REG_EOI:
	case REG_LDR:
	case REG_SVR:
	case 0x10 ... 0x27: /* ISR, TMR, IRR */
	case REG_ESR:
	case REG_ICR:
	case 0x32 ... 0x39: /* LVT, initial and current count */
	case 0x3e:	    /* divider */
	case REG_SELF_IPI:
		return true;
	default:
		return false;
	}
}

static bool is_read_only(uint32_t number)
{
	return number == REG_ID || number == REG_VERSION || number == 0x0a || number == REG_LDR ||
	       (number >= 0x10 && number <= 0x27) || number == 0x39;
}

static bool is_write_only(uint32_t number)
{
	return number == REG_EOI || number == REG_SELF_IPI;
}

bool x2apic_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	uint32_t number = msr - X2APIC_MSR;

	if (!cpu->x2apic || !exists(number) || is_write_only(number)) {
		log_violation(cpu, "RDMSR 0x%x: %s", msr,
			      cpu->x2apic ? "no such x2APIC register" : "not in x2APIC mode");
		return false;
	}
	if (number == REG_ICR)
		*value = cpu->icr;
	else if (number == REG_LDR)
		*value = (cpu->apic_id >> 4) << 16 | 1u << (cpu->apic_id & 15);
	else if (number == REG_ID)
		*value = cpu->apic_id;
	else
		*value = load(reg(number));
	return true;
}

static bool write_register(struct cpu *cpu, uint32_t number, uint64_t value)
{
	if (number == REG_ICR) {
		meter_end(cpu, METER_ANSWER);
		return write_icr(cpu, value);
	}
	if (number == REG_SELF_IPI) {
		x2apic_self_ipi((uint8_t)value);
		return true;
	}
	if ((value >> 32) || ((number == REG_EOI || number == REG_ESR) && value) ||
	    (number == REG_SVR && (value & ~(uint64_t)SVR_ALLOWED))) {
		log_violation(cpu, "x2APIC register 0x%x = 0x%lx has reserved bits", number, value);
		return false;
	}
	if (number == REG_SVR)
		note_svr(cpu, value);
	if (number == REG_EOI && cpu->meter.open != METER_RETURN)
		meter_begin(cpu, METER_RESUME);
	store(reg(number), (uint32_t)value);
	return true;
}

bool x2apic_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	uint32_t number = msr - X2APIC_MSR;

	if (!cpu->x2apic || !exists(number) || is_read_only(number)) {
		log_violation(cpu, "WRMSR 0x%x = 0x%lx: %s", msr, value,
			      cpu->x2apic ? "no such x2APIC register" : "not in x2APIC mode");
		return false;
	}
	return write_register(cpu, number, value);
}

/* ---- the xAPIC's page ------------------------------------------------------------------------ */

void x2apic_hide_page(struct cpu *cpu)
{
	cpu->xapic_hidden = true;
	cpu->vmcb2.control.nested_cr3 = nested_root(NESTED_VTL2_X2APIC);
}

struct store_instruction {
	uint8_t length;
	uint32_t value;
};

/* Bytes that ModRM, SIB and displacement take, with the processor in 32- or 64-bit mode. */
static uint8_t modrm_length(const uint8_t *bytes)
{
	uint8_t mod = bytes[0] >> 6, rm = bytes[0] & 7, length = 1;

	if (mod == 3)
		return 0;
	if (rm == 4) {
		length++;
		if (mod == 0 && (bytes[1] & 7) == 5)
			length += 4;
	}
	if (mod == 1)
		length += 1;
	else if (mod == 2 || (mod == 0 && rm == 5))
		length += 4;
	return length;
}

static uint32_t immediate(const uint8_t *bytes)
{
	uint32_t value;

	__builtin_memcpy(&value, bytes, sizeof(value));
	return value;
}

/* MOV m32, r32; MOV m32, imm32; XCHG m32, r32: what systems write an APIC with. */
static bool decode_store(struct cpu *cpu, const uint8_t *bytes, uint8_t count,
			 struct store_instruction *store)
{
	bool wide = svm_code_size(&cpu->vmcb2.save) == SVM_CODE64;
	uint8_t rex = wide && (bytes[0] & 0xf0) == 0x40 ? bytes[0] : 0;
	const uint8_t *at = bytes + (rex != 0);
	uint8_t reg_number = (uint8_t)((at[1] >> 3 & 7) | (rex & 4) << 1);
	uint8_t operand = modrm_length(at + 1);

	if (count < SVM_INSTRUCTION_MAX || !operand || (rex & 8))
		return false;
	store->length = (uint8_t)((rex != 0) + 1 + operand);
	if (at[0] == 0x89 || at[0] == 0x87) {
		store->value = (uint32_t)(reg_number == HV_GP_RSP ? cpu->vmcb2.save.rsp
								  : cpu->gps[reg_number]);
		return true;
	}
	if (at[0] != 0xc7 || (reg_number & 7) != 0)
		return false;
	store->value = immediate(at + 1 + operand);
	store->length += 4;
	return true;
}

/* Logical destinations in xAPIC's flat mode are the machine's business. */
static void write_page_icr(struct cpu *cpu, uint32_t value)
{
	uint32_t destination = load(reg(REG_ICR_HIGH)) >> 24;

	if ((value & ICR_MODE) < ICR_MODE_INIT) {
		store(reg(REG_ICR), value);
		return;
	}
	deliver(cpu, value, destination == 0xff ? BROADCAST : destination);
}

bool x2apic_page_write(struct cpu *cpu, uint64_t gpa)
{
	uint8_t bytes[SVM_INSTRUCTION_MAX];
	uint8_t count = guest_fetch(cpu, 2, bytes);
	struct store_instruction instruction;
	uint32_t number = (uint32_t)(gpa - APIC) >> 4;

	if (cpu->xapic_hidden || gpa & 0xf || !decode_store(cpu, bytes, count, &instruction))
		return false;
	if (number == REG_SVR)
		note_svr(cpu, instruction.value);
	if (number == REG_ICR)
		write_page_icr(cpu, instruction.value);
	else
		store(reg(number), instruction.value);
	guest_skip(cpu, 2, instruction.length);
	return true;
}

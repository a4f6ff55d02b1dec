// SPDX-License-Identifier: MIT
#include "cpu.h"

#include "log.h"
#include "time.h"
#include "vmcb_setup.h"

#define APIC_ICR_LOW 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_SVR 0xf0u
#define ICR_BUSY 0x1000u
#define ICR_INIT_ALL 0xc4500u
#define ICR_SIPI_ALL (0xc4600u | TRAMPOLINE >> 12)
#define ICR_INIT 0x4500u
#define ICR_SIPI (0x4600u | TRAMPOLINE >> 12)
#define ICR_NMI 0x4400u
#define SVR_RESET 0xffu

#define RETRY_US 100u
#define GATHER_RETRIES 200000u
#define START_RETRIES 100000u
#define ROLL_CALL_RETRIES 30000u
#define ROLL_CALL_REPEAT 100u

union cpu_with_stack cpus[MAX_CPUS];
uint32_t cpu_count;
extern uint32_t slot_count; /* start.S */

static struct cpu *vp_table[MAX_CPUS];
static uint32_t roll_call;

struct cpu *cpu_of_vp(uint32_t vp_index)
{
	return vp_index < cpu_count ? vp_table[vp_index] : NULL;
}

struct cpu *cpu_of_apic(uint32_t apic_id)
{
	struct cpu *cpu;

	if (apic_id > 0xff)
		return NULL;
	cpu = &cpus[slot_of_apic[apic_id]].cpu;
	return cpu->apic_id == apic_id ? cpu : NULL;
}

static uint32_t *apic(uint32_t offset)
{
	return (uint32_t *)(uint64_t)(APIC + offset);
}

/* VTL2 may be between its two writes to the ICR: what it has put there comes back. */
static void send(uint32_t apic_id, uint32_t command)
{
	uint32_t high = load(apic(APIC_ICR_HIGH));

	store(apic(APIC_ICR_HIGH), apic_id << 24);
	store(apic(APIC_ICR_LOW), command);
	while (load(apic(APIC_ICR_LOW)) & ICR_BUSY)
		pause();
	store(apic(APIC_ICR_HIGH), high);
}

void cpu_reset(struct cpu *cpu)
{
	wrmsr(MSR_VM_HSAVE_PA, (uint64_t)cpu->host_save);
	asm volatile("clgi; fninit");
	cpu->x2apic = false;
	cpu->apic_was_enabled = false;
	cpu->icr = 0;
	cpu->meter.open = METER_NONE;
	cpu->assist = 0;
	cpu->register_page = 0;
	store(&cpu->retired, 0);
	store(apic(APIC_SVR), SVR_RESET);
}

/* With GIF = 1 the NMI of a roll call gets in; nobody else sends one to a parked processor. */
_Noreturn void cpu_park(struct cpu *cpu)
{
	for (;;) {
		if (load(&roll_call))
			store(&cpu->answered, 1);
		asm volatile("stgi; hlt; clgi");
	}
}

/* ---- arriving -------------------------------------------------------------------------------- */

struct idt_gate {
	uint16_t low, selector, type, middle;
	uint32_t high, zero;
};

static struct idt_gate idt[32];
extern uint8_t fault_gates[];

static void load_idt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};

	asm volatile("lidt %0" : : "m"(pointer));
}

static void build_idt(void)
{
	for (unsigned int i = 0; i < 32; i++) {
		uint64_t gate = (uint64_t)(fault_gates + i * 16);

		idt[i] = (struct idt_gate){
			(uint16_t)gate,		0x08, 0x8e00, (uint16_t)(gate >> 16),
			(uint32_t)(gate >> 32), 0};
	}
}

void cpu_arrive(uint32_t slot, uint32_t apic_id)
{
	struct cpu *cpu = &cpus[slot].cpu;
	enum start how = load(&cpu->start);

	load_idt();
	log_release(slot);
	cpu->slot = slot;
	cpu->apic_id = apic_id;
	cpu_reset(cpu);
	store(&cpu->arrived, 1);
	if (how == START_NOTHING)
		cpu_park(cpu);
	vmcb_setup(cpu, how);
	cpu->starts++;
	store(&cpu->claimed, 0);
	cpu_run(cpu);
}

/* ---- gathering ------------------------------------------------------------------------------- */

/* The first that is missing, or NULL. */
static struct cpu *first_missing(uint32_t expected)
{
	for (uint32_t slot = 1; slot < expected; slot++)
		if (!load(&cpus[slot].cpu.arrived))
			return &cpus[slot].cpu;
	return NULL;
}

/* The order of APIC IDs, or its reverse; the first processor is VP 0 either way. */
static void deal_vp_indices(bool reverse)
{
	uint32_t vp = 0;

	vp_table[vp++] = &cpus[0].cpu;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t slot = slot_of_apic[reverse ? 255 - i : i];

		if (slot)
			vp_table[vp++] = &cpus[slot].cpu;
	}
	for (uint32_t i = 0; i < vp; i++)
		vp_table[i]->vp_index = i;
	cpu_count = vp;
}

/* A SIPI is lost while its target still works on INIT, so it is repeated until all are here. */
void cpu_gather(uint32_t expected, bool reverse)
{
	build_idt();
	load_idt();
	cpus[0].cpu.apic_id = load(apic(0x20)) >> 24;
	if (expected > MAX_CPUS)
		log_fatal(NULL, "%u processors, the limit is %u", expected, MAX_CPUS);
	cpu_reset(&cpus[0].cpu);
	if (expected > 1)
		send(0, ICR_INIT_ALL);
	for (uint32_t i = 0; i < GATHER_RETRIES && first_missing(expected); i++) {
		struct cpu *missing = first_missing(expected);

		send(0, ICR_SIPI_ALL);
		while (missing && time_wait_for(&missing->arrived, RETRY_US))
			missing = first_missing(expected);
	}
	if (first_missing(expected))
		log_fatal(NULL, "%u processors came, %u are there", load(&slot_count), expected);
	deal_vp_indices(reverse);
}

/* ---- starting -------------------------------------------------------------------------------- */

void cpu_start(struct cpu *from, struct cpu *to, enum start how)
{
	store(&to->start, how);
	store(&to->started, 1);
	store(&to->arrived, 0);
	send(to->apic_id, ICR_INIT);
	for (uint32_t i = 0; i < START_RETRIES && !load(&to->arrived); i++) {
		send(to->apic_id, ICR_SIPI);
		time_wait_for(&to->arrived, RETRY_US);
	}
	if (!load(&to->arrived))
		log_fatal(from, "the processor of VP %u does not come back by INIT", to->vp_index);
}

/* ---- the roll call --------------------------------------------------------------------------- */

bool cpu_roll_call_is_on(void)
{
	return load(&roll_call);
}

static bool answers(struct cpu *cpu)
{
	for (uint32_t i = 0; i < ROLL_CALL_RETRIES && !load(&cpu->answered); i++) {
		/* It may have come when its target was about to halt: again from time to time. */
		if (i % ROLL_CALL_REPEAT == 0)
			send(cpu->apic_id, ICR_NMI);
		time_wait_for(&cpu->answered, RETRY_US);
	}
	return load(&cpu->answered);
}

/* An NMI ends every guest of L0, and wakes what is parked in L0; outside, nobody answers. */
uint32_t cpu_roll_call(struct cpu *self)
{
	uint32_t missing = 0;

	store(&roll_call, 1);
	for (uint32_t vp = 0; vp < cpu_count; vp++)
		if (vp_table[vp] != self)
			send(vp_table[vp]->apic_id, ICR_NMI);
	for (uint32_t vp = 0; vp < cpu_count; vp++) {
		if (vp_table[vp] == self || answers(vp_table[vp]))
			continue;
		missing++;
		log_violation(vp_table[vp], "left the hypervisor: no answer to the roll call");
	}
	return missing;
}

// SPDX-License-Identifier: MIT
#include "control.h"

#include "guest.h"
#include "hostile.h"
#include "log.h"
#include "msr.h"

/* PM1a control of QEMU's pc and q35, and its bit SLP_EN: how an OS powers off (ACPI, 4.8.3.2.1). */
#define PM1_CONTROL_PORT 0x604u
#define PM1_SLEEP 0x2000u

static uint32_t result;

static void intercept(uint8_t *iopm, uint32_t port)
{
	iopm[port / 8] |= (uint8_t)(1 << port % 8);
}

void control_intercept_ports(uint8_t *iopm)
{
	intercept(iopm, CONTROL_EXIT_PORT);
	intercept(iopm, PM1_CONTROL_PORT);
	intercept(iopm, PM1_CONTROL_PORT + 1);
	for (uint32_t i = 0; i < 4; i++)
		intercept(iopm, CONTROL_PORT + i);
}

static uint64_t exits_of(uint32_t vp_index)
{
	struct cpu *cpu = cpu_of_vp(vp_index);

	return cpu ? cpu->exits2 + cpu->exits0 : 0;
}

static void command(struct cpu *cpu, uint32_t value)
{
	uint32_t argument = value >> 8;

	switch (value & 0xff) {
	case CONTROL_FORGIVE:
		result = log_forgive(cpu);
		return;
	case CONTROL_VIOLATIONS:
		result = log_violations();
		return;
	case CONTROL_HOSTILE:
		hostile_add(argument);
		return;
	case CONTROL_FRIENDLY:
		hostile_remove(argument);
		return;
	case CONTROL_CRASH:
		result = argument < 10 ? msr_last_crash(argument) : 0;
		return;
	case CONTROL_FAIL:
		hostile_fail_next((uint16_t)argument, argument >> 16);
		return;
	case CONTROL_EXITS:
		result = (uint32_t)exits_of(argument);
		return;
	default:
		log_violation(cpu, "control command 0x%x", value);
	}
}

static void log_counts(void)
{
	for (uint32_t vp = 0; vp < cpu_count; vp++) {
		const struct cpu *c = cpu_of_vp(vp);

		if (!c->started) {
			log_line(c, "never started, parked in L0");
			continue;
		}
		log_line(c,
			 "APIC ID %u, %lu starts, exits: VTL2 %lu, VTL0 %lu; hypercalls %lu, "
			 "VTL returns %lu, interrupt entries %lu, messages %lu",
			 c->apic_id, c->starts, c->exits2, c->exits0, c->hypercalls, c->vtl_returns,
			 c->interrupts, c->messages);
		meter_log(c);
	}
}

static _Noreturn void finish(struct cpu *cpu, uint8_t code)
{
	uint32_t missing = cpu_roll_call(cpu);

	log_counts();
	log_line(NULL, "roll call: %u missing", missing);
	log_line(NULL, "violations: %u", log_violations());
	log_line(NULL, "end: code %u", code);
	outb(CONTROL_EXIT_PORT, code);
	cpu_park(cpu);
}

/* Powering off ends the run as the exit port does, so that the roll call is not left out. */
static void access_pm1(struct cpu *cpu, bool in)
{
	uint16_t value = (uint16_t)cpu->gps[HV_GP_RAX];

	if (in) {
		asm volatile("inw %w1, %0" : "=a"(value) : "Nd"((uint16_t)PM1_CONTROL_PORT));
		cpu->gps[HV_GP_RAX] = (cpu->gps[HV_GP_RAX] & ~0xffffull) | value;
		return;
	}
	if (value & PM1_SLEEP)
		finish(cpu, 0);
	asm volatile("outw %0, %w1" : : "a"(value), "Nd"((uint16_t)PM1_CONTROL_PORT));
}

void control_io(struct cpu *cpu)
{
	uint64_t info = cpu->vmcb2.control.exit_info1;
	uint32_t port = (uint32_t)(info >> SVM_IO_PORT_SHIFT) & 0xffff;

	if (port == CONTROL_EXIT_PORT && !(info & SVM_IO_IN))
		finish(cpu, (uint8_t)cpu->gps[HV_GP_RAX]);
	if (port == PM1_CONTROL_PORT || port == PM1_CONTROL_PORT + 1)
		access_pm1(cpu, info & SVM_IO_IN);
	else if (info & SVM_IO_IN)
		cpu->gps[HV_GP_RAX] = result;
	else
		command(cpu, (uint32_t)cpu->gps[HV_GP_RAX]);
	cpu->vmcb2.save.rip = cpu->vmcb2.control.exit_info2;
}

// SPDX-License-Identifier: MIT
/* A backend without virtualization: RUN_VP does what a test asks for, mostly harm. */
#include "backend.h"

#include "arch.h"
#include "arch/x86/fixup.h"
#include "arch/x86/x86.h"
#include "boot.h"
#include "console/format.h"
#include "experiments.h"
#include "shm.h"

static const uint64_t constant = 1;

bool backend_boot(const struct boot *boot, struct sidecar_command_error *error)
{
	uint64_t value;

	if (boot->params.hypercall_page == FAULT_IN_BOOT)
		asm volatile("ud2");
	if (rdmsr_safe(MSR_EFER, &value))
		return true;
	error_format(error, "EFER cannot be read");
	return false;
}

void backend_cpu_start(struct cpu *cpu)
{
	(void)cpu;
}

void backend_cpu_stop(struct cpu *cpu)
{
	(void)cpu;
}

_Noreturn void backend_park(struct cpu *cpu)
{
	(void)cpu;
	spin_forever();
}

void backend_crash(struct cpu *cpu, const char *format, va_list arguments)
{
	(void)cpu;
	(void)format;
	(void)arguments;
}

void backend_command_begin(struct cpu *cpu)
{
	(void)cpu;
}

/* Not a tail call, not a loop: the addition comes after. Ends only where the stack does. */
static int descend(volatile int *above)
{
	volatile int here[32] = {*above};

	return here[0] ? 0 : descend(here) + here[1];
}

/* TCG looks neither at MSR values nor at reserved MXCSR bits, but at this it does. */
static void bad_fx_state(struct cpu *cpu, uint64_t *gps)
{
	gps[SIDECAR_GP_RCX] = fxrstor_safe((uint8_t *)cpu->backend_memory + 1);
}

static void write_window(struct cpu *cpu, uint64_t *gps)
{
	uint8_t *byte = window_open(cpu, WINDOW_COUNT - 1, phys(gps[SIDECAR_GP_RCX]), true);

	shm_write(byte, 0x5a);
	byte = window_open(cpu, 0, phys(gps[SIDECAR_GP_RCX]), false);
	gps[SIDECAR_GP_RDX] = shm_read(byte);
	window_close(cpu, 0);
	window_close(cpu, WINDOW_COUNT - 1);
}

static void wait_for_stop(struct cpu *cpu)
{
	while (shm_read(&cpu->control->cpu_status[cpu->node_index]) != SIDECAR_STATUS_STOP)
		arch_drain(cpu);
}

static void experiment(struct cpu *cpu, uint64_t *gps)
{
	switch (gps[SIDECAR_GP_RAX]) {
	case UNDEFINED_INSTRUCTION:
		asm volatile("ud2");
		break;
	case OVERFLOW_STACK:
		descend(&(volatile int){0});
		break;
	case WRITE_CODE:
		*(volatile uint8_t *)(uint64_t)backend_park = 0;
		break;
	case EXECUTE_DATA:
		((void (*)(void))cpu->backend_memory)();
		break;
	case WRITE_CONSTANT:
		*(volatile uint64_t *)(uint64_t)&constant = 0;
		break;
	case TOUCH_UNMAPPED:
		*(volatile uint8_t *)0x1000 = 0;
		break;
	case BAD_XCR0:
		gps[SIDECAR_GP_RCX] = xsetbv_safe(0, 0);
		break;
	case BAD_FX_STATE:
		bad_fx_state(cpu, gps);
		break;
	case NMI:
		asm volatile("int $2");
		break;
	case WRITE_WINDOW:
		write_window(cpu, gps);
		break;
	}
}

enum run_outcome backend_run_vp(struct cpu *cpu, struct sidecar_command_error *error)
{
	uint64_t *gps = cpu->command->cpu_context.gps;

	(void)error;
	if (gps[SIDECAR_GP_RAX] == WAIT_FOR_STOP) {
		wait_for_stop(cpu);
		return RUN_STOPPED;
	}
	experiment(cpu, gps);
	return RUN_INTERCEPT;
}

uint16_t backend_get_registers(struct cpu *cpu, uint8_t vtl, struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)cpu;
	(void)vtl;
	for (*done = 0; *done < count; (*done)++)
		regs[*done].value.low = regs[*done].name + 1;
	return HV_STATUS_SUCCESS;
}

uint16_t backend_set_registers(struct cpu *cpu, uint8_t vtl, const struct hv_register_assoc *regs,
			       unsigned int count, unsigned int *done)
{
	(void)cpu;
	(void)vtl;
	(void)regs;
	*done = count;
	return HV_STATUS_SUCCESS;
}

uint16_t backend_translate(struct cpu *cpu, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	(void)cpu;
	output->gpa_page = request->gva_page;
	return HV_STATUS_SUCCESS;
}

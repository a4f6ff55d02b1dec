// SPDX-License-Identifier: MIT
/*
 * The loop that a sidecar CPU spends its life in: halt, take a command, do it, say so. The protocol
 * is the status byte alone; interrupts only end the halt.
 */
#include "dispatch.h"

#include "arch.h"
#include "backend.h"
#include "command.h"
#include "panic.h"
#include "shm.h"

/* Two words that change together (R13): moved as one, whatever their declared types. */
typedef uint64_t __attribute__((may_alias)) response_t;

static uint8_t wait_for_request(struct cpu *cpu)
{
	uint8_t status;

	/* Pairs with the driver's compare-exchange to RUN: the command page is ours after it. */
	while ((status = shm_read_acquire(&cpu->control->cpu_status[cpu->node_index])) ==
	       SIDECAR_STATUS_IDLE)
		arch_wait(cpu);
	return status;
}

/*
 * Gives the pages away. Pairs with the acquire of whoever finds the command complete; and, as an
 * exchange is a full barrier, with the driver's exchange of quiet: one of the two sees the other.
 */
static void publish(struct cpu *cpu, uint8_t status)
{
	__atomic_exchange_n(&cpu->control->cpu_status[cpu->node_index], status, __ATOMIC_SEQ_CST);
}

static void notify(struct cpu *cpu)
{
	struct sidecar_control_page *control = cpu->control;
	response_t response;

	/* Pairs with the driver's exchange with 0, after which it scans the status bytes. */
	shm_write_release(&control->needs_attention, 1);
	response = shm_read((response_t *)(void *)&control->response_cpu);
	if (response >> 32)
		arch_send_ipi(cpu, (uint32_t)response, (uint8_t)(response >> 32));
}

static _Noreturn void leave(struct cpu *cpu)
{
	backend_cpu_stop(cpu);
	shm_write(&cpu->state->cpu_state, SIDECAR_CPU_PARKED);
	arch_cpu_stop(cpu);
	publish(cpu, SIDECAR_STATUS_REMOVED);
	notify(cpu);
	backend_park(cpu);
}

_Noreturn void dispatch(struct cpu *cpu)
{
	for (;;) {
		uint8_t status = wait_for_request(cpu);

		if (status == SIDECAR_STATUS_REMOVE)
			leave(cpu);
		if (status != SIDECAR_STATUS_RUN && status != SIDECAR_STATUS_STOP)
			panic(cpu, "status byte %u is none of RUN, STOP and REMOVE", status);
		/* The wake-up of a RUN that was seen without sleeping must not end VMRUN (R11). */
		arch_drain(cpu);
		backend_command_begin(cpu);
		command_execute(cpu); /* even when STOP came first: RUN_VP sees it, others finish */
		publish(cpu, SIDECAR_STATUS_IDLE);
		if (!__atomic_load_n(&cpu->state->quiet, __ATOMIC_SEQ_CST))
			notify(cpu);
	}
}

// SPDX-License-Identifier: MIT
#include "backend.h"

#include "arch.h"
#include "console/format.h"
#include "host.h"
#include "panic.h"
#include "shm.h"

/* Guest pages below this are mapped as they are; the rest is not present. */
#define GUEST_PAGES 0x1000u

bool backend_boot(const struct sidecar_boot_params *params, struct sidecar_command_error *error)
{
	(void)params;
	(void)error;
	return true;
}

void backend_cpu_start(struct cpu *cpu)
{
	host_registers_reset(cpu);
}

void backend_cpu_stop(struct cpu *cpu)
{
	(void)cpu;
}

void backend_park(struct cpu *cpu)
{
	host_cpu_exit(cpu->backend.host);
}

void backend_command_begin(struct cpu *cpu)
{
	uint64_t owner = shm_read_acquire(&cpu->state->owner);

	if (owner != shm_read(&cpu->state->owner_seen)) {
		host_registers_reset(cpu);
		__builtin_memset(cpu->register_page, 0, sizeof(*cpu->register_page));
		shm_write(&cpu->state->owner_seen, owner);
	}
	shm_write_release(&cpu->state->generation_seen, shm_read_acquire(&cpu->state->generation));
}

static void take_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = cpu->register_page;
	uint32_t dirty = shm_read(&page->dirty);

	if (page->is_valid && (dirty & HV_REGISTER_PAGE_DIRTY_RIP))
		host_register(cpu, HV_REGISTER_RIP)->low = shm_read(&page->rip);
	page->is_valid = 0;
	shm_write(&page->dirty, 0);
}

static void fill_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = cpu->register_page;

	page->version = HV_REGISTER_PAGE_VERSION;
	page->rip = host_register(cpu, HV_REGISTER_RIP)->low;
	page->rflags = host_register(cpu, HV_REGISTER_RFLAGS)->low;
	page->is_valid = 1;
}

static enum host_exit enter(struct cpu *cpu, struct hv_message *message)
{
	struct host_guest *guest = cpu->backend.host->guest;

	shm_write_release(&cpu->state->generation_seen, shm_read_acquire(&cpu->state->generation));
	shm_add(&cpu->state->entries, 1);
	shm_add(&guest->entries, 1);
	return guest->enter(guest, cpu, message);
}

/* Nothing that the driver does reaches a dead CPU; the test's end does. */
static _Noreturn void hang(struct cpu *cpu)
{
	while (!shm_read_acquire(&cpu->backend.host->released))
		host_cpu_sleep(cpu->backend.host, 0);
	host_cpu_exit(cpu->backend.host);
}

static enum run_outcome end_with_intercept(struct cpu *cpu, const struct hv_message *message)
{
	cpu->command->intercept_message = *message;
	shm_add(&cpu->state->exits[SIDECAR_EXIT_IO], 1);
	return RUN_INTERCEPT;
}

enum run_outcome backend_run_vp(struct cpu *cpu, struct sidecar_command_error *error)
{
	struct host_cpu *host = cpu->backend.host;
	enum run_outcome outcome = RUN_STOPPED;
	struct hv_message message = {0};

	take_register_page(cpu);
	while (outcome == RUN_STOPPED &&
	       shm_read(&cpu->control->cpu_status[cpu->node_index]) != SIDECAR_STATUS_STOP) {
		switch (enter(cpu, &message)) {
		case HOST_INTERCEPT:
			outcome = end_with_intercept(cpu, &message);
			break;
		case HOST_INTERRUPT:
			host_cpu_sleep(host, host->guest->slice_us);
			shm_add(&cpu->state->exits[SIDECAR_EXIT_INTERRUPT], 1);
			break;
		case HOST_ERROR:
			error_format(error, "%s", host->guest->text);
			outcome = RUN_ERROR;
			break;
		case HOST_HANG:
			hang(cpu);
		case HOST_PANIC:
			panic(cpu, "%s", host->guest->text);
		}
	}
	fill_register_page(cpu);
	return outcome;
}

uint16_t backend_translate(struct cpu *cpu, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	(void)cpu;
	if (request->control_flags & HV_TRANSLATE_RESERVED_MASK)
		return HV_STATUS_INVALID_PARAMETER;
	if (request->gva_page >= GUEST_PAGES) {
		output->result = HV_TRANSLATE_PAGE_NOT_PRESENT;
		return HV_STATUS_SUCCESS;
	}
	output->result = HV_TRANSLATE_SUCCESS |
			 (uint64_t)HV_CACHE_TYPE_WRITE_BACK << HV_TRANSLATE_CACHE_TYPE_SHIFT;
	output->gpa_page = request->gva_page;
	return HV_STATUS_SUCCESS;
}

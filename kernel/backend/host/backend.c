// SPDX-License-Identifier: MIT
#include "backend.h"

#include "arch.h"
#include "console/format.h"
#include "host.h"
#include "panic.h"
#include "shm.h"

/* Guest pages below this are mapped as they are; the rest is not present. */
#define GUEST_PAGES 0x1000u

bool backend_boot(const struct boot *boot, struct sidecar_command_error *error)
{
	(void)boot;
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

/* What a processor has after a reset (APM vol. 2, 14.1.3). */
static void reset_context(struct sidecar_cpu_context *context)
{
	__builtin_memset(context, 0, sizeof(*context));
	context->fx_state.fcw = 0x37f;
	context->fx_state.mxcsr = 0x1f80;
}

void backend_command_begin(struct cpu *cpu)
{
	uint64_t owner = shm_read_acquire(&cpu->state->owner);

	if (owner != shm_read(&cpu->state->owner_seen)) {
		host_registers_reset(cpu);
		reset_context(&cpu->command->cpu_context);
		__builtin_memset(cpu->register_page, 0, sizeof(*cpu->register_page));
		shm_write(&cpu->state->owner_seen, owner);
	}
	shm_write_release(&cpu->state->generation_seen, shm_read_acquire(&cpu->state->generation));
}

#define SEGMENT_COUNT 6u

static bool take_word(struct cpu *cpu, uint32_t name, uint64_t value)
{
	return host_set_register(cpu, name, (struct hv_u128){value, 0}) == HV_STATUS_SUCCESS;
}

static bool take_segments(struct cpu *cpu, const struct hv_register_page *page)
{
	struct hv_u128 value;

	for (unsigned int i = 0; i < SEGMENT_COUNT; i++) {
		__builtin_memcpy(&value, &page->segment[i], sizeof(value));
		if (host_set_register(cpu, HV_REGISTER_ES + i, value) != HV_STATUS_SUCCESS)
			return false;
	}
	return true;
}

/* False: a value is refused. */
static bool take_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = cpu->register_page;
	uint32_t dirty = shm_read(&page->dirty);

	if (!page->is_valid)
		return true;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_SEGMENTS) && !take_segments(cpu, page))
		return false;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_GP) &&
	    !take_word(cpu, HV_REGISTER_RSP, page->gp_registers[HV_GP_RSP]))
		return false;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_RIP) &&
	    !take_word(cpu, HV_REGISTER_RIP, shm_read(&page->rip)))
		return false;
	if (dirty & HV_REGISTER_PAGE_DIRTY_XMM)
		__builtin_memcpy(cpu->command->cpu_context.fx_state.xmm, page->xmm,
				 sizeof(page->xmm));
	return !(dirty & HV_REGISTER_PAGE_DIRTY_FLAGS) ||
	       take_word(cpu, HV_REGISTER_RFLAGS, page->rflags);
}

static uint64_t word(struct cpu *cpu, uint32_t name)
{
	return host_register(cpu, name)->low;
}

static void fill_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = cpu->register_page;
	const struct sidecar_cpu_context *context = &cpu->command->cpu_context;

	shm_write(&page->dirty, 0);
	page->version = HV_REGISTER_PAGE_VERSION;
	page->vtl = 0;
	__builtin_memcpy(page->gp_registers, context->gps, sizeof(page->gp_registers));
	__builtin_memcpy(page->xmm, context->fx_state.xmm, sizeof(page->xmm));
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		__builtin_memcpy(&page->segment[i], host_register(cpu, HV_REGISTER_ES + i),
				 sizeof(page->segment[i]));
	page->gp_registers[HV_GP_RSP] = word(cpu, HV_REGISTER_RSP);
	page->rip = word(cpu, HV_REGISTER_RIP);
	page->rflags = word(cpu, HV_REGISTER_RFLAGS);
	page->cr0 = word(cpu, HV_REGISTER_CR0);
	page->cr3 = word(cpu, HV_REGISTER_CR3);
	page->cr4 = word(cpu, HV_REGISTER_CR4);
	page->cr8 = word(cpu, HV_REGISTER_CR8);
	page->efer = word(cpu, HV_REGISTER_EFER);
	page->dr7 = word(cpu, HV_REGISTER_DR7);
	page->pending_interruption = word(cpu, HV_REGISTER_PENDING_INTERRUPTION);
	page->interrupt_state = word(cpu, HV_REGISTER_INTERRUPT_STATE);
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

	if (!take_register_page(cpu)) {
		message.header.type = HV_MESSAGE_INVALID_VP_REGISTER_VALUE;
		outcome = end_with_intercept(cpu, &message);
	}
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

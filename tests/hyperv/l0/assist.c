// SPDX-License-Identifier: MIT
#include "assist.h"

#include "guest.h"
#include "hostile.h"
#include "log.h"
#include "message.h"
#include "nested.h"
#include "partition.h"
#include "registers.h"
#include "segment.h"

#define VMMCALL_LENGTH 3
#define FAST_RETURN 0x1ull
/* What VTL2 finds in RAX and RCX: nothing that it may rely on. */
#define CLOBBERED_RAX 0xa0a0a0a0a0a0a0a0ull
#define CLOBBERED_RCX 0xc0c0c0c0c0c0c0c0ull

/* ---- overlay pages --------------------------------------------------------------------------- */

static bool overlay_valid(struct cpu *cpu, const char *name, uint64_t value)
{
	if (value & HV_OVERLAY_RESERVED_MASK) {
		log_violation(cpu, "%s 0x%lx: bits 1 to 11 are reserved", name, value);
		return false;
	}
	if ((value & HV_OVERLAY_ENABLE) && !nested_is_ram(value & ~0xfffull, PAGE)) {
		log_violation(cpu, "%s 0x%lx: that is no RAM", name, value);
		return false;
	}
	return true;
}

static void *overlay(uint64_t value)
{
	return value & HV_OVERLAY_ENABLE ? (void *)(value & ~0xfffull) : NULL;
}

struct hv_vp_assist_page *assist_page(struct cpu *cpu)
{
	return overlay(cpu->assist);
}

/* An overlay is a fresh page: what software has put there before is not in it. */
bool assist_set(struct cpu *cpu, uint64_t value)
{
	bool fresh = (value & HV_OVERLAY_ENABLE) && value != cpu->assist;

	if (!overlay_valid(cpu, "VP assist page", value))
		return false;
	cpu->assist = value;
	if (fresh)
		__builtin_memset(overlay(value), 0, PAGE);
	return true;
}

uint16_t register_page_set(struct cpu *cpu, uint64_t value)
{
	bool fresh = (value & HV_OVERLAY_ENABLE) && value != cpu->register_page;

	if (hostile_is(HOSTILE_REFUSE_PAGE) && (value & HV_OVERLAY_ENABLE))
		return HV_STATUS_INVALID_PARAMETER;
	if (!overlay_valid(cpu, "register page", value))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	cpu->register_page = value;
	if (fresh)
		__builtin_memset(overlay(value), 0, PAGE);
	return HV_STATUS_SUCCESS;
}

/* ---- register page --------------------------------------------------------------------------- */

static void fill_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = overlay(cpu->register_page);
	const struct svm_vmcb *vmcb = &cpu->vmcb0;
	const struct svm_segment *segments[6] = {&vmcb->save.es, &vmcb->save.cs, &vmcb->save.ss,
						 &vmcb->save.ds, &vmcb->save.fs, &vmcb->save.gs};

	if (!page)
		return;
	page->version = HV_REGISTER_PAGE_VERSION;
	page->vtl = 0;
	page->dirty = 0;
	for (unsigned int i = 0; i < 16; i++)
		page->gp_registers[i] = cpu->gps[i];
	page->gp_registers[HV_GP_RSP] = vmcb->save.rsp;
	page->rip = vmcb->save.rip;
	page->rflags = vmcb->save.rflags;
	page->reserved = 0;
	registers_get_xmm(page->xmm, 6);
	for (unsigned int i = 0; i < 6; i++)
		page->segment[i] = svm_segment_to_hv(segments[i]);
	page->cr0 = vmcb->save.cr0;
	page->cr3 = vmcb->save.cr3;
	page->cr4 = vmcb->save.cr4;
	page->cr8 = vmcb->control.int_ctl & 0xf;
	page->efer = vmcb->save.efer & ~EFER_SVM;
	page->dr7 = vmcb->save.dr7;
	page->pending_interruption = cpu->vtl0.pending_interruption;
	page->interrupt_state = registers_interrupt_state(cpu);
	page->instruction_emulation_hints = 0;
	page->is_valid = 1;
}

static uint16_t take(struct cpu *cpu, uint32_t name, uint64_t value)
{
	struct hv_u128 wide = {value, 0};

	return register_set(cpu, 0, name, &wide);
}

static uint16_t take_segments(struct cpu *cpu, const struct hv_register_page *page)
{
	uint16_t status = HV_STATUS_SUCCESS;
	struct hv_u128 value;

	for (uint32_t i = 0; i < 6 && status == HV_STATUS_SUCCESS; i++) {
		__builtin_memcpy(&value, &page->segment[i], sizeof(value));
		status = register_set(cpu, 0, HV_REGISTER_ES + i, &value);
	}
	return status;
}

/* The general registers but RSP, and XMM, are live in VTL2: the page's copies count for nothing. */
static uint16_t take_register_page(struct cpu *cpu, struct hv_register_page *page)
{
	uint32_t dirty = load(&page->dirty);
	uint16_t status = HV_STATUS_SUCCESS;

	store(&page->dirty, 0);
	if (dirty & ~(uint32_t)HV_REGISTER_PAGE_DIRTY_ALL)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	if (dirty & HV_REGISTER_PAGE_DIRTY_GP)
		status = take(cpu, HV_REGISTER_RSP, page->gp_registers[HV_GP_RSP]);
	if (status == HV_STATUS_SUCCESS && (dirty & HV_REGISTER_PAGE_DIRTY_RIP))
		status = take(cpu, HV_REGISTER_RIP, page->rip);
	if (status == HV_STATUS_SUCCESS && (dirty & HV_REGISTER_PAGE_DIRTY_FLAGS))
		status = take(cpu, HV_REGISTER_RFLAGS, page->rflags);
	if (status == HV_STATUS_SUCCESS && (dirty & HV_REGISTER_PAGE_DIRTY_SEGMENTS))
		status = take_segments(cpu, page);
	return status;
}

static bool consume_register_page(struct cpu *cpu)
{
	struct hv_register_page *page = overlay(cpu->register_page);

	if (!page || !page->is_valid || !load(&page->dirty))
		return true;
	return take_register_page(cpu, page) == HV_STATUS_SUCCESS;
}

/* ---- VTL return and entry -------------------------------------------------------------------- */

static void share(struct svm_vmcb *to, const struct svm_vmcb *from)
{
	to->save.cr2 = from->save.cr2;
	if (partition.dr6_shared)
		to->save.dr6 = from->save.dr6;
}

static bool is_zero(const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static void check_assist_page(struct cpu *cpu, const struct hv_vp_assist_page *page)
{
	if (!is_zero(page->vtl_return_actions, sizeof(page->vtl_return_actions)))
		log_violation(cpu, "VTL return with return actions, which are not offered");
	if (page->reserved || page->vtl_control.reserved || page->vtl_control.reserved2)
		log_violation(cpu, "VTL return with reserved bytes of the VP assist page not zero");
}

static bool return_allowed(struct cpu *cpu)
{
	uint64_t input = cpu->gps[HV_GP_RAX];

	if (!assist_page(cpu)) {
		log_violation(cpu, "VTL return without a VP assist page");
		return false;
	}
	if (input & ~FAST_RETURN) {
		log_violation(cpu, "VTL return with input 0x%lx, only bit 0 is defined", input);
		return false;
	}
	return true;
}

void vtl_return(struct cpu *cpu)
{
	struct hv_vp_assist_page *page = assist_page(cpu);

	if (!return_allowed(cpu)) {
		guest_raise(cpu, 2, VECTOR_UD);
		return;
	}
	meter_return(cpu);
	guest_skip(cpu, 2, VMMCALL_LENGTH);
	check_assist_page(cpu, page);
	if (!(cpu->gps[HV_GP_RAX] & FAST_RETURN)) {
		cpu->gps[HV_GP_RAX] = page->vtl_control.rax;
		cpu->gps[HV_GP_RCX] = page->vtl_control.rcx;
	}
	share(&cpu->vmcb0, &cpu->vmcb2);
	cpu->vtl = 0;
	cpu->vtl_returns++;
	if (!consume_register_page(cpu))
		message_invalid_register(cpu);
	else if (hostile_vtl_return(cpu))
		vtl_enter(cpu, HV_ENTRY_REASON_INTERRUPT);
}

void vtl_enter(struct cpu *cpu, uint32_t entry_reason)
{
	struct hv_vp_assist_page *page = assist_page(cpu);

	if (!page)
		log_fatal(cpu, "VTL2 entered without its VP assist page");
	fill_register_page(cpu);
	page->vtl_control.rax = cpu->gps[HV_GP_RAX];
	page->vtl_control.rcx = cpu->gps[HV_GP_RCX];
	page->vtl_control.vina_status = 0;
	store(&page->vtl_control.entry_reason, entry_reason);
	share(&cpu->vmcb2, &cpu->vmcb0);
	cpu->gps[HV_GP_RAX] = CLOBBERED_RAX;
	cpu->gps[HV_GP_RCX] = CLOBBERED_RCX;
	cpu->vtl = 2;
	meter_begin(cpu, entry_reason == HV_ENTRY_REASON_INTERCEPT ? METER_ANSWER : METER_RETURN);
	if (entry_reason == HV_ENTRY_REASON_INTERRUPT)
		cpu->interrupts++;
	if (entry_reason == HV_ENTRY_REASON_INTERCEPT)
		cpu->messages++;
}

// SPDX-License-Identifier: MIT
#include "register_page.h"

#include <string.h>

#include "shm.h"

#define XMM_IN_PAGE 6u
#define SEGMENTS_IN_PAGE 6u
#define VALUE_SIZE sizeof(struct hv_u128)

/* RFLAGS: bit 1 is one; 3, 5, 15 and 22 to 63 are zero (APM vol. 2, 3.1.6). */
#define RFLAGS_ONE UINT64_C(0x2)
#define RFLAGS_ZERO UINT64_C(0xffffffffffc08028)

/* ---- places ---- */

static struct register_place at(const void *bytes, size_t size, uint32_t dirty)
{
	return (struct register_place){ .bytes = (void *)bytes, .size = size, .dirty = dirty };
}

static struct register_place nowhere(void)
{
	return (struct register_place){ .bytes = NULL };
}

/* RSP is the VTL's own; its slot has CR2. */
struct register_place context_place(const struct sidecar_vp *vp, uint32_t name)
{
	struct sidecar_cpu_context *context = &vp->page->cpu_context;
	struct hv_fx_state *fx = &context->fx_state;

	if (name == HV_REGISTER_CR2)
		return at(&context->gps[SIDECAR_GP_CR2], sizeof(uint64_t), 0);
	if (name >= HV_REGISTER_RAX && name <= HV_REGISTER_R15 && name != HV_REGISTER_RSP)
		return at(&context->gps[name - HV_REGISTER_RAX], sizeof(uint64_t), 0);
	if (name >= HV_REGISTER_XMM0 && name <= HV_REGISTER_XMM15)
		return at(fx->xmm[name - HV_REGISTER_XMM0], VALUE_SIZE, 0);
	if (name >= HV_REGISTER_FPMMX0 && name <= HV_REGISTER_FPMMX7)
		return at(fx->st[name - HV_REGISTER_FPMMX0], VALUE_SIZE, 0);
	/* The first 16 bytes of the FXSAVE image, and the next 16. */
	if (name == HV_REGISTER_FP_CONTROL_STATUS)
		return at(fx, VALUE_SIZE, 0);
	if (name == HV_REGISTER_XMM_CONTROL_STATUS)
		return at(&fx->fdp, VALUE_SIZE, 0);
	return nowhere();
}

struct register_place page_place(const struct sidecar_vp *vp, uint32_t name)
{
	const struct hv_register_page *page = vp->register_page;

	switch (name) {
	case HV_REGISTER_RIP:
		return at(&page->rip, sizeof(page->rip), HV_REGISTER_PAGE_DIRTY_RIP);
	case HV_REGISTER_RSP:
		return at(&page->gp_registers[HV_GP_RSP], sizeof(uint64_t),
			  HV_REGISTER_PAGE_DIRTY_GP);
	case HV_REGISTER_RFLAGS:
		return at(&page->rflags, sizeof(page->rflags), HV_REGISTER_PAGE_DIRTY_FLAGS);
	case HV_REGISTER_CR0:
		return at(&page->cr0, sizeof(page->cr0), 0);
	case HV_REGISTER_CR3:
		return at(&page->cr3, sizeof(page->cr3), 0);
	case HV_REGISTER_CR4:
		return at(&page->cr4, sizeof(page->cr4), 0);
	case HV_REGISTER_CR8:
		return at(&page->cr8, sizeof(page->cr8), 0);
	case HV_REGISTER_EFER:
		return at(&page->efer, sizeof(page->efer), 0);
	case HV_REGISTER_DR7:
		return at(&page->dr7, sizeof(page->dr7), 0);
	case HV_REGISTER_PENDING_INTERRUPTION:
		return at(&page->pending_interruption, sizeof(uint64_t), 0);
	case HV_REGISTER_INTERRUPT_STATE:
		return at(&page->interrupt_state, sizeof(uint64_t), 0);
	}
	if (name >= HV_REGISTER_ES && name <= HV_REGISTER_GS)
		return at(&page->segment[name - HV_REGISTER_ES], VALUE_SIZE,
			  HV_REGISTER_PAGE_DIRTY_SEGMENTS);
	return nowhere();
}

struct hv_u128 place_read(const struct register_place *place)
{
	struct hv_u128 value = { 0, 0 };

	shm_copy_in(&value, place->bytes, place->size);
	return value;
}

void place_write(const struct register_place *place, struct hv_u128 value)
{
	shm_copy_out(place->bytes, &value, place->size);
}

/* ---- the page as a whole ---- */

bool page_is_valid(const struct sidecar_vp *vp, uint8_t *vtl)
{
	*vtl = shm_load8(&vp->register_page->vtl);
	return shm_load8(&vp->register_page->is_valid) != 0;
}

void page_add_dirty(struct sidecar_vp *vp, uint32_t dirty)
{
	uint32_t old = shm_load32(&vp->register_page->dirty);

	if ((old & dirty) != dirty)
		shm_store32(&vp->register_page->dirty, old | dirty);
}

static bool is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

bool page_value_is_plain(uint32_t name, struct hv_u128 value)
{
	struct hv_segment segment;

	switch (name) {
	case HV_REGISTER_RFLAGS:
		return !value.high && (value.low & RFLAGS_ONE) && !(value.low & RFLAGS_ZERO);
	case HV_REGISTER_RIP:
	case HV_REGISTER_RSP:
		return !value.high && is_canonical(value.low);
	default:
		memcpy(&segment, &value, sizeof(segment));
		return is_canonical(segment.base) &&
		       !(segment.attributes & HV_SEGMENT_RESERVED_MASK);
	}
}

void page_fold_xmm(struct sidecar_vp *vp)
{
	struct hv_register_page *page = vp->register_page;
	uint32_t dirty = shm_load32(&page->dirty);
	struct hv_u128 xmm[XMM_IN_PAGE];

	if (!(dirty & HV_REGISTER_PAGE_DIRTY_XMM) || !shm_load8(&page->is_valid))
		return;
	shm_copy_in(xmm, page->xmm, sizeof(xmm));
	shm_copy_out(vp->page->cpu_context.fx_state.xmm, xmm, sizeof(xmm));
	shm_store32(&page->dirty, dirty & ~(uint32_t)HV_REGISTER_PAGE_DIRTY_XMM);
}

static void collect(struct sidecar_vp *vp, uint32_t name)
{
	struct register_plan *plan = &vp->plan;
	struct register_place place = page_place(vp, name);

	if (!(plan->flush_dirty & place.dirty))
		return;
	plan->flush[plan->flush_count++] = (struct hv_register_assoc){
		.name = name,
		.value = place_read(&place),
	};
}

void page_discard(struct sidecar_vp *vp)
{
	shm_store8(&vp->register_page->is_valid, 0);
	shm_store32(&vp->register_page->dirty, 0);
}

/* In the order in which the page's reader applies them. */
void page_turn_off(struct sidecar_vp *vp)
{
	uint32_t i;

	page_fold_xmm(vp);
	vp->plan.flush_count = 0;
	vp->plan.flush_dirty = shm_load32(&vp->register_page->dirty);
	for (i = 0; i < SEGMENTS_IN_PAGE; i++)
		collect(vp, HV_REGISTER_ES + i);
	collect(vp, HV_REGISTER_RSP);
	collect(vp, HV_REGISTER_RIP);
	collect(vp, HV_REGISTER_RFLAGS);
	page_discard(vp);
	vp->counters.page_flushes++;
}

void page_turn_on(struct sidecar_vp *vp)
{
	shm_store32(&vp->register_page->dirty, vp->plan.flush_dirty);
	shm_store8(&vp->register_page->is_valid, 1);
	vp->plan.flush_count = 0;
}

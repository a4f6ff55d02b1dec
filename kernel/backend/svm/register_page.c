// SPDX-License-Identifier: MIT
#include "register_page.h"

#include "registers.h"
#include "segment.h"
#include "shm.h"

/* ES, CS, SS, DS, FS, GS: the same order in both worlds, and first in the save area. */
#define SEGMENT_COUNT 6u
#define XMM_COUNT 6u

/* What the page asks for, read once. */
struct request {
	uint32_t dirty;
	uint64_t rsp;
	uint64_t rip;
	uint64_t rflags;
	struct hv_segment segment[SEGMENT_COUNT];
	struct hv_u128 xmm[XMM_COUNT];
};

static void read_request(struct request *request, const struct hv_register_page *page)
{
	request->dirty = shm_read(&page->dirty);
	__builtin_memcpy(request->segment, page->segment, sizeof(request->segment));
	__builtin_memcpy(request->xmm, page->xmm, sizeof(request->xmm));
	request->rsp = page->gp_registers[HV_GP_RSP];
	request->rip = page->rip;
	request->rflags = page->rflags;
	/* The compiler may not look at the page again. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* None of the names used here lives in the command page. */
static bool set(struct svm_vp *vp, struct sidecar_cpu_context *context, uint32_t name,
		uint64_t value)
{
	const struct hv_u128 wide = {value, 0};

	return svm_set_register(vp, context, name, &wide) == HV_STATUS_SUCCESS;
}

static bool set_segments(struct svm_vp *vp, struct sidecar_cpu_context *context,
			 const struct request *request)
{
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++) {
		struct hv_u128 wide;

		__builtin_memcpy(&wide, &request->segment[i], sizeof(wide));
		if (svm_set_register(vp, context, HV_REGISTER_ES + i, &wide) != HV_STATUS_SUCCESS)
			return false;
	}
	return true;
}

static bool apply(struct svm_vp *vp, struct sidecar_cpu_context *context,
		  const struct request *request)
{
	uint32_t dirty = request->dirty;

	if (dirty & ~(uint32_t)HV_REGISTER_PAGE_DIRTY_ALL)
		return false;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_SEGMENTS) && !set_segments(vp, context, request))
		return false;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_GP) && !set(vp, context, HV_REGISTER_RSP, request->rsp))
		return false;
	if ((dirty & HV_REGISTER_PAGE_DIRTY_RIP) &&
	    !set(vp, context, HV_REGISTER_RIP, request->rip))
		return false;
	return !(dirty & HV_REGISTER_PAGE_DIRTY_FLAGS) ||
	       set(vp, context, HV_REGISTER_RFLAGS, request->rflags);
}

struct undo {
	struct svm_segment segment[SEGMENT_COUNT]; /* ES to GS, as they lie in the save area */
	uint64_t rsp;
	uint64_t rip;
	uint64_t rflags;
};

static struct undo remember(const struct svm_save_area *save)
{
	return (struct undo){
		.segment = {save->es, save->cs, save->ss, save->ds, save->fs, save->gs},
		.rsp = save->rsp,
		.rip = save->rip,
		.rflags = save->rflags,
	};
}

static void restore(struct svm_save_area *save, const struct undo *undo)
{
	__builtin_memcpy(save, undo->segment, sizeof(undo->segment));
	save->rsp = undo->rsp;
	save->rip = undo->rip;
	save->rflags = undo->rflags;
}

bool svm_register_page_take(const struct hv_register_page *page, struct svm_vp *vp,
			    struct sidecar_cpu_context *context, struct hv_fx_state *fx)
{
	struct request request;
	struct undo undo;

	if (!shm_read(&page->is_valid) || !shm_read(&page->dirty))
		return true;
	read_request(&request, page);
	undo = remember(&vp->vmcb->save);
	if (!apply(vp, context, &request)) {
		restore(&vp->vmcb->save, &undo);
		return false;
	}
	if (request.dirty & HV_REGISTER_PAGE_DIRTY_XMM)
		__builtin_memcpy(fx->xmm, request.xmm, sizeof(request.xmm));
	return true;
}

static void fill_general(struct hv_register_page *page, const struct svm_save_area *save,
			 const uint64_t *gps)
{
	__builtin_memcpy(page->gp_registers, gps, sizeof(page->gp_registers));
	page->gp_registers[HV_GP_RSP] = save->rsp;
	page->rip = save->rip;
	page->rflags = save->rflags;
}

static void fill_segments(struct hv_register_page *page, const struct svm_save_area *save)
{
	const struct svm_segment *segments = (const struct svm_segment *)save;

	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		page->segment[i] = svm_segment_to_hv(&segments[i]);
	page->segment[HV_SEGMENT_INDEX_SS] = svm_stack_segment(save);
}

static uint64_t interrupt_state(const struct svm_vp *vp)
{
	uint64_t state = vp->nmi_masked ? HV_INTERRUPT_STATE_NMI_MASKED : 0;

	return vp->vmcb->control.int_state & SVM_INT_STATE_SHADOW
		       ? state | HV_INTERRUPT_STATE_SHADOW
		       : state;
}

static void fill_control(struct hv_register_page *page, const struct svm_vp *vp)
{
	const struct svm_save_area *save = &vp->vmcb->save;

	page->cr0 = save->cr0;
	page->cr3 = save->cr3;
	page->cr4 = save->cr4;
	page->cr8 = vp->vmcb->control.int_ctl & SVM_INT_CTL_TPR_MASK;
	page->efer = save->efer & ~EFER_SVME;
	page->dr7 = save->dr7;
	page->pending_interruption = vp->pending_interruption;
	page->interrupt_state = interrupt_state(vp);
	page->instruction_emulation_hints = 0;
}

void svm_register_page_fill(struct hv_register_page *page, const struct svm_vp *vp,
			    const uint64_t *gps, const struct hv_fx_state *fx)
{
	shm_write(&page->dirty, 0);
	fill_general(page, &vp->vmcb->save, gps);
	fill_segments(page, &vp->vmcb->save);
	fill_control(page, vp);
	__builtin_memcpy(page->xmm, fx->xmm, sizeof(page->xmm));
	page->version = HV_REGISTER_PAGE_VERSION;
	page->vtl = 0;
	shm_write(&page->is_valid, 1);
}

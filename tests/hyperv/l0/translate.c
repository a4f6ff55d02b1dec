// SPDX-License-Identifier: MIT
#include "guest.h"
#include "hypercall.h"
#include "log.h"

static uint16_t check_flags(uint64_t flags)
{
	uint64_t both_accesses = HV_TRANSLATE_SUPERVISOR_ACCESS | HV_TRANSLATE_USER_ACCESS;
	uint64_t both_smaps = HV_TRANSLATE_ENFORCE_SMAP | HV_TRANSLATE_OVERRIDE_SMAP;

	if ((flags & HV_TRANSLATE_RESERVED_MASK) || (flags & both_accesses) == both_accesses ||
	    (flags & both_smaps) == both_smaps)
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

static struct hv_u128 fault_event(const struct svm_translation *t, uint64_t gva)
{
	uint64_t vector = t->page_fault ? VECTOR_PF : VECTOR_GP;

	if (!t->page_fault && !t->non_canonical)
		return (struct hv_u128){0, 0};
	return (struct hv_u128){
		.low = HV_EVENT_PENDING | HV_EVENT_EXCEPTION_ERROR_CODE_VALID |
		       vector << HV_EVENT_EXCEPTION_VECTOR_SHIFT |
		       (uint64_t)t->error_code << HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT,
		.high = t->page_fault ? gva : 0,
	};
}

static uint16_t walk(struct cpu *cpu, const struct hv_translate_input *in,
		     struct hv_translate_output *out)
{
	uint64_t flags = in->control_flags, gva = in->gva_page << HV_PAGE_SHIFT;
	uint16_t status = hypercall_check_self(cpu, in->partition_id, in->vp_index);
	struct svm_guest_memory memory;
	struct svm_translation t;
	struct svm_paging paging;
	uint8_t vtl;

	if (status == HV_STATUS_SUCCESS && in->reserved) {
		log_violation(cpu, "translate call with the reserved word 0x%x", in->reserved);
		status = HV_STATUS_INVALID_PARAMETER;
	}
	if (status == HV_STATUS_SUCCESS)
		status = check_flags(flags);
	if (status == HV_STATUS_SUCCESS)
		status =
			hypercall_target_vtl(cpu, (uint8_t)(flags >> HV_TRANSLATE_VTL_SHIFT), &vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	paging = guest_paging(cpu, vtl);
	memory = guest_memory(vtl);
	t = svm_translate(&paging, gva, flags, &memory);
	*out = (struct hv_translate_output){.result = t.result};
	if (t.result == HV_TRANSLATE_SUCCESS) {
		out->result |= (uint64_t)HV_CACHE_TYPE_WRITE_BACK << HV_TRANSLATE_CACHE_TYPE_SHIFT;
		out->gpa_page = t.gpa >> HV_PAGE_SHIFT;
	} else {
		out->event[0] = fault_event(&t, gva);
	}
	return HV_STATUS_SUCCESS;
}

uint16_t translate(struct cpu *cpu, const void *input, void *output)
{
	struct hv_translate_input in = *(const struct hv_translate_input *)input;
	struct hv_translate_output out;
	uint16_t status = walk(cpu, &in, &out);

	if (status == HV_STATUS_SUCCESS)
		*(struct hv_translate_output *)output = out;
	return status;
}

uint16_t translate_plain(struct cpu *cpu, const void *input, void *output)
{
	struct hv_translate_input in = *(const struct hv_translate_input *)input;
	struct hv_translate_output out;
	uint16_t status = walk(cpu, &in, &out);

	if (status == HV_STATUS_SUCCESS)
		*(struct hv_translate_plain_output *)output =
			(struct hv_translate_plain_output){out.result, out.gpa_page};
	return status;
}

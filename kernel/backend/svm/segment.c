// SPDX-License-Identifier: MIT
#include "segment.h"

#include "cpu_features.h"

#define ATTRIBUTES_LOW 0x00ff
#define ATTRIBUTES_HIGH_SHIFT 4

struct hv_segment svm_segment_to_hv(const struct svm_segment *segment)
{
	uint16_t low = segment->attributes & ATTRIBUTES_LOW;
	uint16_t high = segment->attributes & SVM_SEGMENT_ATTRIBUTES_MASK & ~ATTRIBUTES_LOW;

	return (struct hv_segment){
		.base = segment->base,
		.limit = segment->limit,
		.selector = segment->selector,
		.attributes = (uint16_t)(low | high << ATTRIBUTES_HIGH_SHIFT),
	};
}

struct hv_segment svm_stack_segment(const struct svm_save_area *save)
{
	struct hv_segment ss = svm_segment_to_hv(&save->ss);
	unsigned int dpl = save->cpl;

	ss.attributes = (uint16_t)((ss.attributes & ~HV_SEGMENT_DPL_MASK) |
				   (dpl << HV_SEGMENT_DPL_SHIFT & HV_SEGMENT_DPL_MASK));
	return ss;
}

bool svm_segment_from_hv(struct svm_segment *segment, const struct hv_segment *value)
{
	uint16_t low = value->attributes & ATTRIBUTES_LOW;
	uint16_t high = value->attributes & ~(ATTRIBUTES_LOW | HV_SEGMENT_RESERVED_MASK);

	if (value->attributes & HV_SEGMENT_RESERVED_MASK)
		return false;
	if (!svm_is_canonical(value->base, CR4_LA57))
		return false;
	*segment = (struct svm_segment){
		.base = value->base,
		.limit = value->limit,
		.selector = value->selector,
		.attributes = (uint16_t)(low | high >> ATTRIBUTES_HIGH_SHIFT),
	};
	return true;
}

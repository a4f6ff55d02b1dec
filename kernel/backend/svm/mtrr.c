// SPDX-License-Identifier: MIT
#include "mtrr.h"

#define TYPE_UC_MINUS 7 /* PAT only */

#define DEF_TYPE_ALLOWED 0xcffULL  /* type, fixed enable, enable (APM vol. 2, 7.7.2) */
#define BASE_LOW_RESERVED 0xf00ULL /* between type and address */
#define MASK_LOW_RESERVED 0x7ffULL /* below the valid bit */
#define TYPE_MASK 0xffULL

static bool type_valid(uint64_t type, bool pat)
{
	switch (type) {
	case HV_CACHE_TYPE_UNCACHED:
	case HV_CACHE_TYPE_WRITE_COMBINING:
	case HV_CACHE_TYPE_WRITE_THROUGH:
	case HV_CACHE_TYPE_WRITE_PROTECTED:
	case HV_CACHE_TYPE_WRITE_BACK:
		return true;
	default:
		return pat && type == TYPE_UC_MINUS;
	}
}

bool svm_memory_types_valid(uint64_t value, bool pat)
{
	for (unsigned int shift = 0; shift < 64; shift += 8) {
		if (!type_valid((value >> shift) & TYPE_MASK, pat))
			return false;
	}
	return true;
}

static bool value_valid(const struct svm_features *features, uint32_t name, uint64_t value)
{
	if (name == HV_REGISTER_MTRR_DEF_TYPE)
		return !(value & ~DEF_TYPE_ALLOWED) && type_valid(value & TYPE_MASK, false);
	if (name >= HV_REGISTER_MTRR_FIX64K_00000)
		return svm_memory_types_valid(value, false);
	if (value & svm_address_reserved(features))
		return false;
	if (name >= HV_REGISTER_MTRR_PHYS_MASK0)
		return !(value & MASK_LOW_RESERVED);
	return !(value & BASE_LOW_RESERVED) && type_valid(value & TYPE_MASK, false);
}

/* Where the value of a name is kept; NULL for a name that is no writable MTRR. */
static const uint64_t *find(const struct svm_mtrrs *mtrrs, uint32_t name)
{
	if (name == HV_REGISTER_MTRR_DEF_TYPE)
		return &mtrrs->def_type;
	if (name >= HV_REGISTER_MTRR_PHYS_BASE0 && name <= HV_REGISTER_MTRR_PHYS_BASE15)
		return &mtrrs->base[name - HV_REGISTER_MTRR_PHYS_BASE0];
	if (name >= HV_REGISTER_MTRR_PHYS_MASK0 && name <= HV_REGISTER_MTRR_PHYS_MASK15)
		return &mtrrs->mask[name - HV_REGISTER_MTRR_PHYS_MASK0];
	if (name >= HV_REGISTER_MTRR_FIX64K_00000 && name <= HV_REGISTER_MTRR_FIX4K_F8000)
		return &mtrrs->fixed[name - HV_REGISTER_MTRR_FIX64K_00000];
	return 0;
}

uint16_t svm_get_mtrr(const struct svm_mtrrs *mtrrs, uint32_t name, uint64_t *value)
{
	const uint64_t *place = find(mtrrs, name);

	if (name == HV_REGISTER_MTRR_CAP)
		*value = SVM_MTRR_CAP;
	else if (place)
		*value = *place;
	else
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	return HV_STATUS_SUCCESS;
}

uint16_t svm_set_mtrr(struct svm_mtrrs *mtrrs, const struct svm_features *features, uint32_t name,
		      uint64_t value)
{
	uint64_t *place = (uint64_t *)find(mtrrs, name);

	if (name == HV_REGISTER_MTRR_CAP) /* read only: its own value is no change */
		return value == SVM_MTRR_CAP ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_REGISTER_VALUE;
	if (!place)
		return HV_STATUS_UNKNOWN_REGISTER_NAME;
	if (!value_valid(features, name, value))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	*place = value;
	return HV_STATUS_SUCCESS;
}

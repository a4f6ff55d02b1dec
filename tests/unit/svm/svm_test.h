/* SPDX-License-Identifier: MIT */
/* A VP of a processor that has everything, for the tests of the SVM backend's pure parts. */
#ifndef SVM_TEST_H
#define SVM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "registers.h"
#include "vp.h"

struct fixture {
	struct svm_features features;
	struct svm_vmcb vmcb;
	struct svm_vp vp;
	struct sidecar_cpu_context context;
};

static inline struct svm_features full_features(void)
{
	const struct svm_cpuid all = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
				      0xffffffff, 0xffffffff, 48};
	struct svm_features features;

	svm_features_init(&features, &all, 0xffff);
	return features;
}

static inline void fixture_init(struct fixture *f)
{
	memset(f, 0xa5, sizeof(*f));
	f->features = full_features();
	f->vp.vmcb = &f->vmcb;
	f->vp.features = &f->features;
	f->vp.vp_index = 5;
	f->vp.apic_id = 12;
	svm_vp_reset(&f->vp, &f->context);
}

static inline uint16_t set(struct fixture *f, uint32_t name, uint64_t low, uint64_t high)
{
	const struct hv_u128 value = {low, high};

	return svm_set_register(&f->vp, &f->context, name, &value);
}

static inline struct hv_u128 get128(struct fixture *f, uint32_t name)
{
	struct hv_u128 value = {0x1111, 0x2222};

	assert_int_equal(svm_get_register(&f->vp, &f->context, name, &value), HV_STATUS_SUCCESS);
	return value;
}

static inline uint64_t get(struct fixture *f, uint32_t name)
{
	struct hv_u128 value = get128(f, name);

	assert_int_equal(value.high, 0);
	return value.low;
}

static inline void assert_takes(struct fixture *f, uint32_t name, uint64_t value, uint64_t reads)
{
	assert_int_equal(set(f, name, value, 0), HV_STATUS_SUCCESS);
	assert_int_equal(get(f, name), reads);
}

/* Refused, and neither the VP nor the context changed by a single byte. */
static inline void assert_refuses(struct fixture *f, uint32_t name, uint64_t low, uint64_t high)
{
	struct fixture before;

	memcpy(&before, f, sizeof(before));
	assert_int_equal(set(f, name, low, high), HV_STATUS_INVALID_REGISTER_VALUE);
	assert_memory_equal(&before, f, sizeof(before));
}

#endif

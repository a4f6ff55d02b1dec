// SPDX-License-Identifier: MIT
#include "guest.h"

static struct hv_register_assoc narrow(uint32_t name, uint64_t value)
{
	return (struct hv_register_assoc){.name = name, .value = {value, 0}};
}

static struct hv_register_assoc segment(uint32_t name, struct hv_segment value)
{
	struct hv_register_assoc assoc = {.name = name};

	memcpy(&assoc.value, &value, sizeof(value));
	return assoc;
}

static uint32_t segments(struct hv_register_assoc *all, struct hv_segment code,
			 struct hv_segment data)
{
	static const uint32_t names[] = {HV_REGISTER_ES, HV_REGISTER_SS, HV_REGISTER_DS,
					 HV_REGISTER_FS, HV_REGISTER_GS};

	all[0] = segment(HV_REGISTER_CS, code);
	for (uint32_t i = 0; i < 5; i++)
		all[1 + i] = segment(names[i], data);
	return 6;
}

uint32_t guest_long_mode(struct hv_register_assoc *all, const void *code, uint64_t stack)
{
	uint32_t n = segments(all, (struct hv_segment){0, 0xffffffff, 0x18, 0xa09b},
			      (struct hv_segment){0, 0xffffffff, 0x20, 0xc093});

	all[n++] = narrow(HV_REGISTER_RIP, (uint64_t)code);
	all[n++] = narrow(HV_REGISTER_RSP, stack);
	all[n++] = narrow(HV_REGISTER_RFLAGS, 2);
	all[n++] = narrow(HV_REGISTER_EFER, 0xd00);
	all[n++] = narrow(HV_REGISTER_CR4, 0x620);
	all[n++] = narrow(HV_REGISTER_CR3, (uint64_t)pml4);
	all[n++] = narrow(HV_REGISTER_CR0, 0x80000031);
	all[n++] = narrow(HV_REGISTER_PENDING_INTERRUPTION, 0);
	all[n++] = narrow(HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0);
	return n;
}

uint32_t guest_real_mode(struct hv_register_assoc *all, uint16_t selector)
{
	uint32_t n =
		segments(all, (struct hv_segment){(uint64_t)selector << 4, 0xffff, selector, 0x9b},
			 (struct hv_segment){(uint64_t)selector << 4, 0xffff, selector, 0x93});

	all[n++] = narrow(HV_REGISTER_RIP, 0);
	all[n++] = narrow(HV_REGISTER_RSP, 0x8000);
	all[n++] = narrow(HV_REGISTER_RFLAGS, 2);
	all[n++] = narrow(HV_REGISTER_CR0, 0x10);
	all[n++] = narrow(HV_REGISTER_CR4, 0);
	all[n++] = narrow(HV_REGISTER_EFER, 0);
	all[n++] = narrow(HV_REGISTER_PENDING_INTERRUPTION, 0);
	all[n++] = narrow(HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0);
	return n;
}

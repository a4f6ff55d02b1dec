// SPDX-License-Identifier: MIT
/*
 * A register has one value, whichever path the library takes to it: context, register page, or a
 * command to the real kernel.
 */
#include <string.h>

#include "tap.h"
#include "vmm.h"

#define ROUNDS 400u

static const uint32_t shown[] = {
	HV_REGISTER_RIP, HV_REGISTER_RSP, HV_REGISTER_RFLAGS, HV_REGISTER_ES, HV_REGISTER_CS,
	HV_REGISTER_SS, HV_REGISTER_DS, HV_REGISTER_FS, HV_REGISTER_GS, HV_REGISTER_CR0,
	HV_REGISTER_CR3, HV_REGISTER_CR4, HV_REGISTER_CR8, HV_REGISTER_EFER, HV_REGISTER_DR7,
	HV_REGISTER_PENDING_INTERRUPTION, HV_REGISTER_INTERRUPT_STATE,
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* All of these take any value of random_value(). */
static const uint32_t settable[] = {
	HV_REGISTER_RIP, HV_REGISTER_RSP, HV_REGISTER_RFLAGS, HV_REGISTER_ES, HV_REGISTER_FS,
	HV_REGISTER_GS, HV_REGISTER_RAX, HV_REGISTER_R15, HV_REGISTER_CR2, HV_REGISTER_XMM0,
	HV_REGISTER_XMM0 + 5, HV_REGISTER_FPMMX0 + 3, HV_REGISTER_CR3, HV_REGISTER_CR8,
	HV_REGISTER_STAR, HV_REGISTER_LSTAR, HV_REGISTER_DR0, HV_REGISTER_KERNEL_GS_BASE,
};
#define SETTABLE (sizeof(settable) / sizeof(settable[0]))

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool run_guest(struct vmm *vmm, enum vmm_mode mode)
{
	VMM_LOAD(vmm, mode, 0xe6, 0x80); /* OUT 0x80, AL */
	return vmm_run(vmm) && vmm->page->is_valid;
}

static void test_shown(struct vmm *vmm, enum vmm_mode mode)
{
	struct hv_register_assoc page[SHOWN], command[SHOWN];
	struct sidecar_vp_counters before, after;

	if (!tap_check(run_guest(vmm, mode), "a run fills the page"))
		return;
	for (unsigned int i = 0; i < SHOWN; i++)
		page[i] = command[i] = (struct hv_register_assoc){.name = shown[i]};
	sidecar_vp_counters(vmm->vp, &before);
	sidecar_vp_get_registers(vmm->vp, HV_VTL_0, page, SHOWN);
	sidecar_vp_counters(vmm->vp, &after);
	tap_equal(after.register_page - before.register_page, SHOWN, "all from the page");
	vmm->page->is_valid = 0;
	sidecar_vp_get_registers(vmm->vp, HV_VTL_0, command, SHOWN);
	sidecar_vp_counters(vmm->vp, &before);
	tap_equal(before.register_command - after.register_command, SHOWN, "all by a command");
	for (unsigned int i = 0; i < SHOWN; i++)
		tap_check(!memcmp(&page[i].value, &command[i].value, sizeof(page[i].value)),
			  "mode %u: %s is the same in both", mode, sidecar_register_name(shown[i]));
}

static struct hv_u128 random_value(uint32_t name)
{
	uint64_t random = next_random() >> 52;

	switch (name) {
	case HV_REGISTER_RFLAGS:
		return (struct hv_u128){2 | (random & 0xcd5), 0};
	case HV_REGISTER_CR8:
		return (struct hv_u128){random & 15, 0};
	case HV_REGISTER_CR3:
		return (struct hv_u128){random << 12, 0};
	case HV_REGISTER_ES:
	case HV_REGISTER_FS:
	case HV_REGISTER_GS:
		return vmm_segment(random, 0xffff, (uint16_t)random, 0x93);
	case HV_REGISTER_XMM0:
	case HV_REGISTER_XMM0 + 5:
		return (struct hv_u128){random, next_random()};
	default:
		return (struct hv_u128){random, 0};
	}
}

static bool set_some(struct vmm *vmm, struct hv_u128 *model)
{
	struct hv_register_assoc regs[8];
	unsigned int count = 1 + next_random() % 8;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int which = next_random() % SETTABLE;

		regs[i] = (struct hv_register_assoc){.name = settable[which],
						     .value = random_value(settable[which])};
		model[which] = regs[i].value;
	}
	return sidecar_vp_set_registers(vmm->vp, HV_VTL_0, regs, count) == 0;
}

static bool all_equal(struct vmm *vmm, const struct hv_u128 *model)
{
	struct hv_register_assoc regs[SETTABLE];
	bool same = true;

	for (unsigned int i = 0; i < SETTABLE; i++)
		regs[i] = (struct hv_register_assoc){.name = settable[i]};
	if (sidecar_vp_get_registers(vmm->vp, HV_VTL_0, regs, SETTABLE))
		return false;
	for (unsigned int i = 0; i < SETTABLE; i++) {
		if (!memcmp(&regs[i].value, &model[i], sizeof(model[i])))
			continue;
		tap_note("%s: 0x%llx instead of 0x%llx", sidecar_register_name(settable[i]),
			 (unsigned long long)regs[i].value.low, (unsigned long long)model[i].low);
		same = false;
	}
	return same;
}

/* Sets in any mixture, and between them now and then a flush, or a run that fills the page anew. */
static void test_mixture(struct vmm *vmm)
{
	struct hv_u128 model[SETTABLE];
	unsigned int bad = 0;

	for (unsigned int round = 0; round < ROUNDS && bad < 5; round++) {
		if (round % 8 == 0) {
			run_guest(vmm, VMM_REAL);
			for (unsigned int i = 0; i < SETTABLE; i++)
				vmm_get128(vmm, settable[i], &model[i]);
		}
		bad += !set_some(vmm, model);
		if (next_random() % 4 == 0)
			bad += sidecar_vp_flush_registers(vmm->vp) != 0;
		bad += !all_equal(vmm, model);
	}
	tap_equal(bad, 0, "any mixture of sets and flushes reads back");
}

/* Saved in one mode and restored over another, the guest goes on in the first. */
static void test_state(struct vmm *vmm)
{
	static struct sidecar_vp_state state, again;

	tap_check(run_guest(vmm, VMM_LONG), "a guest in long mode");
	tap_equal((unsigned long long)-sidecar_vp_save(vmm->vp, &state), 0, "is saved");
	tap_check(run_guest(vmm, VMM_REAL), "one in real mode");
	tap_equal((unsigned long long)-sidecar_vp_restore(vmm->vp, &state), 0,
		  "is replaced by the first");
	sidecar_vp_save(vmm->vp, &again);
	for (uint32_t i = 0; i < state.count; i++)
		if (state.registers[i].name == HV_REGISTER_TSC)
			state.registers[i] = again.registers[i]; /* it goes on */
	tap_check(!memcmp(&state, &again, sizeof(state)), "in %u registers and the context",
		  state.count);
	/* The code of the second is the same, where paging of the first leads to it. */
	tap_check(vmm_run(vmm) && vmm_message_type(vmm) == HV_MESSAGE_IO_PORT_INTERCEPT,
		  "and runs");
	tap_equal(vmm_get(vmm, HV_REGISTER_EFER) & 0x400, 0x400, "in long mode");
}

int main(void)
{
	struct vmm vmm;

	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_shown(&vmm, VMM_REAL);
	test_shown(&vmm, VMM_PROTECTED);
	test_shown(&vmm, VMM_LONG);
	test_mixture(&vmm);
	test_state(&vmm);
	vmm_close(&vmm);
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * Owner A leaves a pattern in every register and page that takes one; owner B of the same VP reads
 * them all and finds what a VP has that nobody ever used.
 */
#include "device.h"

#define VP 1u

static const struct {
	uint32_t first;
	uint32_t count;
} names[] = {
	{ HV_REGISTER_INTERNAL_ACTIVITY_STATE, 1 },
	{ HV_REGISTER_CRASH_P0, 6 },
	{ HV_REGISTER_PENDING_INTERRUPTION, 5 },
	{ HV_REGISTER_RAX, 18 }, /* to RFLAGS */
	{ HV_REGISTER_XMM0, 26 }, /* to the control words */
	{ HV_REGISTER_CR0, 6 },
	{ HV_REGISTER_DR0, 6 },
	{ HV_REGISTER_ES, 8 },
	{ HV_REGISTER_IDTR, 2 },
	{ HV_REGISTER_EFER, 11 }, /* to SFMASK */
	{ HV_REGISTER_MTRR_CAP, 2 },
	{ HV_REGISTER_MTRR_PHYS_BASE0, 16 },
	{ HV_REGISTER_MTRR_PHYS_MASK0, 16 },
	{ HV_REGISTER_MTRR_FIX64K_00000, 11 },
	{ HV_REGISTER_TSC_AUX, 1 },
	{ HV_REGISTER_DEBUGCTL, 1 },
	{ HV_REGISTER_SPEC_CTRL, 1 },
};

#define MAX_VALUES 256

struct values {
	unsigned int count;
	struct {
		uint32_t name;
		uint16_t status;
		struct hv_u128 value;
	} at[MAX_VALUES];
};

static bool same_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hv_u128)) == 0;
}

/* One register; its HV_STATUS_*. */
static uint16_t exchange(struct device *device, uint32_t command, uint32_t name,
			 struct hv_u128 *value)
{
	struct sidecar_registers_request *request =
		(void *)command_page(device, VP)->request_data;
	struct hv_register_assoc *entry = (void *)(request + 1);

	memset(request, 0, sizeof(*request) + sizeof(*entry));
	request->count = 1;
	entry->name = name;
	entry->value = *value;
	if (run(device, VP, command) || command_page(device, VP)->has_error)
		return 0xffff;
	*value = entry->value;
	return request->status;
}

static void read_all(struct device *device, struct values *out)
{
	unsigned int i, k;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (k = 0; k < names[i].count; k++, out->count++) {
			out->at[out->count].name = names[i].first + k;
			out->at[out->count].status =
				exchange(device, SIDECAR_COMMAND_GET_REGISTERS, names[i].first + k,
					 &out->at[out->count].value);
		}
	}
}

static const uint64_t numbers[] = { 0x5a5a5a5a5a000, 0x5a5a5a5a, 0x0606060606060606, 0x5a000,
				    0x5a5,	     0x1,	 0x2,		     0x6,
				    0x20,	     0x800,	 0xffff0ff1 };
#define NUMBERS (sizeof(numbers) / sizeof(*numbers))
#define CANDIDATES (3 * NUMBERS)

/* What some register may accept: a number, or what it has with some bits of either half changed. */
static struct hv_u128 candidate(unsigned int i, const struct hv_u128 *old)
{
	struct hv_u128 value;
	uint64_t words[2];

	memcpy(words, old, sizeof(words));
	if (i < NUMBERS)
		words[0] = numbers[i];
	else
		words[i / NUMBERS - 1] ^= numbers[i % NUMBERS];
	memcpy(&value, words, sizeof(words));
	return value;
}

static bool change(struct device *device, uint32_t name, const struct hv_u128 *old)
{
	struct hv_u128 value;
	unsigned int i;

	for (i = 0; i < CANDIDATES; i++) {
		value = candidate(i, old);
		if (exchange(device, SIDECAR_COMMAND_SET_REGISTERS, name, &value))
			continue;
		memset(&value, 0, sizeof(value));
		exchange(device, SIDECAR_COMMAND_GET_REGISTERS, name, &value);
		if (!same_value(&value, old))
			return true;
	}
	return false;
}

static unsigned int change_all(struct device *device, const struct values *old)
{
	unsigned int i, changed = 0;

	for (i = 0; i < old->count; i++) {
		if (old->at[i].status)
			continue;
		if (change(device, old->at[i].name, &old->at[i].value))
			changed++;
		else
			tap_note("register %#x cannot be changed", old->at[i].name);
	}
	return changed;
}

static void leave_pattern(const struct values *old)
{
	struct device device = device_open();
	struct sidecar_command_page *page = command_page(&device, VP);
	unsigned int changed;

	close(GIVE_GUEST(&device, halting_guest));
	memset(&page->cpu_context, 0xa5, sizeof(page->cpu_context));
	page->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	tap_equal(run(&device, VP, SIDECAR_COMMAND_RUN_VP), 0, "A's guest runs with a pattern");
	tap_equal(page->cpu_context.gps[SIDECAR_GP_RBX], 0xa5a5a5a5a5a5a5a5, "and has it");
	changed = change_all(&device, old);
	tap_note("%u of %u registers have a pattern", changed, old->count);
	tap_check(changed >= 60, "A leaves a pattern in the registers that take one");
	memset(device.shmem + VP * SIDECAR_PER_CPU_SHMEM, 0xa5, SIDECAR_PER_CPU_SHMEM);
	device_close(&device);
}

static bool holds_pattern(const uint8_t *bytes, size_t size)
{
	while (size && *bytes != 0xa5 && *bytes != 0x5a) {
		bytes++;
		size--;
	}
	return size != 0;
}

/* Pages before anything runs, registers, and the pages that a run of B's fills. */
static void find_nothing(const struct values *old)
{
	struct device device = device_open();
	uint8_t *pages = device.shmem + VP * SIDECAR_PER_CPU_SHMEM;
	struct values now;
	unsigned int i, left = 0;

	tap_check(!holds_pattern(pages, SIDECAR_PER_CPU_SHMEM), "B finds none of it in the pages");
	read_all(&device, &now);
	for (i = 0; i < now.count; i++) {
		if (now.at[i].status == old->at[i].status &&
		    same_value(&now.at[i].value, &old->at[i].value))
			continue;
		tap_note("register %#x is left", now.at[i].name);
		left++;
	}
	tap_equal(left, 0, "nor in the registers");
	tap_equal(run(&device, VP, SIDECAR_COMMAND_RUN_VP), 0, "B's guest, without memory, runs");
	memset(command_page(&device, VP)->request_data, 0, SIDECAR_REQUEST_DATA_SIZE);
	tap_check(!holds_pattern(pages, SIDECAR_PER_CPU_SHMEM), "nor in what it leaves");
	device_close(&device);
}

int main(void)
{
	static struct values never_used;
	struct device device;

	tap_equal(insert_module("cpus=1-3"), 0, "insmod");
	device = device_open();
	read_all(&device, &never_used);
	device_close(&device);
	leave_pattern(&never_used);
	find_nothing(&never_used);
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * Owner A leaves a pattern in every register, page and piece of memory; owner B reads them all and
 * finds none of it, whether A said goodbye or was killed (R6).
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "registers.h"
#include "vmm.h"

#define CPU 1u
#define LENT VMM_UNMAPPED /* where A has a page more than B */
#define BYTE 0x5e	  /* of the pattern */

static const uint32_t more_names[] = {
	HV_REGISTER_MTRR_CAP,
	HV_REGISTER_VP_INDEX,
	HV_REGISTER_INITIAL_APIC_ID,
	HV_REGISTER_PENDING_EVENT1,
};

#define MORE (sizeof(more_names) / sizeof(more_names[0]))
#define NAMES (sizeof(registers) / sizeof(registers[0]) + MORE)

static uint32_t name_at(size_t i)
{
	return i < registers_count ? registers[i].name : more_names[i - registers_count];
}

/* ---- what a guest sees ----------------------------------------------------------------------- */

/* Stores DR0-3, DR6, the SYSCALL MSRs and an FXSAVE image, without touching any of them. */
/* clang-format off */
static const uint8_t looking_guest[] = {
	0x0f, 0xae, 0x04, 0x25, 0x00, 0x30, 0, 0, /* fxsave [0x3000] */
	0x0f, 0x21, 0xc0,			  /* mov rax, dr0 */
	0x48, 0x89, 0x04, 0x25, 0x00, 0x32, 0, 0, /* mov [0x3200], rax */
	0x0f, 0x21, 0xc8,			  /* mov rax, dr1 */
	0x48, 0x89, 0x04, 0x25, 0x08, 0x32, 0, 0,
	0x0f, 0x21, 0xd0,			  /* mov rax, dr2 */
	0x48, 0x89, 0x04, 0x25, 0x10, 0x32, 0, 0,
	0x0f, 0x21, 0xd8,			  /* mov rax, dr3 */
	0x48, 0x89, 0x04, 0x25, 0x18, 0x32, 0, 0,
	0xb9, 0x81, 0x00, 0x00, 0xc0,		  /* mov ecx, STAR */
	0x0f, 0x32,				  /* rdmsr */
	0x89, 0x04, 0x25, 0x20, 0x32, 0, 0,	  /* mov [0x3220], eax */
	0x89, 0x14, 0x25, 0x24, 0x32, 0, 0,	  /* mov [0x3224], edx */
	0xff, 0xc1, 0x0f, 0x32,			  /* inc ecx; rdmsr: LSTAR */
	0x89, 0x04, 0x25, 0x28, 0x32, 0, 0,
	0x89, 0x14, 0x25, 0x2c, 0x32, 0, 0,
	0xb9, 0x02, 0x01, 0x00, 0xc0,		  /* mov ecx, KERNEL_GS_BASE */
	0x0f, 0x32,
	0x89, 0x04, 0x25, 0x30, 0x32, 0, 0,
	0x89, 0x14, 0x25, 0x34, 0x32, 0, 0,
	0xb9, 0x03, 0x01, 0x00, 0xc0,		  /* mov ecx, TSC_AUX */
	0x0f, 0x32,
	0x89, 0x04, 0x25, 0x38, 0x32, 0, 0,
	0x48, 0x8b, 0x1c, 0x25, 0x00, 0x00, 0x30, 0x00, /* mov rbx, [LENT] */
	0xf4,
};
/* clang-format on */

#define SEEN_SIZE 0x240u

/* The context's x87 and SSE state stays as the claim left it; vmm_load() would write it. */
static void load_looking_guest(struct vmm *vmm)
{
	struct hv_fx_state fx = vmm->context->fx_state;

	vmm_load(vmm, VMM_LONG, looking_guest, sizeof(looking_guest));
	vmm->context->fx_state = fx;
}

/* ---- owner A --------------------------------------------------------------------------------- */

static void set_patterns(struct vmm *vmm, bool *good)
{
	for (size_t i = 0; i < registers_count; i++)
		*good &= vmm_set128(vmm, registers[i].name, registers[i].value) == 0;
}

/* A guest that has the pattern in the processor's own registers, not only in the VMCB. */
static void run_with_patterns(struct vmm *vmm, bool *good)
{
	static const uint32_t kept[] = {
		HV_REGISTER_DR0,     HV_REGISTER_DR1,	       HV_REGISTER_DR2,
		HV_REGISTER_DR3,     HV_REGISTER_STAR,	       HV_REGISTER_LSTAR,
		HV_REGISTER_CSTAR,   HV_REGISTER_SFMASK,       HV_REGISTER_KERNEL_GS_BASE,
		HV_REGISTER_TSC_AUX, HV_REGISTER_SYSENTER_EIP,
	};

	VMM_LOAD(vmm, VMM_LONG, 0x0f, 0x01, 0xd9); /* vmmcall */
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		*good &= vmm_set(vmm, kept[i], 0x5e5e5e5e) == 0;
	memset(vmm->context->fx_state.st, BYTE, sizeof(vmm->context->fx_state.st));
	memset(vmm->context->fx_state.xmm, BYTE, sizeof(vmm->context->fx_state.xmm));
	vmm->context->fx_state.ftw = 0xff;
	for (unsigned int i = 0; i < 16; i++)
		vmm->gps[i] = 0x5e5e5e5e5e5e5e5e;
	*good &= vmm_run(vmm) && vmm_message_type(vmm) == HV_MESSAGE_HYPERCALL_INTERCEPT;
}

static void fill_pages(struct vmm *vmm)
{
	uint8_t *pages =
		(uint8_t *)vmm->context - offsetof(struct sidecar_command_page, cpu_context);

	memset(pages, BYTE, 2 * SIDECAR_PAGE_SIZE);
}

/* In a child process: everything that can be set is, and stays behind. */
static int owner_a(void *goodbye)
{
	struct vmm vmm;
	bool good = true;
	void *lent;

	vmm_open(&vmm, CPU);
	lent = new_memory(SIDECAR_PAGE_SIZE);
	memset(lent, BYTE, SIDECAR_PAGE_SIZE);
	good &= sidecar_partition_map(vmm.partition, LENT, lent, SIDECAR_PAGE_SIZE,
				      SIDECAR_MAP_READ) == 0;
	run_with_patterns(&vmm, &good);
	set_patterns(&vmm, &good);
	memset(vmm.memory, BYTE, VMM_MEMORY_SIZE);
	fill_pages(&vmm);
	if (!good)
		return 1;
	if (!goodbye)
		raise(SIGKILL);
	vmm_close(&vmm);
	return 0;
}

/* ---- owner B --------------------------------------------------------------------------------- */

struct seen {
	struct hv_u128 values[NAMES];
	uint8_t by_guest[SEEN_SIZE];
	uint8_t context[sizeof(struct sidecar_cpu_context)];
};

/* Before a claim the pages hold what the next owner needs for a first run, and no more. */
static void check_pages(const char *who)
{
	struct device device = device_open();
	const struct sidecar_command_page *page = command_page(&device, CPU);
	struct sidecar_command_page wanted = {0};

	wanted.cpu_context.fx_state.fcw = HV_FX_DEFAULT_FCW;
	wanted.cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	wanted.cpu_context.fx_state.mxcsr_mask = page->cpu_context.fx_state.mxcsr_mask;
	tap_check(!memcmp(page, &wanted, sizeof(wanted)), "%s: the command page is a new one", who);
	memset(&wanted, 0, sizeof(wanted));
	tap_check(!memcmp(page + 1, &wanted, sizeof(wanted)), "%s: the register page is empty",
		  who);
	device_close(&device);
}

static bool read_registers(struct vmm *vmm, struct seen *seen)
{
	bool good = true;

	for (size_t i = 0; i < NAMES; i++)
		good &= vmm_get128(vmm, name_at(i), &seen->values[i]) == 0;
	return good;
}

static void look(const char *who, struct seen *seen)
{
	const struct hv_memory_message *memory;
	struct vmm vmm;

	vmm_open(&vmm, CPU);
	memory = vmm_payload(&vmm);
	memcpy(seen->context, vmm.context, sizeof(seen->context));
	tap_check(vmm_message_type(&vmm) == HV_MESSAGE_NONE, "%s: there is no message", who);
	tap_check(vmm.page->is_valid == 0, "%s: the register page is not valid", who);
	tap_check(read_registers(&vmm, seen), "%s: every register can be read", who);
	load_looking_guest(&vmm);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA &&
			  memory->guest_physical_address == LENT,
		  "%s: memory that another owner has mapped is not there", who);
	memcpy(seen->by_guest, vmm.memory + VMM_DATA, SEEN_SIZE);
	vmm_close(&vmm);
}

static void compare(const char *who, const struct seen *fresh, const struct seen *seen)
{
	bool good = true;

	for (size_t i = 0; i < NAMES; i++) {
		if (!memcmp(&fresh->values[i], &seen->values[i], sizeof(struct hv_u128)))
			continue;
		good = false;
		tap_note("%s is %#llx:%#llx, fresh %#llx:%#llx", sidecar_register_name(name_at(i)),
			 (unsigned long long)seen->values[i].high,
			 (unsigned long long)seen->values[i].low,
			 (unsigned long long)fresh->values[i].high,
			 (unsigned long long)fresh->values[i].low);
	}
	tap_check(good, "%s: all %zu registers are those of a reset", who, NAMES);
	tap_check(!memcmp(fresh->context, seen->context, sizeof(seen->context)),
		  "%s: the context is that of a reset", who);
	tap_check(!memcmp(fresh->by_guest, seen->by_guest, SEEN_SIZE),
		  "%s: its guest sees what the first one saw", who);
}

/* The values of a reset by the manual, for the registers where they are not zero. */
static void test_reset(const struct seen *fresh)
{
	static const struct {
		uint32_t name;
		uint64_t low, high;
	} not_zero[] = {
		{HV_REGISTER_RIP, 0xfff0, 0},
		{HV_REGISTER_RFLAGS, 2, 0},
		{HV_REGISTER_CR0, 0x60000010, 0},
		{HV_REGISTER_DR6, 0xffff0ff0, 0},
		{HV_REGISTER_DR7, 0x400, 0},
		{HV_REGISTER_XFEM, 1, 0},
		{HV_REGISTER_PAT, 0x0007040600070406, 0},
		{HV_REGISTER_APIC_BASE, 0xfee00800, 0},
		{HV_REGISTER_CS, 0xffff0000, 0x009bf0000000ffff},
		{HV_REGISTER_DS, 0, 0x009300000000ffff},
		{HV_REGISTER_ES, 0, 0x009300000000ffff},
		{HV_REGISTER_SS, 0, 0x009300000000ffff},
		{HV_REGISTER_FS, 0, 0x009300000000ffff},
		{HV_REGISTER_GS, 0, 0x009300000000ffff},
		{HV_REGISTER_LDTR, 0, 0x008200000000ffff},
		{HV_REGISTER_TR, 0, 0x008b00000000ffff},
		{HV_REGISTER_IDTR, (uint64_t)0xffff << 48, 0},
		{HV_REGISTER_GDTR, (uint64_t)0xffff << 48, 0},
		{HV_REGISTER_FP_CONTROL_STATUS, 0x37f, 0},
		{HV_REGISTER_XMM_CONTROL_STATUS, 0, 0xffff00001f80},
		{HV_REGISTER_VP_INDEX, CPU, 0},
		{HV_REGISTER_INITIAL_APIC_ID, CPU, 0},
		{HV_REGISTER_MTRR_CAP, 0x510, 0},
	};

	for (size_t i = 0; i < NAMES; i++) {
		struct hv_u128 wanted = {0, 0};

		for (size_t k = 0; k < sizeof(not_zero) / sizeof(not_zero[0]); k++)
			if (not_zero[k].name == name_at(i))
				wanted = (struct hv_u128){not_zero[k].low, not_zero[k].high};
		if (!tap_check(!memcmp(&fresh->values[i], &wanted, sizeof(wanted)),
			       "a fresh VP: %s is that of a reset",
			       sidecar_register_name(name_at(i))))
			tap_note("%#llx:%#llx", (unsigned long long)fresh->values[i].high,
				 (unsigned long long)fresh->values[i].low);
	}
}

/* A VP without a partition: its first fetch, at the reset vector, finds nothing. */
static void test_no_memory(void)
{
	struct sidecar_options options = {.size = sizeof(options)};
	struct vmm vmm = {.cpu = 2};
	struct hv_memory_message *memory = VMM_EXPECTED(&vmm, hv_memory_message);

	if (sidecar_open(&options, &vmm.client) ||
	    sidecar_vp_create(vmm.client, vmm.cpu, NULL, &vmm.vp)) {
		tap_check(false, "a VP without a partition");
		return;
	}
	vmm.context = sidecar_vp_context(vmm.vp);
	vmm_expect(&vmm, HV_MESSAGE_UNMAPPED_GPA, 80, 0, HV_INTERCEPT_ACCESS_EXECUTE);
	memory->header.cs_segment = (struct hv_segment){0xffff0000, 0xffff, 0xf000, 0x9b};
	memory->header.rip = 0xfff0;
	memory->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	memory->memory_access_info = HV_MEMORY_ACCESS_GVA_VALID | HV_MEMORY_ACCESS_GVA_GPA_VALID;
	memory->guest_virtual_address = 0xfffffff0;
	memory->guest_physical_address = 0xfffffff0;
	tap_check(vmm_runs_into_expected(&vmm), "a VP without memory fetches at the reset vector");
	sidecar_vp_destroy(vmm.vp);
	sidecar_close(vmm.client);
}

int main(void)
{
	static struct seen fresh, seen;

	vmm_insert_module();
	check_pages("before the first owner");
	look("a fresh VP", &fresh);
	test_reset(&fresh);
	check_pages("after the first owner");
	tap_equal(in_child(owner_a, "goodbye"), 0, "owner A leaves its pattern and closes");
	check_pages("after A");
	look("after A", &seen);
	compare("after A", &fresh, &seen);
	tap_equal(in_child(owner_a, NULL), 1000 + SIGKILL, "owner A leaves it and is killed");
	check_pages("after SIGKILL");
	look("after SIGKILL", &seen);
	compare("after SIGKILL", &fresh, &seen);
	test_no_memory();
	return tap_done();
}

// SPDX-License-Identifier: MIT
#include "vmm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include "tap.h"

#define CR0_REAL 0x10u
#define CR0_PROTECTED 0x11u
#define CR0_LONG 0x80000011u
#define CR4_SSE 0x600u
#define CR4_LONG 0x620u
#define EFER_LONG 0x500u

static void give_up(const char *what, const struct sidecar_error *error)
{
	printf("Bail out! %s: %s\n", what, error ? error->text : strerror(errno));
	exit(1);
}

void vmm_insert_module(void)
{
	char command[256];
	struct utsname name;

	uname(&name);
	snprintf(command, sizeof(command), "insmod /lib/modules/%s/sidecar.ko cpus=1-3",
		 name.release);
	if (system(command) != 0)
		give_up(command, NULL);
}

/* ---- client ---------------------------------------------------------------------------------- */

static void *new_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		give_up("mmap", NULL);
	return memory;
}

static void map(struct vmm *vmm, uint64_t gpa, void *memory, size_t size, uint32_t flags)
{
	if (sidecar_partition_map(vmm->partition, gpa, memory, size, SIDECAR_MAP_READ | flags) != 0)
		give_up("map", sidecar_partition_error(vmm->partition));
}

static void map_all(struct vmm *vmm)
{
	vmm->memory = new_memory(VMM_MEMORY_SIZE);
	vmm->read_only = new_memory(SIDECAR_PAGE_SIZE);
	vmm->no_execute = new_memory(SIDECAR_PAGE_SIZE);
	map(vmm, 0, vmm->memory, VMM_MEMORY_SIZE, SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE);
	map(vmm, VMM_READ_ONLY, vmm->read_only, SIDECAR_PAGE_SIZE, SIDECAR_MAP_EXECUTE);
	map(vmm, VMM_NO_EXECUTE, vmm->no_execute, SIDECAR_PAGE_SIZE, SIDECAR_MAP_WRITE);
}

void vmm_open(struct vmm *vmm, uint32_t cpu)
{
	struct sidecar_error error = {0};
	struct sidecar_options options = {.size = sizeof(options), .error = &error};

	memset(vmm, 0, sizeof(*vmm));
	vmm->cpu = cpu;
	if (sidecar_open(&options, &vmm->client) != 0)
		give_up("open", &error);
	if (sidecar_partition_create(vmm->client, &vmm->partition) != 0)
		give_up("partition", sidecar_error(vmm->client));
	map_all(vmm);
	if (sidecar_vp_create(vmm->client, cpu, vmm->partition, &vmm->vp) != 0)
		give_up("VP", sidecar_error(vmm->client));
	vmm->context = sidecar_vp_context(vmm->vp);
	vmm->page = sidecar_vp_register_page(vmm->vp);
	vmm->gps = vmm->context->gps;
}

void vmm_close(struct vmm *vmm)
{
	if (sidecar_vp_destroy(vmm->vp) != 0)
		give_up("destroy", sidecar_vp_error(vmm->vp));
	if (sidecar_partition_close(vmm->partition) != 0)
		give_up("close", sidecar_partition_error(vmm->partition));
	if (sidecar_close(vmm->client) != 0)
		give_up("close", sidecar_error(vmm->client));
	munmap(vmm->memory, VMM_MEMORY_SIZE);
	munmap(vmm->read_only, SIDECAR_PAGE_SIZE);
	munmap(vmm->no_execute, SIDECAR_PAGE_SIZE);
}

/* ---- registers ------------------------------------------------------------------------------- */

static uint16_t status_of(const struct vmm *vmm, int error)
{
	if (error == 0)
		return HV_STATUS_SUCCESS;
	if (error == -EREMOTEIO)
		return (uint16_t)sidecar_vp_error(vmm->vp)->hv_status;
	tap_note("%s", sidecar_vp_error(vmm->vp)->text);
	return 0xffff;
}

uint16_t vmm_set128(struct vmm *vmm, uint32_t name, struct hv_u128 value)
{
	return status_of(vmm, sidecar_vp_set_register(vmm->vp, HV_VTL_0, name, value));
}

uint16_t vmm_set(struct vmm *vmm, uint32_t name, uint64_t value)
{
	return vmm_set128(vmm, name, (struct hv_u128){value, 0});
}

uint16_t vmm_get128(struct vmm *vmm, uint32_t name, struct hv_u128 *value)
{
	return status_of(vmm, sidecar_vp_get_register(vmm->vp, HV_VTL_0, name, value));
}

uint64_t vmm_get(struct vmm *vmm, uint32_t name)
{
	struct hv_u128 value = {0, 0};

	if (vmm_get128(vmm, name, &value) != HV_STATUS_SUCCESS)
		tap_note("register %#x (%s) cannot be read", name, sidecar_register_name(name));
	return value.low;
}

struct hv_u128 vmm_segment(uint64_t base, uint32_t limit, uint16_t selector, uint16_t attributes)
{
	struct hv_segment segment = {base, limit, selector, attributes};
	struct hv_u128 value;

	memcpy(&value, &segment, sizeof(value));
	return value;
}

struct hv_u128 vmm_table(uint64_t base, uint16_t limit)
{
	struct hv_table table = {.limit = limit, .base = base};
	struct hv_u128 value;

	memcpy(&value, &table, sizeof(value));
	return value;
}

/* ---- tables of the guest --------------------------------------------------------------------- */

static void put64(struct vmm *vmm, uint32_t gpa, uint64_t value)
{
	memcpy(vmm->memory + gpa, &value, sizeof(value));
}

static void write_handlers(struct vmm *vmm)
{
	uint8_t *handler = vmm->memory + VMM_HANDLERS;

	for (unsigned int n = 0; n < 256; n++, handler += 4) {
		handler[0] = 0xe6; /* OUT n, AL */
		handler[1] = (uint8_t)n;
		handler[2] = vmm->mode == VMM_LONG ? 0x48 : 0xcf; /* IRETQ or IRET */
		handler[3] = 0xcf;
	}
}

/* An interrupt gate of 8 bytes, and with long mode another 8 of zero. */
static void write_gates(struct vmm *vmm)
{
	unsigned int size = vmm->mode == VMM_LONG ? 16 : 8;
	uint64_t selector = vmm->mode == VMM_LONG ? VMM_CODE64 : VMM_CODE32;

	memset(vmm->memory + VMM_IDT, 0, 0x1000);
	for (uint32_t n = 0; n < 256; n++)
		put64(vmm, VMM_IDT + n * size,
		      (VMM_HANDLERS + 4 * n) | selector << 16 | 0x8e00ull << 32);
}

static void write_real_vectors(struct vmm *vmm)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t vector = VMM_HANDLERS + 4 * n; /* in segment 0 */

		memcpy(vmm->memory + 4 * n, &vector, sizeof(vector));
	}
}

static void write_descriptors(struct vmm *vmm)
{
	static const uint64_t descriptors[] = {
		0,
		0x00cf9b000000ffff, /* VMM_CODE32 */
		0x00cf93000000ffff,
		0x00af9b000000ffff, /* VMM_CODE64 */
		0x00cff3000000ffff, /* VMM_USER_DATA */
		0x00affb000000ffff,
		0x00008b0000000067 | (uint64_t)VMM_TSS << 16,
		0,
	};

	memcpy(vmm->memory + VMM_GDT, descriptors, sizeof(descriptors));
	memset(vmm->memory + VMM_TSS, 0, 0x68);
	put64(vmm, VMM_TSS + 4, VMM_STACK);
}

static void write_page_tables(struct vmm *vmm)
{
	memset(vmm->memory + VMM_PML4, 0, 0x2000);
	put64(vmm, VMM_PML4, VMM_PDPT | 7);
	put64(vmm, VMM_PDPT, VMM_PD | 7);
	for (uint64_t i = 0; i < 512; i++)
		put64(vmm, (uint32_t)(VMM_PD + 8 * i), i << 21 | 0x87);
}

/* ---- guests ---------------------------------------------------------------------------------- */

static struct hv_u128 code_segment(enum vmm_mode mode)
{
	switch (mode) {
	case VMM_PROTECTED:
		return vmm_segment(0, 0xffffffff, VMM_CODE32, 0xc09b);
	case VMM_LONG:
		return vmm_segment(0, 0xffffffff, VMM_CODE64, 0xa09b);
	default:
		return vmm_segment(0, 0xffff, 0, 0x9b);
	}
}

static struct hv_u128 data_segment(enum vmm_mode mode)
{
	if (mode == VMM_REAL)
		return vmm_segment(0, 0xffff, 0, 0x93);
	return vmm_segment(0, 0xffffffff, VMM_DATA32, 0xc093);
}

static struct hv_u128 word(uint64_t value)
{
	return (struct hv_u128){value, 0};
}

static void set_all(struct vmm *vmm, const struct hv_register_assoc *regs, size_t count)
{
	if (sidecar_vp_set_registers(vmm->vp, HV_VTL_0, regs, count) != 0)
		give_up("registers", sidecar_vp_error(vmm->vp));
}

static void reset_mode(struct vmm *vmm)
{
	static const uint32_t cr0[] = {CR0_REAL, CR0_PROTECTED, CR0_LONG};
	bool long_mode = vmm->mode == VMM_LONG;
	uint32_t idt = vmm->mode == VMM_REAL ? 0 : VMM_IDT;
	uint16_t idt_limit = vmm->mode == VMM_REAL ? 0x3ff : 0xfff;
	const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_CR0, .value = word(cr0[vmm->mode])},
		{.name = HV_REGISTER_CR3, .value = word(long_mode ? VMM_PML4 : 0)},
		{.name = HV_REGISTER_CR4, .value = word(long_mode ? CR4_LONG : CR4_SSE)},
		{.name = HV_REGISTER_EFER, .value = word(long_mode ? EFER_LONG : 0)},
		{.name = HV_REGISTER_CS, .value = code_segment(vmm->mode)},
		{.name = HV_REGISTER_SS, .value = data_segment(vmm->mode)},
		{.name = HV_REGISTER_DS, .value = data_segment(vmm->mode)},
		{.name = HV_REGISTER_ES, .value = data_segment(vmm->mode)},
		{.name = HV_REGISTER_FS, .value = data_segment(vmm->mode)},
		{.name = HV_REGISTER_GS, .value = data_segment(vmm->mode)},
		{.name = HV_REGISTER_TR, .value = vmm_segment(VMM_TSS, 0x67, VMM_TASK, 0x8b)},
		{.name = HV_REGISTER_IDTR, .value = vmm_table(idt, idt_limit)},
		{.name = HV_REGISTER_GDTR, .value = vmm_table(VMM_GDT, 0x3f)},
	};

	set_all(vmm, regs, sizeof(regs) / sizeof(regs[0]));
}

static void reset_rest(struct vmm *vmm)
{
	const struct hv_register_assoc regs[] = {
		{.name = HV_REGISTER_RIP, .value = word(VMM_CODE)},
		{.name = HV_REGISTER_RSP, .value = word(VMM_STACK)},
		{.name = HV_REGISTER_RFLAGS, .value = word(2)},
		{.name = HV_REGISTER_CR8, .value = word(0)},
		{.name = HV_REGISTER_DR6, .value = word(0xffff0ff0)},
		{.name = HV_REGISTER_DR7, .value = word(0x400)},
		{.name = HV_REGISTER_INTERRUPT_STATE, .value = word(0)},
		{.name = HV_REGISTER_PENDING_INTERRUPTION, .value = word(0)},
		{.name = HV_REGISTER_PENDING_EVENT0, .value = word(0)},
		{.name = HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, .value = word(0)},
		{.name = HV_REGISTER_INTERNAL_ACTIVITY_STATE, .value = word(0)},
	};

	set_all(vmm, regs, sizeof(regs) / sizeof(regs[0]));
}

void vmm_load(struct vmm *vmm, enum vmm_mode mode, const uint8_t *code, size_t size)
{
	vmm->mode = mode;
	memset(vmm->memory + VMM_CODE, 0xf4, 0x1000);
	memcpy(vmm->memory + VMM_CODE, code, size);
	write_handlers(vmm);
	write_descriptors(vmm);
	write_page_tables(vmm);
	if (mode == VMM_REAL)
		write_real_vectors(vmm);
	else
		write_gates(vmm);
	memset(vmm->context, 0, sizeof(*vmm->context));
	vmm->context->fx_state.fcw = HV_FX_DEFAULT_FCW;
	vmm->context->fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	vmm->page->dirty = 0;
	vmm->page->is_valid = 0; /* what is set now goes by a command and is checked at once */
	reset_mode(vmm);
	reset_rest(vmm);
}

void vmm_enter_user_mode(struct vmm *vmm)
{
	const struct hv_u128 data = vmm_segment(0, 0xffffffff, VMM_USER_DATA | 3, 0xc0f3);

	vmm_set128(vmm, HV_REGISTER_CS, vmm_segment(0, 0xffffffff, VMM_USER_CODE64 | 3, 0xa0fb));
	vmm_set128(vmm, HV_REGISTER_SS, data);
	vmm_set128(vmm, HV_REGISTER_DS, data);
	vmm_set128(vmm, HV_REGISTER_ES, data);
	vmm_set(vmm, HV_REGISTER_RSP, VMM_STACK - 0x800);
}

static uint64_t ms_from_now(unsigned int ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ms * 1000000ull;
}

bool vmm_run(struct vmm *vmm)
{
	struct sidecar_event event;
	int error = sidecar_vp_run(vmm->vp, ms_from_now(5000), &event);

	if (error == 0 && event.kind == SIDECAR_EVENT_INTERCEPT)
		return true;
	tap_note("the run ended with %d, event %s, RIP %#llx: %s", error,
		 sidecar_event_kind_name(event.kind),
		 (unsigned long long)vmm_get(vmm, HV_REGISTER_RIP),
		 sidecar_vp_error(vmm->vp)->text);
	return false;
}

bool vmm_still_runs(struct vmm *vmm, unsigned int ms)
{
	struct sidecar_event event;
	int error = sidecar_vp_run(vmm->vp, ms_from_now(ms), &event);

	if (error == 0 && event.kind == SIDECAR_EVENT_CANCELLED && event.error == -ETIMEDOUT)
		return true;
	tap_note("the run ended with %d, event %s %d, message %#x at RIP %#llx", error,
		 sidecar_event_kind_name(event.kind), event.error, vmm_message_type(vmm),
		 (unsigned long long)vmm_get(vmm, HV_REGISTER_RIP));
	return false;
}

uint32_t vmm_message_type(const struct vmm *vmm)
{
	return sidecar_vp_message(vmm->vp)->header.type;
}

const void *vmm_payload(const struct vmm *vmm)
{
	return sidecar_vp_message(vmm->vp)->payload;
}

bool vmm_reaches_handler(struct vmm *vmm, unsigned int vector)
{
	const struct hv_io_message *io = vmm_payload(vmm);

	if (!vmm_run(vmm))
		return false;
	if (vmm_message_type(vmm) == HV_MESSAGE_IO_PORT_INTERCEPT &&
	    io->header.rip == VMM_HANDLERS + 4 * vector)
		return true;
	tap_note("message %#x (%s) at RIP %#llx, wanted the handler of vector %u",
		 vmm_message_type(vmm), sidecar_message_name(vmm_message_type(vmm)),
		 (unsigned long long)io->header.rip, vector);
	return false;
}

static uint64_t on_stack(const struct vmm *vmm, uint64_t offset, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, vmm->memory + vmm->page->gp_registers[HV_GP_RSP] + offset, size);
	return value;
}

uint64_t vmm_pushed_rip(const struct vmm *vmm, bool with_error_code)
{
	static const size_t sizes[] = {2, 4, 8};
	size_t size = sizes[vmm->mode];

	return on_stack(vmm, with_error_code ? size : 0, size);
}

uint64_t vmm_pushed_error_code(const struct vmm *vmm)
{
	return on_stack(vmm, 0, vmm->mode == VMM_LONG ? 8 : 4);
}

void vmm_skip_instruction(struct vmm *vmm)
{
	const struct hv_intercept_header *header = vmm_payload(vmm);

	vmm->page->rip =
		header->rip + (header->instruction_length_and_cr8 & HV_INTERCEPT_LENGTH_MASK);
	vmm->page->dirty |= HV_REGISTER_PAGE_DIRTY_RIP;
}

/* ---- expected messages ----------------------------------------------------------------------- */

struct hv_intercept_header *vmm_expect(struct vmm *vmm, uint32_t type, uint8_t payload_size,
				       uint8_t instruction_length, uint8_t access)
{
	static const uint16_t states[] = {0, HV_EXECUTION_STATE_CR0_PE,
					  HV_EXECUTION_STATE_CR0_PE | HV_EXECUTION_STATE_EFER_LMA};
	struct hv_intercept_header *header = (void *)vmm->expected.payload;
	struct hv_u128 cs = code_segment(vmm->mode);

	memset(&vmm->expected, 0, sizeof(vmm->expected));
	vmm->expected.header.type = type;
	vmm->expected.header.length = payload_size;
	header->vp_index = vmm->cpu;
	header->instruction_length_and_cr8 = instruction_length;
	header->intercept_access_type = access;
	header->execution_state = states[vmm->mode];
	memcpy(&header->cs_segment, &cs, sizeof(cs));
	header->rip = VMM_CODE;
	header->rflags = 2;
	return header;
}

uint8_t vmm_expect_bytes(const struct vmm *vmm, uint8_t bytes[16])
{
	memcpy(bytes, vmm->memory + VMM_CODE, 15);
	return 15;
}

bool vmm_message_is_expected(const struct vmm *vmm, const struct hv_message *message)
{
	const uint8_t *got = (const uint8_t *)message, *wanted = (const uint8_t *)&vmm->expected;
	bool same = true;

	for (unsigned int i = 0; i < HV_MESSAGE_SIZE; i++) {
		if (got[i] == wanted[i])
			continue;
		tap_note("byte 0x%02x is 0x%02x, wanted 0x%02x", i, got[i], wanted[i]);
		same = false;
	}
	return same;
}

static const struct sidecar_command_page *command_page(const struct vmm *vmm)
{
	return (const void *)((const uint8_t *)vmm->context -
			      offsetof(struct sidecar_command_page, cpu_context));
}

bool vmm_runs_into_expected(struct vmm *vmm)
{
	return vmm_run(vmm) && vmm_message_is_expected(vmm, sidecar_vp_message(vmm->vp)) &&
	       vmm_message_is_expected(vmm, &command_page(vmm)->intercept_message);
}

// SPDX-License-Identifier: MIT
/*
 * Every kind of intercept that an AMD-V guest can cause, one small 16-bit guest each, and the
 * message about it compared byte for byte.
 */
#include <stddef.h>

#include "device.h"

#define CPU 1u
#define MEMORY_SIZE 0x10000u
#define CODE 0x1000u
#define HANDLER 0x2000u	     /* what every vector of the guest leads to */
#define STACK 0x7000u
#define READ_ONLY 0x20000u   /* a page that the guest may not write */
#define UNMAPPED 0x30000u

static struct device device;
static uint8_t *memory;
static unsigned int vp_index = CPU;

/* ---- registers ------------------------------------------------------------------------------- */

static struct sidecar_registers_request *request(void)
{
	return (void *)command_page(&device, CPU)->request_data;
}

static uint16_t access_register(uint32_t command, uint32_t name, struct hv_u128 *value)
{
	struct sidecar_registers_request *head = request();
	struct hv_register_assoc *entry = (void *)(head + 1);

	*head = (struct sidecar_registers_request){.count = 1, .target_vtl = HV_VTL_0};
	*entry = (struct hv_register_assoc){.name = name, .value = *value};
	if (run(&device, CPU, command) || command_page(&device, CPU)->has_error)
		return 0xffff;
	*value = entry->value;
	return head->status;
}

static uint16_t set128(uint32_t name, uint64_t low, uint64_t high)
{
	struct hv_u128 value = {low, high};

	return access_register(SIDECAR_COMMAND_SET_REGISTERS, name, &value);
}

static uint16_t set(uint32_t name, uint64_t value)
{
	return set128(name, value, 0);
}

static uint64_t get(uint32_t name)
{
	struct hv_u128 value = {0, 0};

	access_register(SIDECAR_COMMAND_GET_REGISTERS, name, &value);
	return value.low;
}

static void set_segment(uint32_t name, uint64_t base, uint16_t selector, uint16_t attributes)
{
	set128(name, base, 0xffffull | (uint64_t)selector << 32 | (uint64_t)attributes << 48);
}

static uint64_t *gps(void)
{
	return command_page(&device, CPU)->cpu_context.gps;
}

/* ---- a guest --------------------------------------------------------------------------------- */

/* out 0x99, al: what the guest says when one of its vectors was called. */
static const uint8_t handler[] = {0xe6, 0x99, 0xcf};

static void reset_guest(void)
{
	uint16_t *vectors = (uint16_t *)memory;

	for (unsigned int i = 0; i < 256; i++) {
		vectors[2 * i] = HANDLER;
		vectors[2 * i + 1] = 0;
	}
	memcpy(memory + HANDLER, handler, sizeof(handler));
	memset(gps(), 0, 16 * sizeof(uint64_t));
	set_segment(HV_REGISTER_CS, 0, 0, 0x9b);
	set_segment(HV_REGISTER_DS, 0, 0, 0x93);
	set_segment(HV_REGISTER_ES, 0, 0, 0x93);
	set_segment(HV_REGISTER_SS, 0, 0, 0x93);
	set128(HV_REGISTER_IDTR, 0x03ffull << 48, 0);
	set(HV_REGISTER_RSP, STACK);
	set(HV_REGISTER_RIP, CODE);
	set(HV_REGISTER_RFLAGS, 2);
	set(HV_REGISTER_CR0, 0x10);
	set(HV_REGISTER_INTERRUPT_STATE, 0);
	set(HV_REGISTER_PENDING_INTERRUPTION, 0);
	set(HV_REGISTER_PENDING_EVENT0, 0);
	set(HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, 0);
	set(HV_REGISTER_INTERNAL_ACTIVITY_STATE, 0);
}

static void load(const uint8_t *code, size_t size)
{
	reset_guest();
	memset(memory + CODE, 0x90, 64);
	memcpy(memory + CODE, code, size);
}

#define LOAD(...)                                                                                  \
	do {                                                                                       \
		static const uint8_t code[] = {__VA_ARGS__};                                       \
		load(code, sizeof(code));                                                          \
	} while (0)

/* ---- what is expected ------------------------------------------------------------------------ */

static struct hv_message expected;

/* The common part of a message of a 16-bit guest stopped at rip. */
static struct hv_intercept_header *expect(uint32_t type, uint8_t length, uint64_t rip,
					  uint8_t instruction, uint8_t access)
{
	struct hv_intercept_header *header = (void *)expected.payload;

	memset(&expected, 0, sizeof(expected));
	expected.header.type = type;
	expected.header.length = length;
	header->vp_index = vp_index;
	header->instruction_length_and_cr8 = instruction;
	header->intercept_access_type = access;
	header->cs_segment.limit = 0xffff;
	header->cs_segment.attributes = 0x9b;
	header->rip = rip;
	header->rflags = 2;
	return header;
}

#define PAYLOAD(type) ((struct type *)expected.payload)

static void show_difference(const struct hv_message *got)
{
	const uint8_t *a = (const uint8_t *)got, *b = (const uint8_t *)&expected;

	for (unsigned int i = 0; i < sizeof(expected); i++)
		if (a[i] != b[i])
			tap_note("byte 0x%02x is 0x%02x, wanted 0x%02x", i, a[i], b[i]);
}

/* Runs the guest; its message must be the expected one. */
static void compare(const char *name)
{
	struct sidecar_command_page *page = command_page(&device, CPU);
	int error = run(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	bool same = !error && !page->has_error && run_result(&device, CPU) == 1 &&
		    !memcmp(&page->intercept_message, &expected, sizeof(expected));

	if (tap_check(same, "%s", name))
		return;
	if (page->has_error)
		tap_note("error: %.*s", page->error.length, page->error.text);
	tap_note("errno %d, result %u", error, run_result(&device, CPU));
	show_difference(&page->intercept_message);
}

/* Runs the guest up to its message about port 0x99: one of its vectors was called. */
static bool reaches_handler(void)
{
	struct hv_message *message = &command_page(&device, CPU)->intercept_message;

	if (run(&device, CPU, SIDECAR_COMMAND_RUN_VP) || run_result(&device, CPU) != 1)
		return false;
	return message->header.type == HV_MESSAGE_IO_PORT_INTERCEPT &&
	       ((struct hv_io_message *)message->payload)->port_number == 0x99;
}

/* The IP that an interrupt of a 16-bit guest has pushed. */
static uint16_t pushed_ip(void)
{
	return *(uint16_t *)(memory + STACK - 6);
}

/* ---- port I/O -------------------------------------------------------------------------------- */

static void expect_io(uint16_t port, uint8_t info, uint8_t instruction, uint8_t access)
{
	expect(HV_MESSAGE_IO_PORT_INTERCEPT, sizeof(struct hv_io_message), CODE, instruction,
	       access);
	PAYLOAD(hv_io_message)->port_number = port;
	PAYLOAD(hv_io_message)->access_info = info;
	PAYLOAD(hv_io_message)->rax = gps()[SIDECAR_GP_RAX];
	PAYLOAD(hv_io_message)->rcx = gps()[SIDECAR_GP_RCX];
	PAYLOAD(hv_io_message)->rsi = gps()[SIDECAR_GP_RSI];
	PAYLOAD(hv_io_message)->rdi = gps()[SIDECAR_GP_RDI];
}

static void expect_bytes(uint8_t *bytes, uint8_t *count)
{
	memcpy(bytes, memory + CODE, 15);
	*count = 15;
}

static void test_io(void)
{
	LOAD(0xee);
	gps()[SIDECAR_GP_RAX] = 0x1122334455667788;
	gps()[SIDECAR_GP_RDX] = 0x3f8;
	gps()[SIDECAR_GP_RCX] = 7;
	gps()[SIDECAR_GP_RSI] = 8;
	gps()[SIDECAR_GP_RDI] = 9;
	expect_io(0x3f8, 1, 1, HV_INTERCEPT_ACCESS_WRITE);
	compare("out dx, al");

	LOAD(0xe5, 0x61);
	expect_io(0x61, 2, 2, HV_INTERCEPT_ACCESS_READ);
	compare("in ax, 0x61");

	LOAD(0x66, 0xef);
	gps()[SIDECAR_GP_RDX] = 0xcf8;
	expect_io(0xcf8, 4, 2, HV_INTERCEPT_ACCESS_WRITE);
	compare("out dx, eax");

	LOAD(0xf3, 0x6e);
	gps()[SIDECAR_GP_RDX] = 0x3f8;
	gps()[SIDECAR_GP_RCX] = 3;
	gps()[SIDECAR_GP_RSI] = 0x100;
	set_segment(HV_REGISTER_DS, 0x5550, 0x555, 0x93);
	set_segment(HV_REGISTER_ES, 0x6660, 0x666, 0x93);
	expect_io(0x3f8, 1 | HV_IO_ACCESS_STRING | HV_IO_ACCESS_REP, 2, HV_INTERCEPT_ACCESS_WRITE);
	PAYLOAD(hv_io_message)->ds_segment = (struct hv_segment){0x5550, 0xffff, 0x555, 0x93};
	PAYLOAD(hv_io_message)->es_segment = (struct hv_segment){0x6660, 0xffff, 0x666, 0x93};
	expect_bytes(PAYLOAD(hv_io_message)->instruction_bytes,
		     &PAYLOAD(hv_io_message)->instruction_byte_count);
	compare("rep outsb");
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void expect_msr(uint32_t number, uint8_t access)
{
	expect(HV_MESSAGE_MSR_INTERCEPT, sizeof(struct hv_msr_message), CODE, 2, access);
	PAYLOAD(hv_msr_message)->msr_number = number;
	PAYLOAD(hv_msr_message)->rdx = gps()[SIDECAR_GP_RDX];
	PAYLOAD(hv_msr_message)->rax = gps()[SIDECAR_GP_RAX];
}

static void test_msr(void)
{
	LOAD(0x0f, 0x32);
	gps()[SIDECAR_GP_RCX] = 0x8b;
	expect_msr(0x8b, HV_INTERCEPT_ACCESS_READ);
	compare("rdmsr of an MSR that is the VMM's");

	LOAD(0x0f, 0x30);
	gps()[SIDECAR_GP_RCX] = 0x40000000;
	gps()[SIDECAR_GP_RAX] = 0x1234;
	gps()[SIDECAR_GP_RDX] = 0x5678;
	expect_msr(0x40000000, HV_INTERCEPT_ACCESS_WRITE);
	compare("wrmsr of an MSR that is the VMM's");

	LOAD(0x0f, 0x32);
	gps()[SIDECAR_GP_RCX] = 0x1d9;
	expect_msr(0x1d9, HV_INTERCEPT_ACCESS_READ);
	compare("DEBUGCTL never reaches the processor");
}

static void expect_cpuid(uint8_t instruction)
{
	expect(HV_MESSAGE_CPUID_INTERCEPT, sizeof(struct hv_cpuid_message), CODE, instruction,
	       HV_INTERCEPT_ACCESS_EXECUTE);
	PAYLOAD(hv_cpuid_message)->rax = gps()[SIDECAR_GP_RAX];
	PAYLOAD(hv_cpuid_message)->rcx = gps()[SIDECAR_GP_RCX];
	PAYLOAD(hv_cpuid_message)->rdx = gps()[SIDECAR_GP_RDX];
	PAYLOAD(hv_cpuid_message)->rbx = gps()[SIDECAR_GP_RBX];
}

static void test_cpuid(void)
{
	LOAD(0x0f, 0xa2);
	gps()[SIDECAR_GP_RAX] = 0x8000000a; /* SVM: hidden, all zero */
	gps()[SIDECAR_GP_RBX] = 1;
	gps()[SIDECAR_GP_RDX] = 2;
	expect_cpuid(2);
	compare("cpuid");

	LOAD(0x66, 0x67, 0x2e, 0x0f, 0xa2);
	gps()[SIDECAR_GP_RAX] = 0x0d; /* XSAVE: hidden */
	expect_cpuid(5);
	compare("cpuid with three prefixes: the length is decoded");
}

static void test_plain(void)
{
	LOAD(0xf4);
	expect(HV_MESSAGE_HALT, 40, CODE, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("hlt");

	LOAD(0x0f, 0x01, 0xd9);
	for (unsigned int i = 0; i < 16; i++)
		gps()[i] = 0x100 + i;
	memset(command_page(&device, CPU)->cpu_context.fx_state.xmm, 0xa5, 256);
	expect(HV_MESSAGE_HYPERCALL_INTERCEPT, sizeof(struct hv_hypercall_message), CODE, 3,
	       HV_INTERCEPT_ACCESS_EXECUTE);
	PAYLOAD(hv_hypercall_message)->rax = 0x100;
	PAYLOAD(hv_hypercall_message)->rcx = 0x101;
	PAYLOAD(hv_hypercall_message)->rdx = 0x102;
	PAYLOAD(hv_hypercall_message)->rbx = 0x103;
	PAYLOAD(hv_hypercall_message)->rsi = 0x106;
	PAYLOAD(hv_hypercall_message)->rdi = 0x107;
	PAYLOAD(hv_hypercall_message)->r8 = 0x108;
	memset(PAYLOAD(hv_hypercall_message)->xmm_registers, 0xa5, 96);
	compare("vmmcall");

	LOAD(0x0f, 0x0b);
	set128(HV_REGISTER_IDTR, 0, 0); /* limit 0: no vector can be delivered */
	expect(HV_MESSAGE_UNRECOVERABLE_EXCEPTION, 40, CODE, 0, 0);
	compare("triple fault");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void expect_memory(uint32_t type, uint64_t rip, uint64_t gpa, uint8_t access)
{
	expect(type, sizeof(struct hv_memory_message), rip, 0, access);
	PAYLOAD(hv_memory_message)->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	PAYLOAD(hv_memory_message)->guest_physical_address = gpa;
}

static void expect_data_access(uint32_t type, uint64_t gpa, uint8_t access)
{
	expect_memory(type, CODE, gpa, access);
	expect_bytes(PAYLOAD(hv_memory_message)->instruction_bytes,
		     &PAYLOAD(hv_memory_message)->instruction_byte_count);
}

static void test_memory(void)
{
	LOAD(0xa0, 0x34, 0x12); /* mov al, [0x1234] */
	set_segment(HV_REGISTER_DS, UNMAPPED, UNMAPPED >> 4, 0x93);
	expect_data_access(HV_MESSAGE_UNMAPPED_GPA, UNMAPPED + 0x1234, HV_INTERCEPT_ACCESS_READ);
	compare("read of an unmapped GPA");

	LOAD(0xa2, 0x34, 0x12);
	set_segment(HV_REGISTER_DS, UNMAPPED, UNMAPPED >> 4, 0x93);
	expect_data_access(HV_MESSAGE_UNMAPPED_GPA, UNMAPPED + 0x1234, HV_INTERCEPT_ACCESS_WRITE);
	compare("write to an unmapped GPA");

	LOAD(0xa2, 0x34, 0x02);
	set_segment(HV_REGISTER_DS, READ_ONLY, READ_ONLY >> 4, 0x93);
	expect_data_access(HV_MESSAGE_GPA_INTERCEPT, READ_ONLY + 0x234, HV_INTERCEPT_ACCESS_WRITE);
	compare("write to a read-only GPA");

	LOAD(0x90);
	set_segment(HV_REGISTER_CS, UNMAPPED, UNMAPPED >> 4, 0x9b);
	expect_memory(HV_MESSAGE_UNMAPPED_GPA, CODE, UNMAPPED + CODE, HV_INTERCEPT_ACCESS_EXECUTE);
	PAYLOAD(hv_memory_message)->header.cs_segment =
		(struct hv_segment){UNMAPPED, 0xffff, UNMAPPED >> 4, 0x9b};
	PAYLOAD(hv_memory_message)->memory_access_info = 3;
	PAYLOAD(hv_memory_message)->guest_virtual_address = UNMAPPED + CODE;
	compare("fetch from an unmapped GPA");
}

/* ---- registers that cannot be ---------------------------------------------------------------- */

static void expect_invalid(void)
{
	memset(&expected, 0, sizeof(expected));
	expected.header.type = HV_MESSAGE_INVALID_VP_REGISTER_VALUE;
	expected.header.length = 8;
	PAYLOAD(hv_invalid_register_message)->vp_index = vp_index;
}

static struct hv_register_page *register_page(void)
{
	return (void *)(device.shmem + CPU * SIDECAR_PER_CPU_SHMEM + SIDECAR_PAGE_SIZE);
}

static void test_invalid(void)
{
	LOAD(0xf4);
	expect_invalid();
	set(HV_REGISTER_CR0, 0x80000011); /* long mode without PAE */
	set(HV_REGISTER_EFER, 0x100);
	compare("registers that no processor can have together");
	set(HV_REGISTER_EFER, 0);

	LOAD(0xf4);
	run(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	expect_invalid();
	register_page()->rflags = 0x8002;
	register_page()->dirty = HV_REGISTER_PAGE_DIRTY_FLAGS;
	compare("a dirty RFLAGS with a reserved bit in the register page");
	tap_equal(get(HV_REGISTER_RFLAGS), 2, "and the register is as before");
}

static void test_register_page(void)
{
	LOAD(0xf4);
	run(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	tap_equal(register_page()->is_valid, 1, "the register page is valid after a run");
	tap_equal(register_page()->rip, CODE, "RIP in the register page");
	memory[CODE + 0x10] = 0xf4;
	register_page()->rip = CODE + 0x10;
	register_page()->rflags = 0x46;
	register_page()->gp_registers[HV_GP_RSP] = 0x6000;
	register_page()->dirty = HV_REGISTER_PAGE_DIRTY_RIP | HV_REGISTER_PAGE_DIRTY_FLAGS |
				 HV_REGISTER_PAGE_DIRTY_GP;
	expect(HV_MESSAGE_HALT, 40, CODE + 0x10, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	PAYLOAD(hv_halt_message)->header.rflags = 0x46;
	compare("RIP and RFLAGS through the register page");
	tap_equal(get(HV_REGISTER_RSP), 0x6000, "RSP through the register page");
	tap_equal(register_page()->dirty, 0, "dirty is clear afterwards");
}

/* ---- events ---------------------------------------------------------------------------------- */

#define INTERRUPTION(type, vector) (1ull | (type) << 1 | (uint64_t)(vector) << 16)

static void test_injection(void)
{
	LOAD(0xf4);
	set(HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21));
	tap_check(reaches_handler() && pushed_ip() == CODE, "an external interrupt is injected");
	tap_equal(get(HV_REGISTER_PENDING_INTERRUPTION), 0, "and is no longer pending");

	LOAD(0xcd, 0x30, 0xf4);
	set(HV_REGISTER_PENDING_INTERRUPTION,
	    INTERRUPTION(HV_INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x30) | 2 << 5);
	tap_check(reaches_handler() && pushed_ip() == CODE + 2, "INT n pushes the next RIP");

	LOAD(0xf4);
	set(HV_REGISTER_PENDING_EVENT0, 1ull | 6ull << 16);
	tap_check(reaches_handler() && pushed_ip() == CODE, "an exception event is injected");

	LOAD(0xf4);
	set128(HV_REGISTER_PENDING_EVENT0, 1ull | 14ull << 16, 0xabcd);
	tap_check(reaches_handler() && gps()[SIDECAR_GP_CR2] == 0xabcd,
		  "a page fault event loads CR2");
}

static void test_windows(void)
{
	LOAD(0x90, 0xfb, 0x90, 0x90, 0xeb, 0xfe); /* nop; sti; nop; nop; jmp $ */
	set(HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_INTERRUPT);
	expect(HV_MESSAGE_INTERRUPTION_DELIVERABLE, 48, CODE + 3, 0, 0);
	PAYLOAD(hv_interruption_deliverable_message)->header.rflags = 0x202;
	compare("interruption deliverable, one instruction after sti");
	tap_equal(get(HV_REGISTER_DELIVERABILITY_NOTIFICATIONS), 0, "the notification is used up");

	LOAD(0x90, 0xfb, 0x90, 0x90, 0xeb, 0xfe);
	set(HV_REGISTER_PENDING_EVENT0, 1ull | 5 << 1 | 0x44 << 8);
	tap_check(reaches_handler() && pushed_ip() == CODE + 3,
		  "an external interrupt event waits for the interrupt flag");

	LOAD(0x90, 0xeb, 0xfe);
	set(HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_NMI);
	expect(HV_MESSAGE_INTERRUPTION_DELIVERABLE, 48, CODE, 0, 0);
	PAYLOAD(hv_interruption_deliverable_message)->deliverable_type = HV_INTERRUPTION_TYPE_NMI;
	compare("NMI deliverable at once");
}

static void test_nmi(void)
{
	LOAD(0xf4);
	set(HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_NMI, 2));
	tap_check(reaches_handler(), "an NMI is injected");
	tap_equal(get(HV_REGISTER_INTERRUPT_STATE), HV_INTERRUPT_STATE_NMI_MASKED,
		  "its handler is not interrupted by another");
	set(HV_REGISTER_RIP, HANDLER + 2);
	expect(HV_MESSAGE_HALT, 40, CODE, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("the guest goes on after the iret");
	tap_equal(get(HV_REGISTER_INTERRUPT_STATE), 0, "and NMIs are taken again");
}

/* A frame that cannot be pushed: the event waits until the VMM has dealt with the memory. */
static void test_interrupted_delivery(void)
{
	LOAD(0xf4);
	set_segment(HV_REGISTER_SS, UNMAPPED, UNMAPPED >> 4, 0x93);
	set(HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21));
	expect_data_access(HV_MESSAGE_UNMAPPED_GPA, UNMAPPED + STACK - 2, HV_INTERCEPT_ACCESS_WRITE);
	PAYLOAD(hv_memory_message)->header.execution_state =
		HV_EXECUTION_STATE_INTERRUPTION_PENDING;
	compare("a delivery that memory stops");
	tap_equal(get(HV_REGISTER_PENDING_INTERRUPTION),
		  INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21), "is pending again");
	set_segment(HV_REGISTER_SS, 0, 0, 0x93);
	tap_check(reaches_handler() && pushed_ip() == CODE, "and happens the next time");
}

/* ---- what the kernel resolves itself --------------------------------------------------------- */

static void vectors_to(const char *name, const uint8_t *code, size_t size)
{
	load(code, size);
	tap_check(reaches_handler() && pushed_ip() == CODE, "%s", name);
}

#define FAULTS(name, ...)                                                                          \
	do {                                                                                       \
		static const uint8_t code[] = {__VA_ARGS__};                                       \
		vectors_to(name, code, sizeof(code));                                              \
	} while (0)

static void test_hidden_instructions(void)
{
	FAULTS("vmrun is undefined", 0x0f, 0x01, 0xd8);
	FAULTS("vmload is undefined", 0x0f, 0x01, 0xda);
	FAULTS("stgi is undefined", 0x0f, 0x01, 0xdc);
	FAULTS("clgi is undefined", 0x0f, 0x01, 0xdd);
	FAULTS("invlpga is undefined", 0x0f, 0x01, 0xdf);
	FAULTS("monitor is undefined", 0x0f, 0x01, 0xc8);
	FAULTS("xsetbv is undefined", 0x0f, 0x01, 0xd1);
	FAULTS("rdpmc faults", 0x0f, 0x33);
}

static void test_msr_inside(void)
{
	LOAD(0x0f, 0x30, 0x0f, 0x32, 0xf4); /* wrmsr; rdmsr; hlt */
	gps()[SIDECAR_GP_RCX] = 0x277;
	gps()[SIDECAR_GP_RAX] = 0x00070106;
	gps()[SIDECAR_GP_RDX] = 0x00070406;
	expect(HV_MESSAGE_HALT, 40, CODE + 4, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("PAT is the guest's own");
	tap_equal(get(HV_REGISTER_PAT), 0x0007040600070106, "and the VMM sees it");

	LOAD(0x0f, 0x30, 0xf4);
	gps()[SIDECAR_GP_RCX] = 0x277;
	gps()[SIDECAR_GP_RAX] = 2;
	tap_check(reaches_handler() && pushed_ip() == CODE, "a reserved memory type in PAT faults");

	LOAD(0x0f, 0x30, 0x0f, 0x32, 0xf4);
	gps()[SIDECAR_GP_RCX] = 0xc0000080;
	gps()[SIDECAR_GP_RAX] = 0x101;
	expect(HV_MESSAGE_HALT, 40, CODE + 4, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("EFER is written");
	tap_equal(gps()[SIDECAR_GP_RAX], 0x101, "and read without SVME");
	set(HV_REGISTER_EFER, 0);

	LOAD(0x0f, 0x30, 0xf4);
	gps()[SIDECAR_GP_RCX] = 0xc0000080;
	gps()[SIDECAR_GP_RAX] = 0x1000;
	tap_check(reaches_handler() && pushed_ip() == CODE, "EFER.SVME faults");
}

static void test_cr4(void)
{
	LOAD(0x66, 0x0f, 0x22, 0xe0, 0xf4); /* mov cr4, eax; hlt */
	gps()[SIDECAR_GP_RAX] = 0x620;
	expect(HV_MESSAGE_HALT, 40, CODE + 4, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("CR4 is written");
	tap_equal(get(HV_REGISTER_CR4), 0x620, "and the VMM sees it");

	LOAD(0x66, 0x0f, 0x22, 0xe3, 0xf4);
	gps()[SIDECAR_GP_RBX] = 1 << 18;
	tap_check(reaches_handler() && pushed_ip() == CODE, "CR4.OSXSAVE faults");
	set(HV_REGISTER_CR4, 0);
}

static void test_single_step(void)
{
	LOAD(0x0f, 0x30, 0xf4);
	gps()[SIDECAR_GP_RCX] = 0x277;
	gps()[SIDECAR_GP_RAX] = 0x00070406;
	gps()[SIDECAR_GP_RDX] = 0x00070406;
	set(HV_REGISTER_RFLAGS, 0x102);
	tap_check(reaches_handler() && pushed_ip() == CODE + 2,
		  "a single step over what the kernel resolves");

	LOAD(0x90, 0xf4);
	set(HV_REGISTER_RFLAGS, 0x102);
	tap_check(reaches_handler() && pushed_ip() == CODE + 1, "a single step over a nop");
}

/* ---- no entry -------------------------------------------------------------------------------- */

static void test_mxcsr(void)
{
	struct sidecar_command_page *page = command_page(&device, CPU);

	LOAD(0xf4);
	page->cpu_context.fx_state.mxcsr = 0x80001f80;
	run(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	tap_check(page->has_error && strstr((char *)page->error.text, "80001f80"),
		  "reserved MXCSR bits are an error that names them");
	page->cpu_context.fx_state.mxcsr = 0x1f80;
	expect(HV_MESSAGE_HALT, 40, CODE, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("and the VP runs with a good one");
}

static void test_suspended(uint64_t activity, const char *name)
{
	LOAD(0xf4);
	set(HV_REGISTER_INTERNAL_ACTIVITY_STATE, activity);
	start(&device, CPU, SIDECAR_COMMAND_RUN_VP);
	tap_check(wait_completion(&device, 100) == -ETIME, "%s: it does not run", name);
	control(device.fd, SIDECAR_IOC_CANCEL, CPU);
	tap_check(wait_completion(&device, 5000) == (int)CPU && run_result(&device, CPU) == 0,
		  "%s: and is stopped", name);
}

static void test_halted(void)
{
	LOAD(0xf4);
	set(HV_REGISTER_INTERNAL_ACTIVITY_STATE, HV_ACTIVITY_HALT_SUSPEND);
	set(HV_REGISTER_PENDING_INTERRUPTION, INTERRUPTION(HV_INTERRUPTION_TYPE_EXTERNAL, 0x21));
	tap_check(reaches_handler(), "an interrupt ends the halt");
	tap_equal(get(HV_REGISTER_INTERNAL_ACTIVITY_STATE), 0, "and the VP is not halted any more");
}

static void test_state(void)
{
	static const uint64_t dr[4] = {0x1111, 0x2222, 0x3333, 0x4444};

	/* mov edi, dr3; mov dr0, edi; hlt */
	LOAD(0x0f, 0x21, 0xdf, 0x0f, 0x23, 0xc7, 0xf4);
	for (unsigned int i = 0; i < 4; i++)
		set(HV_REGISTER_DR0 + i, dr[i]);
	expect(HV_MESSAGE_HALT, 40, CODE + 6, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("debug registers in the guest");
	tap_equal(gps()[SIDECAR_GP_RDI], 0x4444, "the guest reads DR3");
	tap_equal(get(HV_REGISTER_DR0), 0x4444, "the guest has written DR0");
	tap_equal(get(HV_REGISTER_DR1), 0x2222, "DR1 is kept");

	/* movups xmm1, [0x3000]; hlt */
	LOAD(0x0f, 0x10, 0x0e, 0x00, 0x30, 0xf4);
	set(HV_REGISTER_CR4, 0x600);
	memset(memory + 0x3000, 0x5a, 16);
	expect(HV_MESSAGE_HALT, 40, CODE + 5, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	compare("SSE in the guest");
	tap_check(!memcmp(command_page(&device, CPU)->cpu_context.fx_state.xmm[1], memory + 0x3000,
			  16), "its XMM1 is in the command page");
	set(HV_REGISTER_CR4, 0);
}

static void open_guest(void)
{
	const uint32_t all = SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE;
	int partition;

	device = device_open();
	partition = -control(device.fd, SIDECAR_IOC_PARTITION_CREATE, 0);
	memory = new_memory(MEMORY_SIZE);
	if (map_memory(partition, 0, memory, MEMORY_SIZE, all) ||
	    map_memory(partition, READ_ONLY, new_memory(SIDECAR_PAGE_SIZE), SIDECAR_PAGE_SIZE,
		       SIDECAR_MAP_READ | SIDECAR_MAP_EXECUTE) ||
	    control(device.fd, SIDECAR_IOC_PARTITION_ATTACH, partition))
		exit(1);
}

int main(void)
{
	if (insert_module("cpus=1-3"))
		return 1;
	open_guest();
	test_io();
	test_msr();
	test_cpuid();
	test_plain();
	test_memory();
	test_invalid();
	test_register_page();
	test_injection();
	test_windows();
	test_nmi();
	test_interrupted_delivery();
	test_hidden_instructions();
	test_msr_inside();
	test_cr4();
	test_single_step();
	test_mxcsr();
	test_suspended(HV_ACTIVITY_STARTUP_SUSPEND, "startup suspend");
	test_suspended(HV_ACTIVITY_HALT_SUSPEND, "halt suspend");
	test_halted();
	test_state();
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * The test hypervisor's own test: what a VTL2 that follows the interface gets, and that one that
 * does not is found out. No sidecar kernel takes part.
 */
#include "bench.h"
#include "guest.h"

#define KICK 0x20u
#define FIXED 0x4000u
#define NMI 0x4400u

static struct assist_room {
	struct hv_vp_assist_page page;
	uint8_t rest[PAGE - sizeof(struct hv_vp_assist_page)];
} __attribute__((aligned(4096))) rooms[4];
static struct hv_register_page register_pages[4] __attribute__((aligned(4096)));
static uint64_t gps[4][16];
static uint8_t guest_stack[PAGE] __attribute__((aligned(4096)));

static uint64_t violations(void)
{
	return control(CONTROL_VIOLATIONS, 0);
}

/* The violations of this step, which were meant. */
static void check_forgiven(uint64_t expected, const char *name)
{
	check_equal(control(CONTROL_FORGIVE, 0), expected, name);
}

/* ---- what the first VP finds ----------------------------------------------------------------- */

static void test_discovery(void)
{
	uint32_t eax, ebx, ecx, edx;

	cpuid(0x40000000, &eax, &ebx, &ecx, &edx);
	check(eax >= 0x40000006 && ebx == 0x7263694d && ecx == 0x666f736f && edx == 0x76482074,
	      "CPUID says Microsoft Hv, leaves to 0x40000006");
	cpuid(0x40000001, &eax, &ebx, &ecx, &edx);
	check_equal(eax, 0x31237648, "CPUID says Hv#1");
	cpuid(0x40000003, &eax, &ebx, &ecx, &edx);
	check((eax & 0x60) == 0x60 && (ebx & 0x230000) == 0x230000,
	      "hypercall and VP index MSRs, VSM, VP registers, starting VPs");
	cpuid(1, &eax, &ebx, &ecx, &edx);
	check((ecx >> 21 & 1) && ecx >> 31, "x2APIC and hypervisor are announced");
	cpuid(0x80000001, &eax, &ebx, &ecx, &edx);
	check(!(ecx & 4), "SVM is hidden");
	check_equal(rdmsr(MSR_VP_INDEX), 0, "the first VP has index 0");
}

static void test_time(void)
{
	static struct {
		uint32_t sequence, reserved;
		uint64_t scale;
		int64_t offset;
		uint8_t rest[PAGE - 24];
	} page __attribute__((aligned(4096)));
	uint64_t before, between, after, tsc;
	uint32_t low, high;

	wrmsr(MSR_REFERENCE_TSC, (uint64_t)&page | 1);
	before = now();
	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	after = now();
	tsc = low | (uint64_t)high << 32;
	between = (uint64_t)(((unsigned __int128)tsc * page.scale) >> 64) + (uint64_t)page.offset;
	check(page.sequence != 0 && before <= between && between <= after,
	      "reference time is the same by MSR and by the TSC page");
	wrmsr(MSR_REFERENCE_TSC, 0);
}

static void test_hypercall_page(void)
{
	struct hv_u128 value = {0, 0};
	uint64_t offset;

	wrmsr(MSR_HYPERCALL, (uint64_t)hypercall_page | 1);
	check_equal(rdmsr(MSR_HYPERCALL) & 1, 0, "no hypercall page without GUEST_OS_ID");
	check_forgiven(1, "that is a violation");
	bench_start();
	check_equal(rdmsr(MSR_HYPERCALL), (uint64_t)hypercall_page | 1, "the hypercall page is on");
	check(call_offset && return_offset && call_offset != return_offset,
	      "VTL call and return have their places in it");
	offset = return_offset;
	check(hypercall_page[offset] == 0x48, "code is there");
	check_equal(get_register(HV_VTL_2, HV_REGISTER_VSM_CAPABILITIES, &value), 0,
		    "VsmCapabilities");
	check(value.low & HV_VSM_CAPABILITY_INTERCEPT_PAGE, "the intercept page is offered");
	check_equal(get_register(HV_VTL_0, HV_REGISTER_VSM_VP_STATUS, &value), 0, "VsmVpStatus");
	check_equal(value.low, 2 | 5 << 16, "VTL2 is active, VTL0 and VTL2 are enabled");
	check_equal(rdmsr(MSR_HYPERCALL) & ~1ull, (uint64_t)hypercall_page, "and stays");
}

/* ---- strictness ------------------------------------------------------------------------------ */

static uint64_t get_control(uint64_t extra)
{
	return (HV_CALL_GET_VP_REGISTERS | 1ull << HV_HYPERCALL_REP_COUNT_SHIFT) ^ extra;
}

static uint16_t bad_get(uint64_t extra, uint64_t input_offset)
{
	struct hv_vp_registers_input *input = hypercall_input();

	*input = (struct hv_vp_registers_input){.partition_id = HV_PARTITION_ID_SELF,
						.vp_index = HV_VP_INDEX_SELF};
	*(uint32_t *)(input + 1) = HV_REGISTER_VSM_CAPABILITIES;
	return (uint16_t)hypercall_at(get_control(extra), (uint64_t)input + input_offset,
				      (uint64_t)hypercall_output());
}

static void test_strictness(void)
{
	struct hv_u128 value;

	check_equal(bad_get(0, 0), HV_STATUS_SUCCESS, "a good call");
	check_forgiven(0, "is no violation");
	check_equal(bad_get(1ull << 27, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "bit 27");
	check_equal(bad_get(1ull << 44, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "bit 44");
	check_equal(bad_get(1ull << 60, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "bit 60");
	check_equal(bad_get(HV_HYPERCALL_NESTED, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "nested");
	check_equal(bad_get(HV_HYPERCALL_FAST, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "fast");
	check_equal(bad_get(1ull << 17, 0), HV_STATUS_INVALID_HYPERCALL_INPUT, "variable header");
	check_equal(bad_get(1ull << HV_HYPERCALL_REP_COUNT_SHIFT, 0),
		    HV_STATUS_INVALID_HYPERCALL_INPUT, "no repetitions");
	check_equal(bad_get(1ull << HV_HYPERCALL_REP_START_SHIFT, 0),
		    HV_STATUS_INVALID_HYPERCALL_INPUT, "a start that is not below the count");
	check_equal(bad_get(0, 4), HV_STATUS_INVALID_ALIGNMENT, "an input at a multiple of 4");
	check_equal(bad_get(0, 4096 - 16), HV_STATUS_INVALID_ALIGNMENT, "an input in two pages");
	check_equal(bad_get(0, 0x10000000 - (uint64_t)hypercall_input()),
		    HV_STATUS_INVALID_ALIGNMENT, "an input in the hypervisor");
	check_equal((uint16_t)hypercall(0x7ff), HV_STATUS_INVALID_HYPERCALL_CODE, "no such call");
	check_forgiven(12, "all of these are violations");
	check_equal(get_register(HV_VTL_1, HV_REGISTER_RIP, &value), HV_STATUS_INVALID_VTL_STATE,
		    "VTL1 is not enabled");
	check_equal(get_register(0x13, HV_REGISTER_RIP, &value), HV_STATUS_INVALID_PARAMETER,
		    "there is no VTL3");
	check_equal(get_register(0x30, HV_REGISTER_RIP, &value), HV_STATUS_INVALID_PARAMETER,
		    "reserved bits of the VTL byte");
	check_equal(get_register(HV_VTL_0, 0x12345678, &value), HV_STATUS_UNKNOWN_REGISTER_NAME,
		    "an unknown register");
	check_forgiven(0, "what a VMM may ask for is only refused");
	check(!wrmsr_safe(MSR_VP_ASSIST_PAGE, (uint64_t)&rooms[0] | 3), "assist page, bit 1: #GP");
	check(!wrmsr_safe(MSR_VP_INDEX, 1), "VP_INDEX is read-only: #GP");
	check(!wrmsr_safe(0x80b, 0), "an x2APIC MSR in xAPIC mode: #GP");
	check_forgiven(3, "three violations");
}

/* ---- VPs ------------------------------------------------------------------------------------- */

static uint64_t x2apic_id_there(uint64_t unused)
{
	(void)unused;
	return x2apic_id();
}

static uint32_t early_reads, early_writes;

/* Not yet in x2APIC mode. */
static void touch_xapic(void)
{
	early_reads += xapic_read_safe(0x20);
	early_writes += xapic_write_safe(0x80, 0x10);
}

static void test_start(void)
{
	check_equal(vp_start(1), HV_STATUS_INVALID_VTL_STATE, "VTL2 has to be enabled first");
	check_equal(vp_enable(1), HV_STATUS_SUCCESS, "VTL2 of VP 1 is enabled");
	check_equal(vp_enable(1), HV_STATUS_VTL_ALREADY_ENABLED, "once");
	vp_prologue = touch_xapic;
	check_equal(vp_start(1), HV_STATUS_SUCCESS, "VP 1 is started");
	check(vp_is_alive(1), "VP 1 is alive");
	vp_prologue = NULL;
	check_equal(early_reads + early_writes, 0, "it never has the xAPIC's page");
	check_forgiven(3, "two touches, and the start before, are violations");
	check_equal(vp_start(1), HV_STATUS_INVALID_VP_STATE, "once");
	check_equal(vp_start(vp_count()), HV_STATUS_INVALID_VP_INDEX, "a VP too many");
	check_equal(vp_start(0), HV_STATUS_INVALID_VP_STATE, "not itself");
	check_forgiven(3, "three violations");
}

static void test_start_all(void)
{
	uint32_t count = vp_count(), good = 0, ids = 0;

	for (uint32_t vp = 2; vp < count - 1; vp++)
		good += vp_enable(vp) == HV_STATUS_SUCCESS && vp_start(vp) == HV_STATUS_SUCCESS &&
			vp_is_alive(vp);
	check_equal(good, count - 3, "every other VP but the last is alive");
	for (uint32_t vp = 1; vp < count - 1; vp++)
		ids += vp_call(vp, x2apic_id_there, 0) == apic_of_vp(vp);
	check_equal(ids, count - 2, "GetVpIndexFromApicId knows their x2APIC IDs");
	check((apic_of_vp(1) == 1) == (option("order", 0) != 0), "which are not the VP indices");
	check_equal(vp_of_apic(0xfe), 0xffffffff, "it does not invent any");
}

static uint64_t window(uint64_t unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 1000 && !load(&interrupts[KICK]); i++)
		interrupt_window();
	return load(&interrupts[KICK]);
}

static uint64_t wait_halted(uint64_t unused)
{
	(void)unused;
	asm volatile("sti; hlt; cli");
	return load(&interrupts[0x41]);
}

static uint64_t wait_nmi(uint64_t unused)
{
	(void)unused;
	return wait_until(load(&interrupts[2]));
}

static void test_interrupts(void)
{
	uint32_t before;

	x2apic_enable();
	x2apic_send(apic_of_vp(1), FIXED | KICK);
	check_equal(vp_call(1, window, 0), 1, "an IPI reaches VP 1");
	vp_begin(1, wait_halted, 0);
	for (before = 0; before < 100000; before++)
		asm volatile("pause");
	x2apic_send(apic_of_vp(1), FIXED | 0x41);
	check_equal(vp_done(1), 1, "and wakes it");
	x2apic_send(apic_of_vp(1), NMI);
	check_equal(vp_call(1, wait_nmi, 0), 1, "so does an NMI");
	before = load(&interrupts[0x42]);
	x2apic_send(x2apic_id(), FIXED | 0x42);
	interrupt_window();
	check_equal(load(&interrupts[0x42]), before + 1, "an IPI to itself");
	check(!wrmsr_safe(0x80b, 1), "EOI of 1 is #GP");
	check(!wrmsr_safe(0x830, 1ull << 12), "a reserved bit of the ICR is #GP");
	check(!wrmsr_safe(0x1b, 0xfee00900), "from x2APIC straight to xAPIC is #GP");
	check_forgiven(3, "three violations");
}

/* ---- INIT and SIPI --------------------------------------------------------------------------- */

#define REAL_MODE_PAGE 0x6000u
#define INIT 0x4500u
#define SIPI (0x4600u | REAL_MODE_PAGE >> 12)
#define XAPIC 0xfee00000ull

/* In real mode: CPUID leaf 0x40000001 to the page's byte 0x80; hlt for ever. */
static const uint8_t real_mode[] = {0x66, 0xb8, 0x01, 0x00, 0x00, 0x40, /* mov $0x40000001, %eax */
				    0x0f, 0xa2,				/* cpuid */
				    0x2e, 0x66, 0xa3, 0x80, 0x00,	/* mov %eax, %cs:0x80 */
				    0xf4, 0xeb, 0xfd};			/* hlt; jmp */

static uint32_t *real_mode_result(void)
{
	memset((void *)(uint64_t)REAL_MODE_PAGE, 0, PAGE);
	memcpy((void *)(uint64_t)REAL_MODE_PAGE, real_mode, sizeof(real_mode));
	return (uint32_t *)(uint64_t)(REAL_MODE_PAGE + 0x80);
}

/* The register at that offset, by the instructions that systems use. */
static void xapic_write(uint32_t offset, uint32_t value)
{
	asm volatile("movl %1, %0" : "=m"(*(uint32_t *)(XAPIC + offset)) : "r"(value));
}

static void test_xapic_init(void)
{
	uint32_t *result = real_mode_result(), last = vp_count() - 1;

	xapic_write(0x80, 0x20);
	check_equal(load((uint32_t *)(XAPIC + 0x80)), 0x20, "the xAPIC's page can be written");
	asm volatile("movl $0x10, %0" : "=m"(*(uint32_t *)(XAPIC + 0x80)));
	check_equal(load((uint32_t *)(XAPIC + 0x80)), 0x10, "with an immediate as well");
	xapic_write(0x80, 0);
	xapic_write(0x310, apic_of_vp(last) << 24);
	xapic_write(0x300, INIT);
	xapic_write(0x300, SIPI);
	xapic_write(0x300, SIPI);
	check(wait_until(load(result)), "INIT and SIPI start a VP");
	check_equal(load(result), 0x31237648, "under the hypervisor");
}

static void test_x2apic_init(void)
{
	uint32_t *result = real_mode_result(), last = vp_count() - 1;
	uint32_t exits = control(CONTROL_EXITS, last);

	x2apic_send(apic_of_vp(last), INIT);
	x2apic_send(apic_of_vp(last), SIPI);
	check(wait_until(load(result)), "also by x2APIC, and from where it is");
	check_equal(load(result), 0x31237648, "under the hypervisor again");
	check(control(CONTROL_EXITS, last) > exits, "which counts its exits");
	check(!xapic_write_safe(0x80, 0), "in x2APIC mode the xAPIC's page cannot be written: #GP");
	check(!xapic_read_safe(0x20), "nor read");
	check_forgiven(2, "two violations");
}

/* ---- VTL0 ------------------------------------------------------------------------------------ */

static uint32_t vtl2_index;

static struct hv_vp_assist_page *assist(void)
{
	return &rooms[vtl2_index].page;
}

/* Runs VTL0 until VTL2 is entered; returns why. */
static uint64_t enter(void)
{
	assist()->vtl_control.rax = gps[vtl2_index][0];
	assist()->vtl_control.rcx = gps[vtl2_index][1];
	vtl_return(gps[vtl2_index], hypercall_page + return_offset, 0);
	gps[vtl2_index][0] = assist()->vtl_control.rax;
	gps[vtl2_index][1] = assist()->vtl_control.rcx;
	return assist()->vtl_control.entry_reason;
}

static void start_guest(const void *code)
{
	struct hv_register_assoc all[GUEST_REGISTERS];
	uint32_t done, count;

	count = guest_long_mode(all, code, (uint64_t)guest_stack + PAGE);
	if (set_registers(HV_VTL_0, all, count, &done) != HV_STATUS_SUCCESS || done != count)
		check(false, "VTL0's registers are set");
}

static void skip(uint32_t bytes)
{
	struct hv_u128 rip;

	get_register(HV_VTL_0, HV_REGISTER_RIP, &rip);
	set_register(HV_VTL_0, HV_REGISTER_RIP, rip.low + bytes, 0);
}

#define MESSAGE(type) ((const struct hv_##type##_message *)assist()->intercept_message.payload)

static void expect_header(struct hv_message *message, uint32_t type, uint8_t length, uint8_t access,
			  uint8_t instruction, uint64_t rip)
{
	struct hv_intercept_header *header = (void *)message->payload;

	memset(message, 0, sizeof(*message));
	message->header.type = type;
	message->header.length = length;
	header->vp_index = vp_index();
	header->instruction_length_and_cr8 = instruction;
	header->intercept_access_type = access;
	header->execution_state = HV_EXECUTION_STATE_CR0_PE | HV_EXECUTION_STATE_EFER_LMA;
	header->cs_segment = (struct hv_segment){0, 0xffffffff, 0x18, 0xa09b};
	header->rip = rip;
	header->rflags = 2;
}

static void test_io(void)
{
	static const uint8_t code[] = {0xe7, 0x80, /* out %eax, $0x80 */
				       0xec,	   /* in (%dx), %al */
				       0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
				       0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
	const struct hv_segment data = {0, 0xffffffff, 0x20, 0xc093};
	struct hv_message expected;
	struct hv_io_message *io = (void *)expected.payload;

	start_guest(code);
	gps[vtl2_index][0] = 0x12345678;
	gps[vtl2_index][1] = 0x1111;
	gps[vtl2_index][6] = 0x6666;
	gps[vtl2_index][7] = 0x7777;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "OUT enters VTL2");
	expect_header(&expected, HV_MESSAGE_IO_PORT_INTERCEPT, sizeof(*io),
		      HV_INTERCEPT_ACCESS_WRITE, 2, (uint64_t)code);
	io->port_number = 0x80;
	io->access_info = 4;
	io->instruction_byte_count = 15;
	memcpy(io->instruction_bytes, code, 15);
	io->rax = 0x12345678;
	io->rcx = 0x1111;
	io->rsi = 0x6666;
	io->rdi = 0x7777;
	io->ds_segment = data;
	io->es_segment = data;
	check_bytes(&assist()->intercept_message, &expected, sizeof(expected),
		    "with a port message");
	skip(2);
	gps[vtl2_index][2] = 0x3f8;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "IN enters VTL2");
	check(MESSAGE(io)->port_number == 0x3f8 && MESSAGE(io)->access_info == 1 &&
		      MESSAGE(io)->header.intercept_access_type == HV_INTERCEPT_ACCESS_READ &&
		      MESSAGE(io)->header.instruction_length_and_cr8 == 1,
	      "with port and size");
}

static void test_shared(void)
{
	/* mov $0x1234, %rbx; inc %r15; movq %rbx, %xmm3; mov %rbx, %cr2; out %al, $1 */
	static const uint8_t code[] = {0x48, 0xc7, 0xc3, 0x34, 0x12, 0,	   0,	 0x49, 0xff, 0xc7,
				       0x66, 0x48, 0x0f, 0x6e, 0xdb, 0x0f, 0x22, 0xd3, 0xe6, 0x01};
	uint64_t xmm3[2] __attribute__((aligned(16))) = {0, 0}, cr2;

	start_guest(code);
	gps[vtl2_index][15] = 41;
	enter();
	asm volatile("movdqa %%xmm3, %0" : "=m"(xmm3));
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	check(gps[vtl2_index][3] == 0x1234 && gps[vtl2_index][15] == 42,
	      "general registers are shared");
	check_equal(xmm3[0], 0x1234, "XMM is shared");
	check_equal(cr2, 0x1234, "CR2 is shared");
}

static void test_cpuid_and_msr(void)
{
	/* cpuid; rdmsr; wrmsr */
	static const uint8_t code[] = {0x0f, 0xa2, 0x0f, 0x32, 0x0f, 0x30};
	uint32_t eax, ebx, ecx, edx;

	start_guest(code);
	gps[vtl2_index][0] = 0x40000000;
	gps[vtl2_index][1] = 0;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "CPUID enters VTL2");
	cpuid(0x40000000, &eax, &ebx, &ecx, &edx);
	check(assist()->intercept_message.header.type == HV_MESSAGE_CPUID_INTERCEPT &&
		      MESSAGE(cpuid)->rax == 0x40000000 &&
		      MESSAGE(cpuid)->default_result_rbx == ebx &&
		      (MESSAGE(cpuid)->header.instruction_length_and_cr8 & 15) == 2,
	      "with the hypervisor's results");
	skip(2);
	gps[vtl2_index][1] = 0x40000080;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "RDMSR enters VTL2");
	check(assist()->intercept_message.header.type == HV_MESSAGE_MSR_INTERCEPT &&
		      MESSAGE(msr)->msr_number == 0x40000080 &&
		      MESSAGE(msr)->header.intercept_access_type == HV_INTERCEPT_ACCESS_READ,
	      "with the number");
	skip(2);
	gps[vtl2_index][0] = 5;
	gps[vtl2_index][2] = 6;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "WRMSR enters VTL2");
	check(MESSAGE(msr)->rax == 5 && MESSAGE(msr)->rdx == 6 &&
		      MESSAGE(msr)->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE,
	      "with the value");
}

static void test_memory(void)
{
	static const uint8_t code[] = {0x88, 0x07, 0x90}; /* mov %al, (%rdi) */

	start_guest(code);
	gps[vtl2_index][7] = 0xfee00300; /* the APIC's page is not VTL0's */
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "an unmapped GPA enters VTL2");
	check(assist()->intercept_message.header.type == HV_MESSAGE_UNMAPPED_GPA &&
		      MESSAGE(memory)->guest_physical_address == 0xfee00300 &&
		      MESSAGE(memory)->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE &&
		      MESSAGE(memory)->instruction_bytes[0] == 0x88,
	      "with address and instruction");
	start_guest(code);
	gps[vtl2_index][7] = 0x10000000;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "the hypervisor's memory is not mapped");
	start_guest((void *)0x10000000);
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "nor can it be executed");
	check(MESSAGE(memory)->header.intercept_access_type == HV_INTERCEPT_ACCESS_EXECUTE &&
		      MESSAGE(memory)->guest_virtual_address == 0x10000000 &&
		      MESSAGE(memory)->memory_access_info == 3,
	      "which the message says");
}

static void test_triple_fault(void)
{
	static const uint8_t code[] = {0x0f, 0x0b}; /* ud2 */

	start_guest(code);
	set_register(HV_VTL_0, HV_REGISTER_IDTR, 0, 0);
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "a triple fault enters VTL2");
	check_equal(assist()->intercept_message.header.type, HV_MESSAGE_UNRECOVERABLE_EXCEPTION,
		    "with its message");
}

static void test_calls(void)
{
	static const uint8_t code[] = {0x0f, 0x01, 0xd9, 0x0f,
				       0x01, 0xd9, 0xf4}; /* vmmcall twice */

	start_guest(code);
	gps[vtl2_index][1] = HV_CALL_VTL_CALL;
	check_equal(enter(), HV_ENTRY_REASON_VTL_CALL, "a VTL call enters VTL2");
	gps[vtl2_index][1] = 0x5c;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "another hypercall enters VTL2");
	check(assist()->intercept_message.header.type == HV_MESSAGE_HYPERCALL_INTERCEPT &&
		      MESSAGE(hypercall)->rcx == 0x5c,
	      "with its message");
}

static void test_real_mode(void)
{
	static const uint8_t code[] = {0xb0, 0x5a, 0xe6, 0x99}; /* mov $0x5a, %al; out %al, $0x99 */
	struct hv_register_assoc all[GUEST_REGISTERS];
	uint32_t done, count = guest_real_mode(all, 0x2000);

	memcpy((void *)0x20000, code, sizeof(code));
	check_equal(set_registers(HV_VTL_0, all, count, &done), 0, "real mode is set up");
	check_equal(done, count, "in one call");
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "OUT in real mode enters VTL2");
	check(MESSAGE(io)->port_number == 0x99 && (uint8_t)MESSAGE(io)->rax == 0x5a &&
		      MESSAGE(io)->header.execution_state == 0 &&
		      MESSAGE(io)->header.cs_segment.base == 0x20000 &&
		      MESSAGE(io)->header.rip == 2,
	      "as such");
}

/* Who waits for a guest that does nothing: an IPI of another VP ends it. */
static void test_interrupt_entry(void)
{
	static const uint8_t spin[] = {0xeb, 0xfe}, halt[] = {0xf4, 0xe6, 0x07};
	uint32_t before = load(&interrupts[KICK]);
	struct hv_u128 value;

	start_guest(spin);
	x2apic_send(x2apic_id(), FIXED | KICK);
	check_equal(enter(), HV_ENTRY_REASON_INTERRUPT, "a pending interrupt enters VTL2");
	check_equal(load(&interrupts[KICK]), before, "and is not taken yet");
	check_equal(enter(), HV_ENTRY_REASON_INTERRUPT, "as long as it is not taken, again");
	interrupt_window();
	check_equal(load(&interrupts[KICK]), before + 1, "then it is taken, once");
	start_guest(halt);
	x2apic_send(x2apic_id(), FIXED | KICK);
	enter();
	interrupt_window();
	store(&expect_fault, 0);
	check_equal(get_register(HV_VTL_0, HV_REGISTER_INTERNAL_ACTIVITY_STATE, &value), 0,
		    "the activity state can be read");
}

/* The last that VP 1 does before VTL0 runs; until then an interrupt would find it in VTL2. */
static uint32_t about_to_halt;

static uint64_t run_halted(uint64_t unused)
{
	static const uint8_t halt[] = {0xf4, 0xe6, 0x07}; /* hlt; out %al, $7 */
	uint64_t reason;

	(void)unused;
	wrmsr(MSR_VP_ASSIST_PAGE, (uint64_t)&rooms[1] | 1);
	vtl2_index = 1;
	start_guest(halt);
	store(&about_to_halt, 1);
	reason = enter();
	interrupt_window();
	return reason;
}

static uint64_t halted_state(uint64_t unused)
{
	struct hv_u128 value = {0, 0};

	(void)unused;
	get_register(HV_VTL_0, HV_REGISTER_INTERNAL_ACTIVITY_STATE, &value);
	return value.low;
}

static uint64_t wake_guest(uint64_t unused)
{
	struct hv_u128 rip;

	(void)unused;
	get_register(HV_VTL_0, HV_REGISTER_RIP, &rip);
	set_register(HV_VTL_0, HV_REGISTER_RIP, rip.low, 0);
	return enter();
}

static void test_halt(void)
{
	uint32_t id = apic_of_vp(1);
	uint64_t end;

	store(&about_to_halt, 0);
	vp_begin(1, run_halted, 0);
	check(wait_until(load(&about_to_halt)), "a VP is about to halt in VTL0");
	end = now() + SECOND / 5;
	while (now() < end)
		asm volatile("pause");
	x2apic_send(id, FIXED | KICK);
	check_equal(vp_done(1), HV_ENTRY_REASON_INTERRUPT, "HLT is no intercept, an IPI ends it");
	check_equal(vp_call(1, halted_state, 0), HV_ACTIVITY_HALT_SUSPEND, "VTL0 is halted");
	check_equal(vp_call(1, wake_guest, 0), HV_ENTRY_REASON_INTERCEPT, "a new RIP wakes it");
	vtl2_index = 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void test_deliverability(void)
{
	/* sti; nop; nop; out %al, $3 */
	static const uint8_t code[] = {0xfb, 0x90, 0x90, 0xe6, 0x03};

	start_guest(code);
	check_equal(set_register(HV_VTL_0, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS,
				 HV_DELIVERABILITY_INTERRUPT, 0),
		    0, "a notification is asked for");
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "STI opens the window");
	check(assist()->intercept_message.header.type == HV_MESSAGE_INTERRUPTION_DELIVERABLE &&
		      MESSAGE(interruption_deliverable)->header.rip == (uint64_t)code + 2,
	      "with its message, one instruction later");
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "then VTL0 goes on");
	check_equal(MESSAGE(io)->port_number, 3, "to its end");
}

static void test_injection(void)
{
	static const uint8_t code[] = {0x90, 0x90}, handler[] = {0xe6, 0x0e}; /* out %al, $14 */
	static uint64_t table[2 * 32] __attribute__((aligned(16)));
	uint64_t at = (uint64_t)handler, cr2;

	table[28] = (at & 0xffff) | 0x18 << 16 | 0x8e00ull << 32 | (at >> 16 & 0xffff) << 48;
	table[29] = at >> 32;
	start_guest(code);
	set_register(HV_VTL_0, HV_REGISTER_GDTR, 39ull << 48, (uint64_t)guest_stack);
	set_register(HV_VTL_0, HV_REGISTER_IDTR, (uint64_t)(sizeof(table) - 1) << 48,
		     (uint64_t)table);
	memcpy(guest_stack, (uint64_t[]){0, 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff}, 40);
	check_equal(set_register(HV_VTL_0, HV_REGISTER_PENDING_EVENT0,
				 HV_EVENT_PENDING | HV_EVENT_EXCEPTION_ERROR_CODE_VALID |
					 14ull << HV_EVENT_EXCEPTION_VECTOR_SHIFT |
					 2ull << HV_EVENT_EXCEPTION_ERROR_CODE_SHIFT,
				 0xabc000),
		    0, "a page fault is made pending");
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "its handler runs");
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	check(MESSAGE(io)->port_number == 14 && cr2 == 0xabc000, "with CR2");
	check_equal(*(uint64_t *)(guest_stack + PAGE - 48), 2, "and the error code on the stack");
	check_equal(set_register(HV_VTL_0, HV_REGISTER_PENDING_EVENT0,
				 HV_EVENT_PENDING | HV_EVENT_TYPE_SHADOW_IPT << HV_EVENT_TYPE_SHIFT,
				 0),
		    HV_STATUS_INVALID_REGISTER_VALUE, "an event of another type is refused");
}

static void test_exceptions(void)
{
	static const uint8_t code[] = {0x0f, 0x0b}; /* ud2 */
	struct {
		uint64_t partition;
		uint32_t access, type;
		uint64_t vector;
	} *input = hypercall_input();

	input->partition = HV_PARTITION_ID_SELF;
	input->access = 4;
	input->type = 3;
	input->vector = 6;
	check_equal((uint16_t)hypercall(HV_CALL_INSTALL_INTERCEPT), 0, "#UD is to be intercepted");
	start_guest(code);
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "it enters VTL2");
	check(assist()->intercept_message.header.type == HV_MESSAGE_EXCEPTION_INTERCEPT &&
		      MESSAGE(exception)->vector == 6 &&
		      MESSAGE(exception)->rsp == (uint64_t)guest_stack + PAGE,
	      "with its message");
}

/* ---- register page, translation -------------------------------------------------------------- */

static void test_register_page(void)
{
	static const uint8_t code[] = {0xe6, 0x01, 0xe6, 0x02, 0xe6, 0x03}; /* out, out, out */
	struct hv_register_page *page = &register_pages[0];

	memset(page, 0xee, sizeof(*page));
	check_equal(set_register(HV_VTL_CURRENT, HV_REGISTER_REGISTER_PAGE, (uint64_t)page | 1, 0),
		    0, "the register page is mapped");
	check_equal(page->is_valid, 0, "and empty");
	start_guest(code);
	enter();
	check(page->is_valid == 1 && page->version == 1 && page->vtl == 0 && page->dirty == 0 &&
		      page->rip == (uint64_t)code && page->cr3 == (uint64_t)pml4 &&
		      page->efer == 0xd00 && page->segment[1].selector == 0x18 &&
		      page->gp_registers[4] == (uint64_t)guest_stack + PAGE,
	      "it is filled when VTL2 is entered");
	page->rip = (uint64_t)code + 4;
	page->gp_registers[4] = (uint64_t)guest_stack + 256;
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP | HV_REGISTER_PAGE_DIRTY_GP;
	enter();
	check(MESSAGE(io)->port_number == 3 && page->gp_registers[4] == (uint64_t)guest_stack + 256,
	      "its dirty fields are taken at the VTL return");
	page->rflags = 0;
	page->dirty = HV_REGISTER_PAGE_DIRTY_FLAGS;
	check_equal(enter(), HV_ENTRY_REASON_INTERCEPT, "a bad one");
	check_equal(assist()->intercept_message.header.type, HV_MESSAGE_INVALID_VP_REGISTER_VALUE,
		    "is told");
	check_equal(set_register(HV_VTL_CURRENT, HV_REGISTER_REGISTER_PAGE, 0, 0), 0,
		    "the register page is unmapped");
}

static const struct hv_translate_output *translate(uint64_t flags, uint64_t gva)
{
	struct hv_translate_input *input = hypercall_input();

	*input = (struct hv_translate_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.control_flags = flags | (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT,
		.gva_page = gva >> 12};
	if ((uint16_t)hypercall(HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX) != HV_STATUS_SUCCESS)
		return NULL;
	return hypercall_output();
}

static void test_translate(void)
{
	static const uint8_t code[] = {0xf4};
	const struct hv_translate_output *out;

	start_guest(code);
	out = translate(HV_TRANSLATE_VALIDATE_READ, 0x123456);
	check(out && (uint32_t)out->result == 0 && out->gpa_page == 0x123 &&
		      (out->result & HV_TRANSLATE_CACHE_TYPE_MASK) >>
				      HV_TRANSLATE_CACHE_TYPE_SHIFT ==
			      HV_CACHE_TYPE_WRITE_BACK,
	      "an address is translated");
	out = translate(HV_TRANSLATE_VALIDATE_READ, 0x400000000000);
	check(out && (uint32_t)out->result == HV_TRANSLATE_PAGE_NOT_PRESENT &&
		      out->event[0].high == 0x400000000000,
	      "one that is not present is a page fault to inject");
	out = translate(HV_TRANSLATE_VALIDATE_READ, 0x10000000);
	check(out && (uint32_t)out->result == HV_TRANSLATE_GPA_UNMAPPED, "unmapped memory");
	check(!translate(1ull << 20, 0), "reserved flags are refused");
}

/* ---- violations of VTL return ---------------------------------------------------------------- */

static void test_bad_return(void)
{
	static const uint8_t code[] = {0xe6, 0x01}; /* out %al, $1 */
	uint32_t before = (uint32_t)violations();

	start_guest(code);
	assist()->vtl_return_actions[3] = 1;
	enter();
	assist()->vtl_return_actions[3] = 0;
	check_equal(violations() - before, 1, "return actions are a violation");
	control(CONTROL_FORGIVE, 0);
}

/* ---- starting anew --------------------------------------------------------------------------- */

static uint64_t retire(uint64_t unused)
{
	(void)unused;
	wrmsr(MSR_VP_ASSIST_PAGE, 0);
	wrmsr(0x80f, 0xff);
	return 1;
}

static void test_restart(void)
{
	check_equal(vp_call(1, retire, 0), 1, "VP 1 retires");
	vp_forget(1);
	check_equal(vp_enable(1), HV_STATUS_VTL_ALREADY_ENABLED, "VTL2 stays enabled");
	check_equal(vp_start(1), HV_STATUS_SUCCESS, "it can be started anew");
	check(vp_is_alive(1), "and is alive");
}

void payload(void)
{
	test_discovery();
	test_time();
	test_hypercall_page();
	test_strictness();
	test_start();
	test_start_all();
	test_xapic_init();
	test_interrupts();
	test_x2apic_init();
	check(wrmsr_safe(MSR_VP_ASSIST_PAGE, (uint64_t)&rooms[0] | 1), "the VP assist page is on");
	test_io();
	test_shared();
	test_cpuid_and_msr();
	test_memory();
	test_triple_fault();
	test_calls();
	test_real_mode();
	test_interrupt_entry();
	test_halt();
	test_deliverability();
	test_injection();
	test_exceptions();
	test_register_page();
	test_translate();
	test_bad_return();
	test_restart();
}

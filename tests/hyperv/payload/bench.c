// SPDX-License-Identifier: MIT
#include "bench.h"

#define COM1 0x3f8
#define EXIT_PORT 0xf4
#define CONTROL_PORT 0x500
#define GUEST_OS_ID 0x8100000000000001ull /* open source, an OS type of nobody */

#define X2APIC_ID 0x802u
#define X2APIC_EOI 0x80bu
#define X2APIC_SVR 0x80fu
#define X2APIC_ICR 0x830u

void payload_main(const struct start_info *info);
void payload_vp_main(void);
void payload_vp_entry(void);
void payload_interrupt(uint64_t vector, uint64_t error, uint64_t *frame);

static unsigned int cases, failures;
struct archive files;
const struct start_info *start;

/* ---- a C library ----------------------------------------------------------------------------- */

void *memcpy(void *to, const void *from, uint64_t size)
{
	void *result = to;

	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return result;
}

void *memset(void *to, int value, uint64_t size)
{
	void *result = to;

	asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
			return 1;
	return 0;
}

/* ---- TAP ------------------------------------------------------------------------------------- */

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void say_bytes(const void *text, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		outb(COM1, ((const uint8_t *)text)[i]);
}

void say(const char *text)
{
	while (*text)
		outb(COM1, (uint8_t)*text++);
}

static void say_number(uint64_t value)
{
	if (value >= 10)
		say_number(value / 10);
	outb(COM1, (uint8_t)('0' + value % 10));
}

void say_hex(uint64_t value)
{
	say("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift || shift == 0)
			outb(COM1, (uint8_t) "0123456789abcdef"[value >> shift & 15]);
}

void check(bool good, const char *name)
{
	failures += !good;
	say(good ? "ok " : "not ok ");
	say_number(++cases);
	say(" - ");
	say(name);
	say("\n");
}

void check_equal(uint64_t is, uint64_t expected, const char *name)
{
	check(is == expected, name);
	if (is == expected)
		return;
	say("# is ");
	say_hex(is);
	say(", expected ");
	say_hex(expected);
	say("\n");
}

void check_bytes(const void *is, const void *expected, uint64_t size, const char *name)
{
	const uint8_t *a = is, *b = expected;
	uint64_t i = 0;

	while (i < size && a[i] == b[i])
		i++;
	check(i == size, name);
	if (i == size)
		return;
	say("# byte ");
	say_hex(i);
	say(" is ");
	say_hex(a[i]);
	say(", expected ");
	say_hex(b[i]);
	say("\n");
}

_Noreturn void finish(void)
{
	say("# end of the program: ");
	say_number(cases);
	say(" cases, ");
	say_number(failures);
	say(" failed\n");
	outb(EXIT_PORT, failures != 0);
	for (;;)
		asm volatile("cli; hlt");
}

/* ---- the processor --------------------------------------------------------------------------- */

uint32_t interrupts[256];
uint32_t expect_fault;
static uint32_t faults;

static void die(const char *why, uint64_t vector, uint64_t error, const uint64_t *frame)
{
	say("Bail out! ");
	say(why);
	say_hex(vector);
	say(" error ");
	say_hex(error);
	say(" at ");
	say_hex(frame[0]);
	say(" of VP ");
	say_number(vp_index());
	say("\n");
	outb(EXIT_PORT, 1);
}

/* An expected fault is stepped over: RDMSR and WRMSR have two bytes, as UD2 has. */
void payload_interrupt(uint64_t vector, uint64_t error, uint64_t *frame)
{
	if (vector < 32 && vector != 2 && vector == load(&expect_fault)) {
		__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
		frame[0] += 2;
		return;
	}
	if (vector < 32 && vector != 2)
		die("exception ", vector, error, frame);
	__atomic_fetch_add(&interrupts[vector], 1, __ATOMIC_RELAXED);
	if (vector >= 32)
		wrmsr(X2APIC_EOI, 0);
}

uint64_t rdmsr(uint32_t msr)
{
	uint32_t low = 0, high = 0;

	asm volatile("rdmsr" : "+a"(low), "+d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr));
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t before = load(&faults);

	store(&expect_fault, 13);
	*value = rdmsr(msr);
	store(&expect_fault, 0);
	return load(&faults) == before;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t before = load(&faults);

	store(&expect_fault, 13);
	wrmsr(msr, value);
	store(&expect_fault, 0);
	return load(&faults) == before;
}

#define XAPIC 0xfee00000ull

/* By instructions of two bytes, too. */
bool xapic_read_safe(uint32_t offset)
{
	uint32_t before = load(&faults), value;

	store(&expect_fault, 13);
	asm volatile("movl (%%rax), %%eax" : "=a"(value) : "a"(XAPIC + offset) : "memory");
	store(&expect_fault, 0);
	return load(&faults) == before;
}

bool xapic_write_safe(uint32_t offset, uint32_t value)
{
	uint32_t before = load(&faults);

	store(&expect_fault, 13);
	asm volatile("movl %%ecx, (%%rax)" : : "a"(XAPIC + offset), "c"(value) : "memory");
	store(&expect_fault, 0);
	return load(&faults) == before;
}

uint64_t now(void)
{
	return rdmsr(MSR_TIME_REF_COUNT);
}

void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	asm volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx) : "a"(leaf), "c"(0));
}

struct gate {
	uint16_t low, selector, type, middle;
	uint32_t high, zero;
};

static struct gate idt[256];
extern uint8_t gates[];
extern uint8_t payload_gdt[];

static void load_idt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};

	asm volatile("lidt %0" : : "m"(pointer));
}

static void build_idt(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t gate = (uint64_t)(gates + i * 16);

		idt[i] = (struct gate){(uint16_t)gate, 0x18, 0x8e00, (uint16_t)(gate >> 16), 0, 0};
	}
}

/* The firmware left the PIT and the PIC as they were. */
static void mask_pic(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

/* ---- the hypervisor -------------------------------------------------------------------------- */

uint8_t hypercall_page[PAGE] __attribute__((aligned(4096)));
uint16_t call_offset, return_offset;

static struct {
	uint8_t input[PAGE], output[PAGE];
	uint8_t stack[2 * PAGE];
} __attribute__((aligned(4096))) vps[BENCH_MAX_VPS];

uint32_t vp_index(void)
{
	return (uint32_t)rdmsr(MSR_VP_INDEX);
}

uint32_t vp_count(void)
{
	uint32_t eax, ebx, ecx, edx;

	cpuid(0x40000005, &eax, &ebx, &ecx, &edx);
	return eax;
}

void *hypercall_input(void)
{
	return vps[vp_index()].input;
}

void *hypercall_output(void)
{
	return vps[vp_index()].output;
}

uint64_t hypercall_at(uint64_t control, uint64_t input, uint64_t output)
{
	return hypercall_asm(control, input, output, hypercall_page);
}

uint64_t hypercall(uint64_t control)
{
	return hypercall_at(control, (uint64_t)hypercall_input(), (uint64_t)hypercall_output());
}

static uint64_t rep(uint16_t code, uint64_t count)
{
	return code | count << HV_HYPERCALL_REP_COUNT_SHIFT;
}

static void *registers_input(uint8_t vtl)
{
	struct hv_vp_registers_input *input = hypercall_input();

	*input = (struct hv_vp_registers_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.target_vtl = vtl,
	};
	return input + 1;
}

uint16_t get_register(uint8_t vtl, uint32_t name, struct hv_u128 *value)
{
	uint64_t result;

	*(uint32_t *)registers_input(vtl) = name;
	result = hypercall(rep(HV_CALL_GET_VP_REGISTERS, 1));
	if ((uint16_t)result == HV_STATUS_SUCCESS)
		*value = *(struct hv_u128 *)hypercall_output();
	return (uint16_t)result;
}

uint16_t set_registers(uint8_t vtl, const struct hv_register_assoc *all, uint32_t count,
		       uint32_t *done)
{
	uint64_t result;

	memcpy(registers_input(vtl), all, count * sizeof(*all));
	result = hypercall(rep(HV_CALL_SET_VP_REGISTERS, count));
	*done = (uint32_t)((result & HV_HYPERCALL_REPS_COMPLETED_MASK) >>
			   HV_HYPERCALL_REPS_COMPLETED_SHIFT);
	return (uint16_t)result;
}

uint16_t set_register(uint8_t vtl, uint32_t name, uint64_t low, uint64_t high)
{
	struct hv_register_assoc assoc = {.name = name, .value = {low, high}};
	uint32_t done;

	return set_registers(vtl, &assoc, 1, &done);
}

uint32_t vp_of_apic(uint32_t apic_id)
{
	struct hv_vp_index_from_apic_id_input *input = hypercall_input();

	*input = (struct hv_vp_index_from_apic_id_input){.partition_id = HV_PARTITION_ID_SELF,
							 .target_vtl = 2};
	*(uint32_t *)(input + 1) = apic_id;
	if ((uint16_t)hypercall(rep(HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 1)) != HV_STATUS_SUCCESS)
		return 0xffffffff;
	return *(uint32_t *)hypercall_output();
}

uint32_t apic_of_vp(uint32_t vp)
{
	for (uint32_t id = 0; id < 256; id++)
		if (vp_of_apic(id) == vp)
			return id;
	return 0xffffffff;
}

void bench_start(void)
{
	struct hv_u128 offsets = {0, 0};

	wrmsr(MSR_GUEST_OS_ID, GUEST_OS_ID);
	wrmsr(MSR_HYPERCALL, (uint64_t)hypercall_page | 1);
	get_register(HV_VTL_CURRENT, HV_REGISTER_VSM_CODE_PAGE_OFFSETS, &offsets);
	call_offset = offsets.low & HV_VSM_CODE_PAGE_CALL_OFFSET_MASK;
	return_offset = (uint16_t)(offsets.low >> HV_VSM_CODE_PAGE_RETURN_OFFSET_SHIFT);
	set_register(HV_VTL_2, HV_REGISTER_VSM_PARTITION_CONFIG,
		     HV_VSM_PARTITION_CONFIG_INTERCEPT_PAGE |
			     HV_VSM_PARTITION_CONFIG_INTERCEPT_UNRECOVERABLE,
		     0);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

void x2apic_enable(void)
{
	wrmsr(0x1b, rdmsr(0x1b) | HV_APIC_BASE_ENABLE | HV_APIC_BASE_X2APIC);
	wrmsr(X2APIC_SVR, 0x1ff);
}

uint32_t x2apic_id(void)
{
	return (uint32_t)rdmsr(X2APIC_ID);
}

void x2apic_send(uint32_t apic_id, uint32_t command)
{
	wrmsr(X2APIC_ICR, (uint64_t)apic_id << 32 | command);
}

/* ---- VPs of our own -------------------------------------------------------------------------- */

static struct {
	uint64_t (*function)(uint64_t);
	uint64_t argument, result;
	uint32_t alive, busy;
} mailboxes[BENCH_MAX_VPS];

void (*vp_prologue)(void);

void payload_vp_main(void)
{
	uint32_t self = vp_index();

	load_idt();
	if (vp_prologue)
		vp_prologue();
	x2apic_enable();
	store(&mailboxes[self].alive, 1);
	for (;;) {
		while (!load(&mailboxes[self].busy))
			asm volatile("pause");
		mailboxes[self].result = mailboxes[self].function(mailboxes[self].argument);
		store(&mailboxes[self].busy, 0);
	}
}

void vp_begin(uint32_t vp, uint64_t (*function)(uint64_t), uint64_t argument)
{
	mailboxes[vp].function = function;
	mailboxes[vp].argument = argument;
	store(&mailboxes[vp].busy, 1);
}

uint64_t vp_done(uint32_t vp)
{
	if (!wait_until(!load(&mailboxes[vp].busy)))
		return ~0ull;
	return mailboxes[vp].result;
}

uint64_t vp_call(uint32_t vp, uint64_t (*function)(uint64_t), uint64_t argument)
{
	vp_begin(vp, function, argument);
	return vp_done(vp);
}

bool vp_is_alive(uint32_t vp)
{
	return wait_until(load(&mailboxes[vp].alive));
}

void vp_forget(uint32_t vp)
{
	store(&mailboxes[vp].busy, 0);
	store(&mailboxes[vp].alive, 0);
}

void vp_context(uint32_t vp, struct hv_initial_vp_context *c)
{
	const struct hv_segment data = {0, 0xffffffff, 0x20, 0xc093};

	*c = (struct hv_initial_vp_context){
		.rip = (uint64_t)payload_vp_entry,
		.rsp = (uint64_t)(vps[vp].stack + sizeof(vps[vp].stack)),
		.rflags = 2,
		.cs = {0, 0xffffffff, 0x18, 0xa09b},
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {0, 0xffff, 0, 0x8b},
		.gdtr = {.limit = 39, .base = (uint64_t)payload_gdt},
		.idtr = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt},
		.efer = 0xd00,
		.cr0 = 0x80000031,
		.cr3 = (uint64_t)pml4,
		.cr4 = 0x620,
		.pat = 0x0007040600070406ull,
	};
}

static uint16_t start_call(uint16_t code, uint32_t vp)
{
	struct hv_start_vp_input *input = hypercall_input();

	*input = (struct hv_start_vp_input){
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp, .target_vtl = 2};
	vp_context(vp, &input->context);
	return (uint16_t)hypercall(code);
}

uint16_t vp_enable(uint32_t vp)
{
	return start_call(HV_CALL_ENABLE_VP_VTL, vp);
}

uint16_t vp_start(uint32_t vp)
{
	return start_call(HV_CALL_START_VIRTUAL_PROCESSOR, vp);
}

/* ---- the bench ------------------------------------------------------------------------------- */

uint32_t control(uint32_t command, uint32_t argument)
{
	uint32_t value = command | argument << 8;

	asm volatile("outl %0, %w1" : : "a"(value), "Nd"((uint16_t)CONTROL_PORT));
	asm volatile("inl %w1, %0" : "=a"(value) : "Nd"((uint16_t)CONTROL_PORT));
	return value;
}

static const char *find_option(const char *name)
{
	const char *at = (const char *)start->command_line;

	for (; at && *at; at++) {
		uint32_t i = 0;

		while (name[i] && at[i] == name[i])
			i++;
		if (!name[i] && at[i] == '=')
			return at + i + 1;
	}
	return NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
	const char *at = find_option(name);
	uint64_t value = 0;

	if (!at)
		return otherwise;
	while (*at >= '0' && *at <= '9')
		value = value * 10 + (uint64_t)(*at++ - '0');
	return value;
}

void payload_main(const struct start_info *info)
{
	const struct start_module *module = (const void *)info->modules;

	start = info;
	if (info->module_count)
		files = (struct archive){(const uint8_t *)module->base, module->size};
	mask_pic();
	build_idt();
	load_idt();
	payload();
	finish();
}

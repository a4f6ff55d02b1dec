// SPDX-License-Identifier: MIT
/*
 * Every message that an AMD-V guest can cause, in real, 32-bit and 64-bit mode and with prefixes;
 * all 256 bytes are compared, in the command page and in the library's copy.
 */
#include <cpuid.h>
#include <string.h>

#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

static const char *const mode_names[] = {"real mode", "32-bit", "64-bit"};

/* A guest, and what its first instruction is. */
struct instruction {
	enum vmm_mode mode;
	const char *name;
	uint8_t length;
	uint8_t code[16];
};

/* Different in every register, so that none can stand for another. */
static void fill_registers(void)
{
	for (unsigned int i = 0; i < 16; i++)
		vmm.gps[i] = 0x0101010101010101ull * (0xa0 + i);
	vmm.gps[SIDECAR_GP_CR2] = 0;
	for (unsigned int i = 0; i < 16; i++)
		memset(vmm.context->fx_state.xmm[i], (int)(0x30 + i), 16);
}

static void load(const struct instruction *in)
{
	vmm_load(&vmm, in->mode, in->code, sizeof(in->code));
	fill_registers();
}

static void check(const char *what, const struct instruction *in)
{
	tap_check(vmm_runs_into_expected(&vmm), "%s: %s, %s", what, mode_names[in->mode], in->name);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- port I/O -------------------------------------------------------------------------------- */

#define IN HV_INTERCEPT_ACCESS_READ
#define OUT HV_INTERCEPT_ACCESS_WRITE
#define STRING HV_IO_ACCESS_STRING
#define REP (HV_IO_ACCESS_STRING | HV_IO_ACCESS_REP)

#define DX 0x1234u /* the port of the forms that have it in DX */

static const struct io_case {
	struct instruction in;
	uint16_t port;
	uint8_t access;
	uint8_t info;
} io_cases[] = {
	{{VMM_REAL, "out 0x80, al", 2, {0xe6, 0x80}}, 0x80, OUT, 1},
	{{VMM_REAL, "out 0x80, ax", 2, {0xe7, 0x80}}, 0x80, OUT, 2},
	{{VMM_REAL, "out 0x80, eax", 3, {0x66, 0xe7, 0x80}}, 0x80, OUT, 4},
	{{VMM_REAL, "in al, 0x61", 2, {0xe4, 0x61}}, 0x61, IN, 1},
	{{VMM_REAL, "in ax, 0x61", 2, {0xe5, 0x61}}, 0x61, IN, 2},
	{{VMM_REAL, "in eax, 0xff", 3, {0x66, 0xe5, 0xff}}, 0xff, IN, 4},
	{{VMM_REAL, "out dx, al", 1, {0xee}}, DX, OUT, 1},
	{{VMM_REAL, "out dx, ax", 1, {0xef}}, DX, OUT, 2},
	{{VMM_REAL, "out dx, eax", 2, {0x66, 0xef}}, DX, OUT, 4},
	{{VMM_REAL, "in al, dx", 1, {0xec}}, DX, IN, 1},
	{{VMM_REAL, "in ax, dx with a segment prefix", 2, {0x2e, 0xed}}, DX, IN, 2},
	{{VMM_REAL, "in eax, dx with three prefixes", 4, {0x67, 0x26, 0x66, 0xed}}, DX, IN, 4},
	{{VMM_REAL, "outsb", 1, {0x6e}}, DX, OUT, STRING | 1},
	{{VMM_REAL, "outsw", 1, {0x6f}}, DX, OUT, STRING | 2},
	{{VMM_REAL, "outsd", 2, {0x66, 0x6f}}, DX, OUT, STRING | 4},
	{{VMM_REAL, "insb", 1, {0x6c}}, DX, IN, STRING | 1},
	{{VMM_REAL, "insw", 1, {0x6d}}, DX, IN, STRING | 2},
	{{VMM_REAL, "insd", 2, {0x66, 0x6d}}, DX, IN, STRING | 4},
	{{VMM_REAL, "rep outsb", 2, {0xf3, 0x6e}}, DX, OUT, REP | 1},
	{{VMM_REAL, "rep outsw from es", 3, {0x26, 0xf3, 0x6f}}, DX, OUT, REP | 2},
	{{VMM_REAL, "rep insd, 32-bit addresses", 4, {0x67, 0xf3, 0x66, 0x6d}}, DX, IN, REP | 4},
	{{VMM_PROTECTED, "out 0x80, al", 2, {0xe6, 0x80}}, 0x80, OUT, 1},
	{{VMM_PROTECTED, "out dx, eax", 1, {0xef}}, DX, OUT, 4},
	{{VMM_PROTECTED, "out dx, ax", 2, {0x66, 0xef}}, DX, OUT, 2},
	{{VMM_PROTECTED, "in eax, 0x60", 2, {0xe5, 0x60}}, 0x60, IN, 4},
	{{VMM_PROTECTED, "in ax, dx", 2, {0x66, 0xed}}, DX, IN, 2},
	{{VMM_PROTECTED, "rep outsd", 2, {0xf3, 0x6f}}, DX, OUT, REP | 4},
	{{VMM_PROTECTED, "insw", 2, {0x66, 0x6d}}, DX, IN, STRING | 2},
	{{VMM_LONG, "out 0x80, al", 2, {0xe6, 0x80}}, 0x80, OUT, 1},
	{{VMM_LONG, "out dx, eax", 1, {0xef}}, DX, OUT, 4},
	{{VMM_LONG, "out dx, eax with rex", 2, {0x48, 0xef}}, DX, OUT, 4},
	{{VMM_LONG, "out dx, ax", 2, {0x66, 0xef}}, DX, OUT, 2},
	{{VMM_LONG, "in al, dx", 1, {0xec}}, DX, IN, 1},
	{{VMM_LONG, "in ax, 0x61 with two prefixes", 4, {0x66, 0x65, 0xe5, 0x61}}, 0x61, IN, 2},
	{{VMM_LONG, "rep outsb", 2, {0xf3, 0x6e}}, DX, OUT, REP | 1},
	{{VMM_LONG, "rep insd, 32-bit addresses", 3, {0x67, 0xf3, 0x6d}}, DX, IN, REP | 4},
};

static void expect_string(struct hv_io_message *io)
{
	struct hv_u128 ds = vmm_segment(0x11110, 0xffff, 0x1111, 0x93);
	struct hv_u128 es = vmm_segment(0x22220, 0xffff, 0x2222, 0x93);

	vmm_set128(&vmm, HV_REGISTER_DS, ds);
	vmm_set128(&vmm, HV_REGISTER_ES, es);
	memcpy(&io->ds_segment, &ds, sizeof(ds));
	memcpy(&io->es_segment, &es, sizeof(es));
	io->instruction_byte_count = vmm_expect_bytes(&vmm, io->instruction_bytes);
}

static void test_io(void)
{
	for (size_t i = 0; i < COUNT(io_cases); i++) {
		const struct io_case *io = &io_cases[i];
		struct hv_io_message *message = VMM_EXPECTED(&vmm, hv_io_message);

		load(&io->in);
		vmm.gps[SIDECAR_GP_RDX] = 0xffff0000 | DX;
		vmm_expect(&vmm, HV_MESSAGE_IO_PORT_INTERCEPT, 128, io->in.length, io->access);
		message->port_number = io->port;
		message->access_info = io->info;
		message->rax = vmm.gps[SIDECAR_GP_RAX];
		message->rcx = vmm.gps[SIDECAR_GP_RCX];
		message->rsi = vmm.gps[SIDECAR_GP_RSI];
		message->rdi = vmm.gps[SIDECAR_GP_RDI];
		if (io->info & STRING)
			expect_string(message);
		check("I/O", &io->in);
	}
}

/* ---- MSRs ------------------------------------------------------------------------------------ */

static const struct msr_case {
	struct instruction in;
	uint32_t number;
	uint8_t access;
} msr_cases[] = {
	{{VMM_REAL, "rdmsr", 2, {0x0f, 0x32}}, 0x0000008b, IN},
	{{VMM_REAL, "wrmsr", 2, {0x0f, 0x30}}, 0x40000000, OUT},
	{{VMM_REAL, "rdmsr with a prefix", 3, {0x2e, 0x0f, 0x32}}, 0xc0010015, IN},
	{{VMM_PROTECTED, "rdmsr", 2, {0x0f, 0x32}}, 0xc0010117, IN},  /* VM_HSAVE_PA */
	{{VMM_PROTECTED, "wrmsr", 2, {0x0f, 0x30}}, 0xc0010114, OUT}, /* VM_CR */
	{{VMM_LONG, "rdmsr", 2, {0x0f, 0x32}}, 0x00000000, IN},
	{{VMM_LONG, "wrmsr with rex", 3, {0x48, 0x0f, 0x30}}, 0x000001d9, OUT}, /* DEBUGCTL */
	{{VMM_LONG, "wrmsr of the APIC", 2, {0x0f, 0x30}}, 0x00000830, OUT},
	{{VMM_LONG, "rdmsr of the highest number", 2, {0x0f, 0x32}}, 0xffffffff, IN},
	{{VMM_LONG, "wrmsr with four prefixes", 6, {0x3e, 0x67, 0x2e, 0x41, 0x0f, 0x30}},
	 0x00000079,
	 OUT},
};

static void test_msrs(void)
{
	for (size_t i = 0; i < COUNT(msr_cases); i++) {
		const struct msr_case *msr = &msr_cases[i];
		struct hv_msr_message *message = VMM_EXPECTED(&vmm, hv_msr_message);

		load(&msr->in);
		vmm.gps[SIDECAR_GP_RCX] = 0x1234567800000000 | msr->number;
		vmm_expect(&vmm, HV_MESSAGE_MSR_INTERCEPT, 64, msr->in.length, msr->access);
		message->msr_number = msr->number;
		message->rdx = vmm.gps[SIDECAR_GP_RDX];
		message->rax = vmm.gps[SIDECAR_GP_RAX];
		check("MSR", &msr->in);
	}
}

/* ---- CPUID ----------------------------------------------------------------------------------- */

struct words {
	uint32_t eax, ebx, ecx, edx;
};

static struct words host(uint32_t leaf, uint32_t subleaf)
{
	struct words w;

	__cpuid_count(leaf, subleaf, w.eax, w.ebx, w.ecx, w.edx);
	return w;
}

/* Runs a CPUID; everything but the defaults is compared, and those are the result. */
static struct words defaults(const struct instruction *in, uint32_t leaf, uint32_t subleaf)
{
	struct hv_cpuid_message *message = VMM_EXPECTED(&vmm, hv_cpuid_message);
	const struct hv_cpuid_message *got = vmm_payload(&vmm);

	load(in);
	vmm.gps[SIDECAR_GP_RAX] = leaf;
	vmm.gps[SIDECAR_GP_RCX] = subleaf;
	vmm_expect(&vmm, HV_MESSAGE_CPUID_INTERCEPT, 104, in->length, HV_INTERCEPT_ACCESS_EXECUTE);
	message->rax = leaf;
	message->rcx = subleaf;
	message->rdx = vmm.gps[SIDECAR_GP_RDX];
	message->rbx = vmm.gps[SIDECAR_GP_RBX];
	if (!vmm_run(&vmm))
		return (struct words){~0u, ~0u, ~0u, ~0u};
	message->default_result_rax = (uint32_t)got->default_result_rax;
	message->default_result_rcx = (uint32_t)got->default_result_rcx;
	message->default_result_rdx = (uint32_t)got->default_result_rdx;
	message->default_result_rbx = (uint32_t)got->default_result_rbx;
	tap_check(vmm_message_is_expected(&vmm, sidecar_vp_message(vmm.vp)),
		  "CPUID %08x.%u: %s, %s", leaf, subleaf, mode_names[in->mode], in->name);
	return (struct words){(uint32_t)got->default_result_rax, (uint32_t)got->default_result_rbx,
			      (uint32_t)got->default_result_rcx, (uint32_t)got->default_result_rdx};
}

static bool same(struct words a, struct words b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static const struct instruction cpuid16 = {VMM_REAL, "cpuid", 2, {0x0f, 0xa2}};
static const struct instruction cpuid32 = {
	VMM_PROTECTED, "cpuid with a prefix", 3, {0x67, 0x0f, 0xa2}};
static const struct instruction cpuid64 = {
	VMM_LONG, "cpuid with three prefixes", 5, {0x66, 0x2e, 0x48, 0x0f, 0xa2}};

static const struct words nothing;

static void test_cpuid_hidden(void)
{
	static const uint32_t leaves[] = {
		0x5,	    0x6,	0xa,	    0xb,	0xd,	    0x14,	0x40000000,
		0x40000001, 0x8000000a, 0x8000001d, 0x8000001e, 0x8000001f, 0xdeadbeef,
	};

	for (size_t i = 0; i < COUNT(leaves); i++)
		tap_check(same(defaults(&cpuid64, leaves[i], 0), nothing),
			  "CPUID %08x says nothing", leaves[i]);
	tap_check(same(defaults(&cpuid16, 0xd, 1), nothing), "CPUID 0000000d.1 says nothing");
	tap_check(same(defaults(&cpuid16, 7, 1), nothing), "CPUID 00000007.1 says nothing");
}

#define BIT(n) (1u << (n))

static void test_cpuid_features(void)
{
	struct words w = defaults(&cpuid16, 1, 0), of_host = host(1, 0);

	tap_check(!(w.ecx &
		    (BIT(3) | BIT(12) | BIT(21) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29))),
		  "CPUID hides MONITOR, FMA, x2APIC, TSC deadline, XSAVE, AVX and F16C");
	tap_check(w.ecx & BIT(31), "CPUID says that there is a hypervisor");
	tap_equal(w.ebx >> 24, vmm.cpu, "CPUID's APIC ID is the VP's index");
	tap_equal(w.ebx >> 16 & 0xff, 1, "CPUID's package has one processor");
	tap_check(!(w.edx & BIT(28)), "CPUID hides HTT");
	tap_check(!(w.edx & ~of_host.edx) && w.edx & BIT(25) && w.edx & BIT(0),
		  "CPUID has the x87 and SSE of the machine and no more");
	tap_equal(w.eax, of_host.eax, "CPUID's signature is the machine's");
	w = defaults(&cpuid32, 7, 0);
	tap_check(!(w.ebx & (BIT(2) | BIT(4) | BIT(5) | BIT(10) | BIT(11) | BIT(14) | BIT(16))),
		  "CPUID hides SGX, HLE, AVX2, INVPCID, RTM, MPX and AVX-512");
	tap_check(!(w.ecx & (BIT(3) | BIT(16))), "CPUID hides PKU and LA57");
	w = defaults(&cpuid64, 0x80000001, 0);
	tap_check(!(w.ecx & (BIT(2) | BIT(11) | BIT(16) | BIT(23) | BIT(24))),
		  "CPUID hides SVM, XOP, FMA4 and the performance counters");
	tap_check(!(w.edx & BIT(25)) && w.edx & BIT(29), "CPUID hides FFXSR and shows long mode");
}

static void test_cpuid_plain(void)
{
	struct words w = defaults(&cpuid32, 0, 0), of_host = host(0, 0);

	tap_check(w.eax <= 0xd && w.ebx == of_host.ebx && w.ecx == of_host.ecx &&
			  w.edx == of_host.edx,
		  "CPUID's vendor is the machine's");
	w = defaults(&cpuid64, 0x80000000, 0);
	tap_check(w.eax <= 0x80000008, "CPUID's last extended leaf is at most 80000008");
	tap_check(same(defaults(&cpuid16, 0x80000002, 0), host(0x80000002, 0)),
		  "CPUID's name is the machine's");
	w = defaults(&cpuid16, 0x80000008, 0);
	tap_equal(w.eax, host(0x80000008, 0).eax & 0xffff, "CPUID's address widths are");
}

/* ---- HLT and VMMCALL ------------------------------------------------------------------------- */

static const struct instruction hlt_cases[] = {
	{VMM_REAL, "hlt", 1, {0xf4}},
	{VMM_REAL, "hlt with two prefixes", 3, {0x66, 0x36, 0xf4}},
	{VMM_PROTECTED, "hlt", 1, {0xf4}},
	{VMM_LONG, "hlt", 1, {0xf4}},
	{VMM_LONG, "hlt with rex", 2, {0x4f, 0xf4}},
	{VMM_LONG,
	 "hlt of 15 bytes",
	 15,
	 {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
	  0xf4}},
};

static const struct instruction vmmcall_cases[] = {
	{VMM_REAL, "vmmcall", 3, {0x0f, 0x01, 0xd9}},
	{VMM_PROTECTED, "vmmcall", 3, {0x0f, 0x01, 0xd9}},
	{VMM_LONG, "vmmcall", 3, {0x0f, 0x01, 0xd9}},
	{VMM_LONG, "vmmcall with two prefixes", 5, {0x3e, 0x48, 0x0f, 0x01, 0xd9}},
};

static void test_halts(void)
{
	for (size_t i = 0; i < COUNT(hlt_cases); i++) {
		load(&hlt_cases[i]);
		vmm_expect(&vmm, HV_MESSAGE_HALT, 40, hlt_cases[i].length,
			   HV_INTERCEPT_ACCESS_EXECUTE);
		check("halt", &hlt_cases[i]);
	}
}

static void test_hypercalls(void)
{
	for (size_t i = 0; i < COUNT(vmmcall_cases); i++) {
		struct hv_hypercall_message *message = VMM_EXPECTED(&vmm, hv_hypercall_message);

		load(&vmmcall_cases[i]);
		vmm_expect(&vmm, HV_MESSAGE_HYPERCALL_INTERCEPT, 208, vmmcall_cases[i].length,
			   HV_INTERCEPT_ACCESS_EXECUTE);
		message->rax = vmm.gps[SIDECAR_GP_RAX];
		message->rbx = vmm.gps[SIDECAR_GP_RBX];
		message->rcx = vmm.gps[SIDECAR_GP_RCX];
		message->rdx = vmm.gps[SIDECAR_GP_RDX];
		message->r8 = vmm.gps[SIDECAR_GP_R8];
		message->rsi = vmm.gps[SIDECAR_GP_RSI];
		message->rdi = vmm.gps[SIDECAR_GP_RDI];
		memcpy(message->xmm_registers, vmm.context->fx_state.xmm, 96);
		check("hypercall", &vmmcall_cases[i]);
	}
	load(&vmmcall_cases[2]);
	vmm_enter_user_mode(&vmm);
	tap_check(vmm_reaches_handler(&vmm, 6),
		  "a hypercall of the guest's user mode is undefined");
}

/* ---- memory ---------------------------------------------------------------------------------- */

#define FETCH HV_INTERCEPT_ACCESS_EXECUTE

static struct hv_memory_message *expect_memory(uint32_t type, uint64_t gpa, uint8_t access)
{
	struct hv_memory_message *message = VMM_EXPECTED(&vmm, hv_memory_message);

	vmm_expect(&vmm, type, 80, 0, access);
	message->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	message->guest_physical_address = gpa;
	return message;
}

/* Each instruction touches [EBX]. */
static const struct memory_case {
	struct instruction in;
	uint8_t access;
} memory_cases[] = {
	{{VMM_REAL, "mov al, [ebx]", 3, {0x67, 0x8a, 0x03}}, IN},
	{{VMM_REAL, "mov [ebx], eax", 4, {0x66, 0x67, 0x89, 0x03}}, OUT},
	{{VMM_PROTECTED, "mov eax, [ebx]", 2, {0x8b, 0x03}}, IN},
	{{VMM_PROTECTED, "mov byte [ebx], 5", 3, {0xc6, 0x03, 0x05}}, OUT},
	{{VMM_PROTECTED, "fs mov ax, [ebx]", 4, {0x64, 0x66, 0x8b, 0x03}}, IN},
	{{VMM_LONG, "mov rax, [rbx]", 3, {0x48, 0x8b, 0x03}}, IN},
	{{VMM_LONG, "mov [rbx], r9", 3, {0x4c, 0x89, 0x0b}}, OUT},
	{{VMM_LONG, "movaps [rbx], xmm0", 3, {0x0f, 0x29, 0x03}}, OUT},
	{{VMM_LONG, "lock inc dword [rbx]", 3, {0xf0, 0xff, 0x03}}, OUT},
};

static void test_memory_at(uint64_t gpa, uint32_t type, uint8_t access)
{
	for (size_t i = 0; i < COUNT(memory_cases); i++) {
		const struct memory_case *memory = &memory_cases[i];
		struct hv_memory_message *message;

		if (!(access & 1u << memory->access))
			continue;
		load(&memory->in);
		if (memory->in.mode == VMM_REAL) /* a limit that reaches as far */
			vmm_set128(&vmm, HV_REGISTER_DS, vmm_segment(0, 0xffffffff, 0, 0x8093));
		vmm.gps[SIDECAR_GP_RBX] = gpa;
		message = expect_memory(type, gpa, memory->access);
		message->instruction_byte_count =
			vmm_expect_bytes(&vmm, message->instruction_bytes);
		check(type == HV_MESSAGE_UNMAPPED_GPA ? "unmapped GPA" : "GPA intercept",
		      &memory->in);
	}
}

/* To a page that cannot be fetched from; the limit of CS covers it in each mode. */
static void fetch_from(enum vmm_mode mode, uint64_t rip, uint32_t type, const char *name)
{
	struct hv_memory_message *message;

	VMM_LOAD(&vmm, mode, 0x90);
	vmm_set(&vmm, HV_REGISTER_RIP, rip);
	message = expect_memory(type, rip, FETCH);
	message->header.rip = rip;
	message->memory_access_info = HV_MEMORY_ACCESS_GVA_VALID | HV_MEMORY_ACCESS_GVA_GPA_VALID;
	message->guest_virtual_address = rip;
	tap_check(vmm_runs_into_expected(&vmm), "fetch from %s, %s", name, mode_names[mode]);
}

static void test_fetch_real(void)
{
	struct hv_memory_message *message;
	struct hv_u128 cs = vmm_segment(VMM_UNMAPPED, 0xffff, VMM_UNMAPPED >> 4 & 0xffff, 0x9b);

	VMM_LOAD(&vmm, VMM_REAL, 0x90);
	vmm_set128(&vmm, HV_REGISTER_CS, cs);
	message = expect_memory(HV_MESSAGE_UNMAPPED_GPA, VMM_UNMAPPED + VMM_CODE, FETCH);
	memcpy(&message->header.cs_segment, &cs, sizeof(cs));
	message->memory_access_info = 3;
	message->guest_virtual_address = VMM_UNMAPPED + VMM_CODE;
	tap_check(vmm_runs_into_expected(&vmm), "fetch from an unmapped GPA, real mode");
}

/* Two bytes of an instruction at the end of memory. */
static void fetch_across(enum vmm_mode mode)
{
	static const uint8_t begin[] = {0xb8, 0x11};
	const uint64_t rip = VMM_MEMORY_SIZE - sizeof(begin);
	struct hv_memory_message *message;

	VMM_LOAD(&vmm, mode, 0x90);
	memcpy(vmm.memory + rip, begin, sizeof(begin));
	vmm_set(&vmm, HV_REGISTER_RIP, rip);
	message = expect_memory(HV_MESSAGE_UNMAPPED_GPA, VMM_MEMORY_SIZE, FETCH);
	message->header.rip = rip;
	message->memory_access_info = 3;
	message->guest_virtual_address = VMM_MEMORY_SIZE;
	message->instruction_byte_count = sizeof(begin);
	memcpy(message->instruction_bytes, begin, sizeof(begin));
	tap_check(vmm_runs_into_expected(&vmm), "fetch of an instruction whose end is unmapped, %s",
		  mode_names[mode]);
}

/* The guest's own page tables lie where nothing is; the processor would write their bits. */
static void test_unmapped_tables(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x90);
	vmm_set(&vmm, HV_REGISTER_CR3, VMM_UNMAPPED);
	expect_memory(HV_MESSAGE_UNMAPPED_GPA, VMM_UNMAPPED, OUT);
	tap_check(vmm_runs_into_expected(&vmm), "a page table at an unmapped GPA");
}

static void test_memory(void)
{
	test_memory_at(VMM_UNMAPPED + 0x240, HV_MESSAGE_UNMAPPED_GPA, 1u << IN | 1u << OUT);
	test_memory_at(VMM_READ_ONLY + 0x540, HV_MESSAGE_GPA_INTERCEPT, 1u << OUT);
	test_fetch_real();
	fetch_from(VMM_PROTECTED, VMM_UNMAPPED + 5, HV_MESSAGE_UNMAPPED_GPA, "an unmapped GPA");
	fetch_from(VMM_LONG, VMM_UNMAPPED + 5, HV_MESSAGE_UNMAPPED_GPA, "an unmapped GPA");
	fetch_across(VMM_PROTECTED);
	fetch_across(VMM_LONG);
	test_unmapped_tables();
}

/* What is mapped READ and WRITE can be used as such, and the guest goes on after a MAP. */
static void test_mapped_meanwhile(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x48, 0x8b, 0x03, 0xf4); /* mov rax, [rbx]; hlt */
	vmm.gps[SIDECAR_GP_RBX] = VMM_UNMAPPED;
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA,
		  "a read of a page that is not there yet");
	memset(vmm.read_only, 0x5b, SIDECAR_PAGE_SIZE);
	tap_check(sidecar_partition_map(vmm.partition, VMM_UNMAPPED, vmm.read_only,
					SIDECAR_PAGE_SIZE, SIDECAR_MAP_READ) == 0,
		  "the page is mapped");
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT &&
			  vmm.gps[SIDECAR_GP_RAX] == 0x5b5b5b5b5b5b5b5b,
		  "the same instruction reads it now");
	tap_check(sidecar_partition_unmap(vmm.partition, VMM_UNMAPPED, SIDECAR_PAGE_SIZE) == 0,
		  "the page is unmapped");
	vmm_set(&vmm, HV_REGISTER_RIP, VMM_CODE);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA,
		  "and then is gone for the guest, too (R17)");
}

/* ---- the end --------------------------------------------------------------------------------- */

static void test_triple_fault(enum vmm_mode mode)
{
	VMM_LOAD(&vmm, mode, 0x0f, 0x0b);
	vmm_set128(&vmm, HV_REGISTER_IDTR, vmm_table(0, 0));
	vmm_expect(&vmm, HV_MESSAGE_UNRECOVERABLE_EXCEPTION, 40, 0, 0);
	tap_check(vmm_runs_into_expected(&vmm), "triple fault, %s", mode_names[mode]);
	VMM_LOAD(&vmm, mode, 0xf4);
	vmm_expect(&vmm, HV_MESSAGE_HALT, 40, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	tap_check(vmm_runs_into_expected(&vmm), "and a new guest on the same VP, %s",
		  mode_names[mode]);
}

static void expect_invalid(void)
{
	vmm_expect(&vmm, HV_MESSAGE_INVALID_VP_REGISTER_VALUE, 8, 0, 0);
	memset(vmm.expected.payload, 0, sizeof(vmm.expected.payload));
	VMM_EXPECTED(&vmm, hv_invalid_register_message)->vp_index = vmm.cpu;
}

static void test_invalid_registers(void)
{
	static const struct {
		enum vmm_mode mode;
		uint32_t name;
		uint64_t value;
		const char *why;
	} cases[] = {
		{VMM_LONG, HV_REGISTER_CR4, 0x600, "long mode without PAE"},
		{VMM_LONG, HV_REGISTER_RIP, 0x800000000000, "a RIP that is not canonical"},
		{VMM_PROTECTED, HV_REGISTER_RIP, 0x100000000,
		 "a RIP beyond 4 GiB outside long mode"},
		{VMM_REAL, HV_REGISTER_RFLAGS, 0x20002, "virtual-8086 mode without protection"},
		{VMM_LONG, HV_REGISTER_RFLAGS, 0x20002, "virtual-8086 mode in long mode"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		VMM_LOAD(&vmm, cases[i].mode, 0xf4);
		tap_equal(vmm_set(&vmm, cases[i].name, cases[i].value), 0, cases[i].why);
		expect_invalid();
		tap_check(vmm_runs_into_expected(&vmm), "is reported: %s", cases[i].why);
	}
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set128(&vmm, HV_REGISTER_CS, vmm_segment(0, ~0u, VMM_CODE64, 0xe09b));
	expect_invalid();
	tap_check(vmm_runs_into_expected(&vmm), "is reported: CS both 64-bit and 32-bit");
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT,
		  "the VP runs with good registers");
}

/* ---- the common header ----------------------------------------------------------------------- */

static void test_header(void)
{
	struct hv_intercept_header *header;

	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_CR8, 9);
	vmm_set(&vmm, HV_REGISTER_CR0, 0x80040011);
	vmm_set(&vmm, HV_REGISTER_DR7, 0x401);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x200ed7);
	header = vmm_expect(&vmm, HV_MESSAGE_HALT, 40, 0x91, HV_INTERCEPT_ACCESS_EXECUTE);
	header->execution_state |= HV_EXECUTION_STATE_CR0_AM | HV_EXECUTION_STATE_DEBUG_ACTIVE;
	header->rflags = 0x200ed7;
	tap_check(vmm_runs_into_expected(&vmm), "CR8, AM, breakpoints and flags in the header");

	VMM_LOAD(&vmm, VMM_LONG, 0xfb, 0xf4); /* sti; hlt */
	header = vmm_expect(&vmm, HV_MESSAGE_HALT, 40, 1, HV_INTERCEPT_ACCESS_EXECUTE);
	header->execution_state |= HV_EXECUTION_STATE_INTERRUPT_SHADOW;
	header->rip = VMM_CODE + 1;
	header->rflags = 0x202;
	tap_check(vmm_runs_into_expected(&vmm), "the interrupt shadow in the header");
	tap_equal(vmm_get(&vmm, HV_REGISTER_INTERRUPT_STATE), HV_INTERRUPT_STATE_SHADOW,
		  "and in InterruptState");

	VMM_LOAD(&vmm, VMM_LONG, 0xec); /* in al, dx */
	vmm_enter_user_mode(&vmm);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x3002);
	header = vmm_expect(&vmm, HV_MESSAGE_IO_PORT_INTERCEPT, 128, 1, IN);
	header->execution_state |= 3;
	header->cs_segment = (struct hv_segment){0, ~0u, VMM_USER_CODE64 | 3, 0xa0fb};
	header->rflags = 0x3002;
	VMM_EXPECTED(&vmm, hv_io_message)->access_info = 1;
	tap_check(vmm_runs_into_expected(&vmm), "user mode in the header");
}

/* ---- where instructions lie ------------------------------------------------------------------ */

/* 32-bit code in long mode: what is a REX prefix in 64-bit code is an instruction of its own. */
static void test_compatibility_mode(void)
{
	struct hv_intercept_header *header;

	VMM_LOAD(&vmm, VMM_LONG, 0x2e, 0x66, 0x0f, 0xa2);
	vmm_set128(&vmm, HV_REGISTER_CS, vmm_segment(0, ~0u, VMM_CODE32, 0xc09b));
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_CPUID_INTERCEPT,
		  "cpuid in 32-bit code of long mode");
	header = (void *)vmm_payload(&vmm);
	tap_equal(header->instruction_length_and_cr8, 4, "its length");
	tap_equal(header->execution_state, HV_EXECUTION_STATE_CR0_PE | HV_EXECUTION_STATE_EFER_LMA,
		  "its execution state");
	tap_equal(header->cs_segment.attributes, 0xc09b, "its segment");
	VMM_LOAD(&vmm, VMM_LONG, 0x48, 0x0f, 0xa2); /* dec eax; cpuid */
	vmm_set128(&vmm, HV_REGISTER_CS, vmm_segment(0, ~0u, VMM_CODE32, 0xc09b));
	tap_check(vmm_run(&vmm) && header->rip == VMM_CODE + 1 &&
			  header->instruction_length_and_cr8 == 2,
		  "a byte that would be a REX prefix is not part of it");
}

/* Two pages: the bytes are fetched through the guest's tables page by page. */
static void test_page_boundary(enum vmm_mode mode)
{
	static const uint8_t cpuid[] = {0x2e, 0x0f, 0xa2};
	const struct hv_intercept_header *header = vmm_payload(&vmm);

	for (unsigned int first = 1; first < sizeof(cpuid); first++) {
		uint32_t rip = VMM_DATA + SIDECAR_PAGE_SIZE - first;

		VMM_LOAD(&vmm, mode, 0xf4);
		memcpy(vmm.memory + rip, cpuid, sizeof(cpuid));
		vmm_set(&vmm, HV_REGISTER_RIP, rip);
		tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_CPUID_INTERCEPT &&
				  header->rip == rip && header->instruction_length_and_cr8 == 3,
			  "an instruction with %u bytes on one page, the rest on the next, %s",
			  first, mode_names[mode]);
	}
}

/* The tables say where: two neighbours that are not neighbours in memory. */
static void test_scattered_code(void)
{
	const uint64_t table = VMM_SPARE | 7, pages[2] = {0x30000 | 7, 0x40000 | 7};
	const struct hv_intercept_header *header = vmm_payload(&vmm);

	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	memcpy(vmm.memory + VMM_PD + 8, &table, 8); /* GVA 2 MiB and up */
	memcpy(vmm.memory + VMM_SPARE, pages, sizeof(pages));
	memset(vmm.memory + 0x31000, 0xcc, 16); /* what follows in memory is something else */
	vmm.memory[0x30fff] = 0x0f;
	vmm.memory[0x40000] = 0xa2;
	vmm_set(&vmm, HV_REGISTER_RIP, 0x200fff);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_CPUID_INTERCEPT &&
			  header->rip == 0x200fff && header->instruction_length_and_cr8 == 2,
		  "an instruction on two pages that the guest's tables put together");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_io();
	test_msrs();
	test_cpuid_hidden();
	test_cpuid_features();
	test_cpuid_plain();
	test_halts();
	test_hypercalls();
	test_memory();
	test_mapped_meanwhile();
	test_triple_fault(VMM_REAL);
	test_triple_fault(VMM_PROTECTED);
	test_triple_fault(VMM_LONG);
	test_invalid_registers();
	test_header();
	test_compatibility_mode();
	test_page_boundary(VMM_REAL);
	test_page_boundary(VMM_LONG);
	test_scattered_code();
	vmm_close(&vmm);
	return tap_done();
}

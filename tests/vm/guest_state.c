// SPDX-License-Identifier: MIT
/*
 * A VP's registers between guest and VMM: what the guest writes the VMM reads, what the VMM writes
 * the guest has; and the register page.
 */
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- guests made of parts -------------------------------------------------------------------- */

static uint8_t code[1024];
static size_t code_size;

static void emit(const void *bytes, size_t size)
{
	memcpy(code + code_size, bytes, size);
	code_size += size;
}

#define EMIT(...)                                        \
	do {                                             \
		const uint8_t emitted[] = {__VA_ARGS__}; \
		emit(emitted, sizeof(emitted));          \
	} while (0)

static void emit32(uint32_t value)
{
	emit(&value, sizeof(value));
}

/* An instruction of reg and an absolute address: opcode, ModRM, SIB without base, address. */
static void emit_absolute(uint8_t opcode, unsigned int reg, uint32_t address)
{
	EMIT(opcode, (uint8_t)((reg & 7) << 3 | 4), 0x25);
	emit32(address);
}

static void load_emitted(void)
{
	vmm_load(&vmm, VMM_LONG, code, code_size);
	code_size = 0;
}

static bool halts(void)
{
	return vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT;
}

static uint64_t data64(unsigned int offset)
{
	uint64_t value;

	memcpy(&value, vmm.memory + VMM_DATA + offset, sizeof(value));
	return value;
}

static uint64_t pattern(unsigned int i)
{
	return 0x0123456789abcdefull * (2 * i + 3);
}

/* ---- general registers ----------------------------------------------------------------------- */

static void test_guest_writes_gps(void)
{
	bool good = true;

	for (unsigned int i = 0; i < 16; i++) {
		uint64_t value = i == HV_GP_RSP ? 0x4321 : pattern(i);

		EMIT(i < 8 ? 0x48 : 0x49, (uint8_t)(0xb8 + (i & 7)));
		emit(&value, sizeof(value));
	}
	EMIT(0xf4);
	load_emitted();
	tap_check(halts(), "a guest writes its general registers");
	for (unsigned int i = 0; i < 16; i++)
		if (i != HV_GP_RSP)
			good &= vmm.gps[i] == pattern(i) &&
				vmm_get(&vmm, HV_REGISTER_RAX + i) == pattern(i);
	tap_check(good, "the VMM reads them, in the context and by GET");
	tap_equal(vmm_get(&vmm, HV_REGISTER_RSP), 0x4321,
		  "RSP is not in the context but GET has it");
	tap_equal(vmm.gps[SIDECAR_GP_CR2], 0, "its slot is CR2's");
}

static void test_vmm_writes_gps(void)
{
	bool good = true;

	for (unsigned int i = 0; i < 16; i++) {
		EMIT(i < 8 ? 0x48 : 0x4c);
		emit_absolute(0x89, i, VMM_DATA + 8 * i);
	}
	EMIT(0x0f, 0x20, 0xd0); /* mov rax, cr2 */
	EMIT(0x48);
	emit_absolute(0x89, HV_GP_RAX, VMM_DATA + 128);
	EMIT(0xf4);
	load_emitted();
	for (unsigned int i = 0; i < 16; i++)
		vmm.gps[i] = pattern(i + 100);
	vmm_set(&vmm, HV_REGISTER_R15, 0x1515151515151515);
	tap_check(halts(), "a guest stores its general registers");
	for (unsigned int i = 0; i < 15; i++)
		if (i != HV_GP_RSP)
			good &= data64(8 * i) == pattern(i + 100);
	tap_check(good, "they are what the VMM wrote");
	tap_equal(data64(8 * HV_GP_RSP), VMM_STACK, "RSP is SET's");
	tap_equal(data64(8 * HV_GP_R15), 0x1515151515151515, "R15, too");
	tap_equal(data64(128), pattern(104), "CR2 is the context's");
}

static void test_cr2(void)
{
	EMIT(0x0f, 0x22, 0xd0, 0xf4); /* mov cr2, rax; hlt */
	load_emitted();
	vmm.gps[SIDECAR_GP_RAX] = 0x7654321;
	tap_check(halts() && vmm.gps[SIDECAR_GP_CR2] == 0x7654321 &&
			  vmm_get(&vmm, HV_REGISTER_CR2) == 0x7654321,
		  "the VMM reads the CR2 that the guest wrote");
	EMIT(0xa0); /* mov al, [1 << 46]: not mapped by the guest's tables */
	emit32(0);
	emit32(0x4000);
	load_emitted();
	tap_check(vmm_reaches_handler(&vmm, 14) && vmm.gps[SIDECAR_GP_CR2] == 1ull << 46,
		  "and the one of a page fault that was the guest's own");
}

/* ---- x87 and SSE ----------------------------------------------------------------------------- */

static struct hv_fx_state *fx(void)
{
	return &vmm.context->fx_state;
}

static void test_guest_writes_sse(void)
{
	bool good = true;

	for (unsigned int i = 0; i < 256; i++)
		vmm.memory[VMM_DATA + i] = (uint8_t)(i * 7 + 1);
	for (unsigned int i = 0; i < 16; i++) {
		if (i >= 8)
			EMIT(0x44);
		EMIT(0x0f);
		emit_absolute(0x10, i, VMM_DATA + 16 * i); /* movups xmm, [] */
	}
	EMIT(0xf4);
	load_emitted();
	tap_check(halts(), "a guest loads its XMM registers");
	for (unsigned int i = 0; i < 16; i++)
		good &= !memcmp(fx()->xmm[i], vmm.memory + VMM_DATA + 16 * i, 16);
	tap_check(good, "the VMM reads them in the context");
	tap_check(!memcmp(vmm.page->xmm, fx()->xmm, 96), "and the first six in the register page");
}

static void test_guest_writes_x87(void)
{
	static const uint8_t pi[10] = {0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40};
	static const uint8_t one[10] = {0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f};
	const uint16_t control = 0x033e;
	const uint32_t mxcsr = 0x7fa0;

	memcpy(vmm.memory + VMM_DATA, &control, sizeof(control));
	memcpy(vmm.memory + VMM_DATA + 8, &mxcsr, sizeof(mxcsr));
	EMIT(0xdb, 0xe3);		  /* fninit */
	emit_absolute(0xd9, 5, VMM_DATA); /* fldcw */
	EMIT(0xd9, 0xe8, 0xd9, 0xeb);	  /* fld1; fldpi */
	EMIT(0x0f);
	emit_absolute(0xae, 2, VMM_DATA + 8); /* ldmxcsr */
	EMIT(0xf4);
	load_emitted();
	tap_check(halts(), "a guest uses the x87");
	tap_equal(fx()->fcw, control, "the VMM reads its control word");
	tap_equal(fx()->fsw >> 11 & 7, 6, "the top of its stack");
	tap_equal(fx()->ftw, 0xc0, "which registers are in use");
	tap_equal(fx()->mxcsr, mxcsr, "MXCSR");
	tap_check(!memcmp(fx()->st[0], pi, 10) && !memcmp(fx()->st[1], one, 10), "and the numbers");
}

/* The guest's own FXSAVE shows what the VMM wrote. */
static void test_vmm_writes_fx(void)
{
	const struct hv_fx_state *saved = (void *)(vmm.memory + VMM_DATA);
	bool good = true;

	EMIT(0x0f);
	emit_absolute(0xae, 0, VMM_DATA); /* fxsave */
	EMIT(0xf4);
	load_emitted();
	memset(vmm.memory + VMM_DATA, 0, 512);
	fx()->fcw = 0x027f;
	fx()->fsw = 0x2800;
	fx()->ftw = 0x81;
	fx()->mxcsr = 0x1fc0;
	for (unsigned int i = 0; i < 8; i++)
		memset(fx()->st[i], (int)(0x21 + i), 10);
	memset(fx()->xmm, 0x6b, sizeof(fx()->xmm));
	tap_check(halts(), "a guest saves its x87 and SSE state");
	tap_check(saved->fcw == 0x027f && saved->fsw == 0x2800 && saved->ftw == 0x81 &&
			  saved->mxcsr == 0x1fc0,
		  "control and status are the VMM's");
	for (unsigned int i = 0; i < 8; i++)
		for (unsigned int k = 0; k < 10; k++)
			good &= saved->st[i][k] == 0x21 + i;
	tap_check(good, "ST0 to ST7 are");
	tap_check(!memcmp(saved->xmm, fx()->xmm, 256) && saved->xmm[15][15] == 0x6b,
		  "XMM0 to XMM15 are");
}

static void test_fx_by_name(void)
{
	struct hv_u128 value = {0x1111222233334444, 0x5555666677778888};

	EMIT(0x0f);
	emit_absolute(0x11, 5, VMM_DATA); /* movups [], xmm5 */
	EMIT(0xf4);
	load_emitted();
	vmm_set128(&vmm, HV_REGISTER_XMM0 + 5, value);
	tap_check(halts() && data64(0) == value.low && data64(8) == value.high,
		  "the guest has the XMM5 of a SET");
}

/* ---- debug registers ------------------------------------------------------------------------- */

static void test_debug_registers(void)
{
	for (unsigned int i = 0; i < 4; i++) /* mov rax, dr; add rax, 0x1000; mov dr, rax */
		EMIT(0x0f, 0x21, (uint8_t)(0xc0 | i << 3), 0x48, 0x05, 0, 0x10, 0, 0, 0x0f, 0x23,
		     (uint8_t)(0xc0 | i << 3));
	EMIT(0x0f, 0x21, 0xf3); /* mov rbx, dr6 */
	EMIT(0x0f, 0x21, 0xf9); /* mov rcx, dr7 */
	EMIT(0xf4);
	load_emitted();
	for (unsigned int i = 0; i < 4; i++)
		vmm_set(&vmm, HV_REGISTER_DR0 + i, 0x10000 * (i + 1));
	vmm_set(&vmm, HV_REGISTER_DR6, 0xffff4ff0);
	vmm_set(&vmm, HV_REGISTER_DR7, 0x00050400);
	tap_check(halts(), "a guest reads and writes its debug registers");
	for (unsigned int i = 0; i < 4; i++)
		tap_equal(vmm_get(&vmm, HV_REGISTER_DR0 + i), 0x10000 * (i + 1) + 0x1000,
			  "DR0 to DR3 went there and back");
	tap_equal(vmm.gps[SIDECAR_GP_RBX], 0xffff4ff0, "DR6 went there");
	tap_equal(vmm.gps[SIDECAR_GP_RCX], 0x00050400, "DR7 went there");
	EMIT(0x0f, 0x23, 0xf0, 0x0f, 0x23, 0xfb, 0xf4); /* mov dr6, rax; mov dr7, rbx */
	load_emitted();
	vmm.gps[SIDECAR_GP_RAX] = 0xffff0ff0 | 1 << 14;
	vmm.gps[SIDECAR_GP_RBX] = 0x00550400;
	tap_check(halts() && vmm_get(&vmm, HV_REGISTER_DR6) == (0xffff0ff0 | 1 << 14) &&
			  vmm_get(&vmm, HV_REGISTER_DR7) == 0x00550400,
		  "and DR6 and DR7 back");
}

/* ---- MSRs ------------------------------------------------------------------------------------ */

static const struct {
	uint32_t msr, name;
	uint64_t value;
} msrs[] = {
	{0x174, HV_REGISTER_SYSENTER_CS, 0x4321},
	{0x175, HV_REGISTER_SYSENTER_ESP, 0x123456789000},
	{0x176, HV_REGISTER_SYSENTER_EIP, 0xffff876543210000},
	{0x277, HV_REGISTER_PAT, 0x0007040600070106},
	{0x2ff, HV_REGISTER_MTRR_DEF_TYPE, 0xc06},
	{0x200, HV_REGISTER_MTRR_PHYS_BASE0, 0x80000006},
	{0x20f, HV_REGISTER_MTRR_PHYS_MASK0 + 7, 0xffff000800},
	{0x250, HV_REGISTER_MTRR_FIX64K_00000, 0x0606060606060606},
	{0x259, HV_REGISTER_MTRR_FIX16K_A0000, 0x0101010101010101},
	{0x26f, HV_REGISTER_MTRR_FIX4K_F8000, 0x0505050505050505},
	{0xc0000080, HV_REGISTER_EFER, 0x501},
	{0xc0000081, HV_REGISTER_STAR, 0x0123456789abcdef},
	{0xc0000082, HV_REGISTER_LSTAR, 0xffffffff81000000},
	{0xc0000083, HV_REGISTER_CSTAR, 0x7fffffffffff},
	{0xc0000084, HV_REGISTER_SFMASK, 0x47700},
	{0xc0000102, HV_REGISTER_KERNEL_GS_BASE, 0xffff888000000000},
	{0xc0000103, HV_REGISTER_TSC_AUX, 0x1234},
	{0x1b, HV_REGISTER_APIC_BASE, 0xfee00900},
};

static void test_msr(unsigned int i)
{
	uint64_t value = msrs[i].value, read;

	EMIT(0x0f, 0x30, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x32, 0xf4); /* wrmsr; xor; rdmsr; hlt */
	load_emitted();
	vmm.gps[SIDECAR_GP_RCX] = msrs[i].msr;
	vmm.gps[SIDECAR_GP_RAX] = (uint32_t)value;
	vmm.gps[SIDECAR_GP_RDX] = value >> 32;
	if (!tap_check(halts(), "MSR %#x is the guest's own", msrs[i].msr))
		return;
	read = vmm.gps[SIDECAR_GP_RDX] << 32 | vmm.gps[SIDECAR_GP_RAX];
	tap_equal(read, value, "what the guest wrote it reads");
	tap_equal(vmm_get(&vmm, msrs[i].name), value, "and the VMM, too");
	if (vmm_set(&vmm, msrs[i].name, value ^ (i == 10 ? 1 : 0)) != 0)
		tap_check(false, "the VMM can set it");
}

static void test_msrs(void)
{
	for (unsigned int i = 0; i < COUNT(msrs); i++)
		test_msr(i);
	EMIT(0xb9); /* mov ecx, FS_BASE */
	emit32(0xc0000100);
	EMIT(0x0f, 0x30, 0xff, 0xc1, 0x0f, 0x30, 0xf4); /* wrmsr; inc ecx; wrmsr; hlt */
	load_emitted();
	vmm.gps[SIDECAR_GP_RAX] = 0x55550000;
	vmm.gps[SIDECAR_GP_RDX] = 0x7fff;
	tap_check(halts() && vmm_get(&vmm, HV_REGISTER_FS) == 0x7fff55550000 &&
			  vmm_get(&vmm, HV_REGISTER_GS) == 0x7fff55550000 &&
			  vmm.page->segment[HV_SEGMENT_INDEX_FS].base == 0x7fff55550000,
		  "FS and GS have the bases that the guest wrote");
}

/* Numbers beyond those with a name in abi.md, and values that no processor takes, are #GP. */
static void test_msrs_refused(void)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} bad[] = {
		{0x277, 0x0007040600070402},  {0x2ff, 0x2},
		{0x250, 0x0202020202020202},  {0x201, 1},
		{0xc0000080, 0x1500},	      {0xc0000080, 0x2500},
		{0xc0000080, 0x501 & ~0x100}, {0xc0000103, 1ull << 32},
		{0x1b, 0xfee00001},	      {0xfe, 0},
	};

	for (unsigned int i = 0; i < COUNT(bad); i++) {
		EMIT(0x0f, 0x30, 0xf4);
		load_emitted();
		vmm.gps[SIDECAR_GP_RCX] = bad[i].msr;
		vmm.gps[SIDECAR_GP_RAX] = (uint32_t)bad[i].value;
		vmm.gps[SIDECAR_GP_RDX] = bad[i].value >> 32;
		tap_check(vmm_reaches_handler(&vmm, 13) && vmm_pushed_rip(&vmm, true) == VMM_CODE,
			  "wrmsr of %#llx to %#x is #GP", (unsigned long long)bad[i].value,
			  bad[i].msr);
	}
}

/* ---- modes ----------------------------------------------------------------------------------- */

/* The guest's way into long mode, LME first, with an OUT after each step. */
static const uint8_t climbing_guest[] = {
	0xb9, 0x80, 0x00, 0x00, 0xc0,		  /* mov ecx, EFER */
	0x31, 0xd2,				  /* xor edx, edx */
	0xb8, 0x00, 0x01, 0x00, 0x00,		  /* mov eax, LME */
	0x0f, 0x30,				  /* wrmsr */
	0xe6, 0x10,				  /* out 0x10, al */
	0x0f, 0x32,				  /* rdmsr */
	0xe6, 0x11,				  /* out 0x11, al */
	0xb8, 0x20, 0x06, 0x00, 0x00,		  /* mov eax, PAE and SSE */
	0x0f, 0x22, 0xe0,			  /* mov cr4, eax */
	0xe6, 0x12,				  /* out 0x12, al */
	0xb8, 0x00, 0x00, 0x01, 0x00,		  /* mov eax, VMM_PML4 */
	0x0f, 0x22, 0xd8,			  /* mov cr3, eax */
	0xb8, 0x11, 0x00, 0x00, 0x80,		  /* mov eax, PG */
	0x0f, 0x22, 0xc0,			  /* mov cr0, eax */
	0xe6, 0x13,				  /* out 0x13, al */
	0xea, 0x37, 0x10, 0x00, 0x00, 0x18, 0x00, /* ljmp VMM_CODE64:0x1037 */
	0x0f, 0x32,				  /* rdmsr */
	0xe6, 0x14,				  /* out 0x14, al: 64-bit code */
	0xf4,
};

/* Runs to an OUT of this port; EFER is this to the VMM. */
static void climbs(uint16_t port, uint64_t efer, const char *name)
{
	const struct hv_io_message *io = vmm_payload(&vmm);

	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_IO_PORT_INTERCEPT &&
			  io->port_number == port,
		  "%s", name);
	tap_equal(vmm_get(&vmm, HV_REGISTER_EFER), efer, "its EFER by GET");
	tap_equal(vmm.page->efer, efer, "and in the register page");
	vmm_skip_instruction(&vmm);
}

static void test_climb(void)
{
	const struct hv_intercept_header *header = vmm_payload(&vmm);

	vmm_load(&vmm, VMM_PROTECTED, climbing_guest, sizeof(climbing_guest));
	climbs(0x10, 0x100, "a guest sets LME");
	climbs(0x11, 0x100, "and reads EFER");
	tap_equal(vmm.gps[SIDECAR_GP_RAX], 0x100, "which is what it set");
	climbs(0x12, 0x100, "and sets PAE");
	climbs(0x13, 0x500, "and paging: long mode is active");
	tap_equal(header->execution_state & HV_EXECUTION_STATE_EFER_LMA,
		  HV_EXECUTION_STATE_EFER_LMA, "also in the message");
	climbs(0x14, 0x500, "and runs 64-bit code");
	tap_equal(vmm.gps[SIDECAR_GP_RAX], 0x500, "which sees that it is");
	tap_equal(header->cs_segment.attributes & HV_SEGMENT_LONG, HV_SEGMENT_LONG,
		  "in a segment that is 64-bit");
}

static void check_segments(const char *when);

static void test_system_call(void)
{
	const struct hv_intercept_header *header = vmm_payload(&vmm);
	const uint32_t entry = VMM_HANDLERS + 4 * 0x80;

	EMIT(0x0f, 0x05, 0xf4);
	load_emitted();
	vmm_enter_user_mode(&vmm);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_EFER, 0x501);
	vmm_set(&vmm, HV_REGISTER_STAR, (uint64_t)VMM_CODE64 << 32);
	vmm_set(&vmm, HV_REGISTER_LSTAR, entry);
	vmm_set(&vmm, HV_REGISTER_SFMASK, 0x200);
	tap_check(vmm_run(&vmm) && header->rip == entry &&
			  !(header->execution_state & HV_EXECUTION_STATE_CPL_MASK) &&
			  header->cs_segment.selector == VMM_CODE64 && !(header->rflags & 0x200),
		  "SYSCALL goes where the VMM's STAR, LSTAR and SFMASK say");
	tap_check(vmm.gps[SIDECAR_GP_RCX] == VMM_CODE + 2 && vmm.gps[HV_GP_R11] == 0x202,
		  "and leaves its return address and flags");
	check_segments("after SYSCALL");
	EMIT(0x0f, 0x01, 0xf9, 0xf4); /* rdtscp; hlt */
	load_emitted();
	vmm_set(&vmm, HV_REGISTER_TSC_AUX, 0x77665544);
	tap_check(halts() && vmm.gps[SIDECAR_GP_RCX] == 0x77665544, "RDTSCP has the VMM's TSC_AUX");
}

/* ---- the register page ----------------------------------------------------------------------- */

/* With a page that is not valid the library asks the kernel itself. */
static uint64_t get_by_command(uint32_t name)
{
	uint64_t value;

	vmm.page->is_valid = 0;
	value = vmm_get(&vmm, name);
	vmm.page->is_valid = 1;
	return value;
}

static bool command_agrees(uint32_t name, const void *field)
{
	struct hv_u128 value = {~0ull, ~0ull};

	vmm.page->is_valid = 0;
	vmm_get128(&vmm, name, &value);
	vmm.page->is_valid = 1;
	return memcmp(&value, field, sizeof(value)) == 0;
}

static void check_segments(const char *when)
{
	for (unsigned int i = 0; i < 6; i++)
		if (!tap_check(command_agrees(HV_REGISTER_ES + i, &vmm.page->segment[i]),
			       "%s: segment %u in the page is GET's", when, i))
			tap_note("selector %#x attributes %#x", vmm.page->segment[i].selector,
				 vmm.page->segment[i].attributes);
}

static void check_page(const char *when)
{
	const struct hv_register_page *page = vmm.page;
	const struct {
		uint32_t name;
		uint64_t value;
	} fields[] = {
		{HV_REGISTER_RIP, page->rip},
		{HV_REGISTER_RFLAGS, page->rflags},
		{HV_REGISTER_CR0, page->cr0},
		{HV_REGISTER_CR3, page->cr3},
		{HV_REGISTER_CR4, page->cr4},
		{HV_REGISTER_CR8, page->cr8},
		{HV_REGISTER_EFER, page->efer},
		{HV_REGISTER_DR7, page->dr7},
		{HV_REGISTER_PENDING_INTERRUPTION, page->pending_interruption},
		{HV_REGISTER_INTERRUPT_STATE, page->interrupt_state},
	};
	bool good = true;

	tap_check(page->is_valid == 1 && page->version == 1 && page->vtl == 0 && page->dirty == 0,
		  "%s: the page is valid and clean", when);
	for (unsigned int i = 0; i < COUNT(fields); i++)
		good &= tap_equal(fields[i].value, get_by_command(fields[i].name),
				  sidecar_register_name(fields[i].name));
	for (unsigned int i = 0; i < 16; i++)
		good &= page->gp_registers[i] == get_by_command(HV_REGISTER_RAX + i);
	for (unsigned int i = 0; i < 6; i++)
		good &= command_agrees(HV_REGISTER_XMM0 + i, &page->xmm[i]);
	for (unsigned int i = 0; i < sizeof(page->reserved_end); i++)
		good &= page->reserved_end[i] == 0;
	tap_check(good && !page->reserved && !page->instruction_emulation_hints,
		  "%s: all its fields are GET's", when);
	check_segments(when);
}

static void test_page_filled(void)
{
	EMIT(0xf4);
	load_emitted();
	for (unsigned int i = 0; i < 16; i++)
		vmm.gps[i] = pattern(i);
	memset(fx()->xmm, 0x3c, 256);
	vmm_set(&vmm, HV_REGISTER_CR8, 7);
	vmm_set(&vmm, HV_REGISTER_INTERRUPT_STATE, HV_INTERRUPT_STATE_NMI_MASKED);
	tap_check(halts(), "a guest halts in long mode");
	check_page("64-bit");
	EMIT(0xec);
	load_emitted();
	vmm_enter_user_mode(&vmm);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x3202);
	tap_check(vmm_run(&vmm), "a guest stops in user mode");
	check_page("user mode");
	VMM_LOAD(&vmm, VMM_REAL, 0xf4);
	vmm_set128(&vmm, HV_REGISTER_SS, vmm_segment(0x500, 0xffff, 0x50, 0xf3));
	tap_check(halts(), "a guest halts in real mode");
	check_page("real mode");
}

/* Two HLTs: one to have the page filled, one to see what is made of the changes. */
static void fill_page(void)
{
	EMIT(0xf4, 0x90, 0x90, 0x90, 0xf4);
	load_emitted();
	tap_check(halts(), "the page is filled");
}

static void test_page_dirty(void)
{
	struct hv_register_page *page = vmm.page;
	const struct hv_segment fs = {0x123456789000, 0x12345, 0x4b, 0xc0f3};

	fill_page();
	page->rip = VMM_CODE + 4;
	page->rflags = 0x8c7;
	page->gp_registers[HV_GP_RSP] = 0x6660;
	page->gp_registers[HV_GP_RBX] = 0xdead;
	page->segment[HV_SEGMENT_INDEX_FS] = fs;
	memset(page->xmm, 0x99, sizeof(page->xmm));
	page->cr8 = 5;
	page->dr7 = 0x455;
	page->cr0 = 0;
	page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	tap_check(halts() && vmm_get(&vmm, HV_REGISTER_RIP) == VMM_CODE + 4,
		  "a dirty RIP is taken");
	tap_equal(vmm_get(&vmm, HV_REGISTER_RFLAGS), 0x8c7, "dirty RFLAGS are");
	tap_equal(vmm_get(&vmm, HV_REGISTER_RSP), 0x6660, "a dirty RSP is");
	tap_equal(vmm.gps[SIDECAR_GP_RBX], 0, "other general registers are the context's");
	tap_check(!memcmp(&page->segment[HV_SEGMENT_INDEX_FS], &fs, 16) &&
			  vmm_get(&vmm, HV_REGISTER_FS) == fs.base,
		  "dirty segments are");
	tap_check(fx()->xmm[0][0] == 0x99 && fx()->xmm[5][15] == 0x99 && fx()->xmm[6][0] == 0,
		  "dirty XMM0 to XMM5 are");
	tap_check(vmm_get(&vmm, HV_REGISTER_CR8) == 0 && vmm_get(&vmm, HV_REGISTER_DR7) == 0x400 &&
			  vmm_get(&vmm, HV_REGISTER_CR0) == 0x80000011,
		  "control registers are not the page's to set");
	check_page("after dirty fields");
}

static void test_page_clean(void)
{
	fill_page();
	vmm.page->rip = VMM_CODE + 4;
	vmm.page->rflags = 0x8c7;
	memset(vmm.page->xmm, 0x99, sizeof(vmm.page->xmm));
	vmm.page->dirty = HV_REGISTER_PAGE_DIRTY_XMM;
	tap_check(halts() && vmm.page->rip == VMM_CODE && vmm.page->rflags == 2,
		  "what is not dirty is not taken, and shown as it is");
	tap_equal(fx()->xmm[3][3], 0x99, "what is dirty is");
	tap_equal(vmm.page->dirty, 0, "and no longer dirty");
}

static void test_page_invalid(void)
{
	fill_page();
	vmm.page->is_valid = 0;
	vmm.page->rip = VMM_CODE + 4;
	vmm.page->rflags = 0x8028;
	vmm.page->dirty = HV_REGISTER_PAGE_DIRTY_ALL;
	tap_check(halts() && vmm_get(&vmm, HV_REGISTER_RIP) == VMM_CODE,
		  "nothing is taken from a page that is not valid");
	check_page("after that");
}

static void refused_page(uint32_t dirty, const char *why)
{
	const struct hv_invalid_register_message *invalid = vmm_payload(&vmm);
	struct hv_u128 es;

	vmm.page->dirty = dirty;
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INVALID_VP_REGISTER_VALUE &&
			  invalid->vp_index == vmm.cpu,
		  "%s is reported", why);
	vmm_get128(&vmm, HV_REGISTER_ES, &es);
	tap_check(vmm_get(&vmm, HV_REGISTER_RIP) == VMM_CODE &&
			  vmm_get(&vmm, HV_REGISTER_RFLAGS) == 2 &&
			  vmm_get(&vmm, HV_REGISTER_RSP) == VMM_STACK && es.low == 0 &&
			  fx()->xmm[0][0] == 0,
		  "%s: nothing of the page is taken", why);
	tap_check(vmm.page->dirty == 0 && vmm.page->rip == VMM_CODE && vmm.page->rflags == 2,
		  "%s: the page shows the registers again", why);
	tap_check(halts(), "%s: and the VP runs", why);
}

static void spoil_page(void)
{
	fill_page();
	vmm.page->rip = VMM_CODE + 4;
	vmm.page->gp_registers[HV_GP_RSP] = 0x6660;
	vmm.page->segment[HV_SEGMENT_INDEX_ES].base = 0x5000;
	memset(vmm.page->xmm, 0x99, sizeof(vmm.page->xmm));
}

static void test_page_refused(void)
{
	spoil_page();
	vmm.page->rflags = 0x8002;
	refused_page(HV_REGISTER_PAGE_DIRTY_ALL, "a reserved bit of RFLAGS");
	spoil_page();
	vmm.page->segment[HV_SEGMENT_INDEX_GS].attributes = 0x0193;
	refused_page(HV_REGISTER_PAGE_DIRTY_ALL, "a reserved attribute");
	spoil_page();
	vmm.page->segment[HV_SEGMENT_INDEX_DS].base = 1ull << 47;
	refused_page(HV_REGISTER_PAGE_DIRTY_ALL, "a base that is not canonical");
	spoil_page();
	refused_page(HV_REGISTER_PAGE_DIRTY_ALL | 0x20, "an unknown dirty bit");
	spoil_page();
	refused_page(0x80000000, "the highest dirty bit");
}

/* What is only wrong together with the rest of the state. */
static void test_page_inconsistent(void)
{
	fill_page();
	vmm.page->rip = 0x800000000000;
	vmm.page->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_INVALID_VP_REGISTER_VALUE,
		  "a dirty RIP that is not canonical is reported");
	tap_equal(vmm_get(&vmm, HV_REGISTER_RIP), 0x800000000000, "and stays, as by SET");
	vmm_set(&vmm, HV_REGISTER_RIP, VMM_CODE);
	tap_check(halts(), "the VP runs with a good one");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_guest_writes_gps();
	test_vmm_writes_gps();
	test_cr2();
	test_guest_writes_sse();
	test_guest_writes_x87();
	test_vmm_writes_fx();
	test_fx_by_name();
	test_debug_registers();
	test_msrs();
	test_msrs_refused();
	test_climb();
	test_system_call();
	test_page_filled();
	test_page_dirty();
	test_page_clean();
	test_page_invalid();
	test_page_refused();
	test_page_inconsistent();
	vmm_close(&vmm);
	return tap_done();
}

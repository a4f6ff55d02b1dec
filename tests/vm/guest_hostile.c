// SPDX-License-Identifier: MIT
/*
 * Guests that mean no good: instructions that are not for them, memory that is not theirs, and
 * loops that must end when the VMM says so.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "tap.h"
#include "vmm.h"

static struct vmm vmm;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- instructions ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t vector;
	uint8_t code[8];
} forbidden[] = {
	{"vmrun", 6, {0x0f, 0x01, 0xd8}},      {"vmload", 6, {0x0f, 0x01, 0xda}},
	{"vmsave", 6, {0x0f, 0x01, 0xdb}},     {"stgi", 6, {0x0f, 0x01, 0xdc}},
	{"clgi", 6, {0x0f, 0x01, 0xdd}},       {"skinit", 6, {0x0f, 0x01, 0xde}},
	{"invlpga", 6, {0x0f, 0x01, 0xdf}},    {"vmcall", 6, {0x0f, 0x01, 0xc1}},
	{"monitor", 6, {0x0f, 0x01, 0xc8}},    {"mwait", 6, {0x0f, 0x01, 0xc9}},
	{"xgetbv", 6, {0x0f, 0x01, 0xd0}},     {"xsetbv", 6, {0x0f, 0x01, 0xd1}},
	{"rdpru", 6, {0x0f, 0x01, 0xfd}},      {"rsm", 6, {0x0f, 0xaa}},
	{"vzeroupper", 6, {0xc5, 0xf8, 0x77}}, {"rdpmc", 13, {0x0f, 0x33}},
};

static void test_forbidden(enum vmm_mode mode, const char *mode_name)
{
	for (size_t i = 0; i < COUNT(forbidden); i++) {
		/* C5 is LDS, and MOV to CR4 below another size, outside 64-bit mode. */
		if (mode != VMM_LONG && forbidden[i].code[0] == 0xc5)
			continue;
		vmm_load(&vmm, mode, forbidden[i].code, sizeof(forbidden[i].code));
		tap_check(vmm_reaches_handler(&vmm, forbidden[i].vector) &&
				  vmm_pushed_rip(&vmm, mode != VMM_REAL && forbidden[i].vector ==
										   13) == VMM_CODE,
			  "%s is exception %u, %s", forbidden[i].name, forbidden[i].vector,
			  mode_name);
	}
}

static void test_harmless(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x08, 0x0f, 0x09, 0x2e, 0x0f, 0x09, 0xf4);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT &&
			  vmm_get(&vmm, HV_REGISTER_RIP) == VMM_CODE + 7,
		  "invd and wbinvd do nothing");
}

/* mov cr, rax and mov dr, rax; QEMU's processor takes any CR0 and CR8. */
static const struct {
	const char *name;
	uint8_t code[3];
	uint64_t value;
} values[] = {
	{"CR4 without PAE in long mode", {0x0f, 0x22, 0xe0}, 0x600},
	{"CR4 with VMXE", {0x0f, 0x22, 0xe0}, 0x2620},
	{"CR4 with OSXSAVE", {0x0f, 0x22, 0xe0}, 0x40620},
	{"CR4 with LA57", {0x0f, 0x22, 0xe0}, 0x1620},
	{"CR4 with a high bit", {0x0f, 0x22, 0xe0}, 1ull << 63 | 0x620},
	{"DR7 with a high bit", {0x0f, 0x23, 0xf8}, 1ull << 32},
	{"DR6 with a high bit", {0x0f, 0x23, 0xf0}, 1ull << 63},
};

static void test_values(void)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		vmm_load(&vmm, VMM_LONG, values[i].code, 3);
		vmm.gps[SIDECAR_GP_RAX] = values[i].value;
		tap_check(vmm_reaches_handler(&vmm, 13) && vmm_pushed_rip(&vmm, true) == VMM_CODE,
			  "%s is #GP", values[i].name);
	}
}

/* What only the guest's kernel may do is no exit when its user mode tries. */
static void test_user_mode(void)
{
	static const struct {
		const char *name;
		uint8_t code[4];
	} privileged[] = {
		{"hlt", {0xf4}},
		{"rdmsr", {0x0f, 0x32}},
		{"wrmsr", {0x0f, 0x30}},
		{"out 0x80, al", {0xe6, 0x80}},
		{"in eax, dx", {0xed}},
		{"rep outsb", {0xf3, 0x6e}},
		{"wbinvd", {0x0f, 0x09}},
		{"mov cr4, rax", {0x0f, 0x22, 0xe0}},
		{"mov rax, dr0", {0x0f, 0x21, 0xc0}},
		{"cli", {0xfa}},
	};

	for (size_t i = 0; i < COUNT(privileged); i++) {
		vmm_load(&vmm, VMM_LONG, privileged[i].code, sizeof(privileged[i].code));
		vmm_enter_user_mode(&vmm);
		vmm.gps[SIDECAR_GP_RSI] = VMM_DATA;
		tap_check(vmm_reaches_handler(&vmm, 13) && vmm_pushed_rip(&vmm, true) == VMM_CODE,
			  "%s of user mode is #GP", privileged[i].name);
	}
}

/* EFER.SVME by WRMSR, and what RDMSR says although the processor has it set. */
static void test_svme(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x30, 0xf4);
	vmm.gps[SIDECAR_GP_RCX] = 0xc0000080;
	vmm.gps[SIDECAR_GP_RAX] = 0x1500;
	tap_check(vmm_reaches_handler(&vmm, 13), "EFER with SVME is #GP");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x32, 0xf4);
	vmm.gps[SIDECAR_GP_RCX] = 0xc0000080;
	tap_check(vmm_run(&vmm) && vmm.gps[SIDECAR_GP_RAX] == 0x500, "EFER is read without it");
}

/* MSRs that steer the processor or the machine, not the guest: the VMM is asked, nothing happens. */
static void test_msrs(void)
{
	static const struct {
		const char *name;
		uint32_t msr;
		uint64_t value;
	} msrs[] = {
		{"DEBUGCTL", 0x1d9, 3},
		{"VM_CR", 0xc0010114, 0x10},
		{"IGNNE", 0xc0010115, 1},
		{"SMM_CTL", 0xc0010116, 1},
		{"VM_HSAVE_PA", 0xc0010117, 0x1000},
		{"SYSCFG", 0xc0010010, 1u << 19},
		{"HWCR", 0xc0010015, 1},
		{"TOP_MEM", 0xc001001a, 0x1000000},
		{"the x2APIC's ICR", 0x830, 0x000c0600},
		{"the x2APIC's EOI", 0x80b, 0},
		{"the x2APIC's SVR", 0x80f, 0xff},
		{"MCG_STATUS", 0x17a, 4},
		{"PRED_CMD", 0x49, 1},
		{"a performance counter", 0xc0010000, 0x430076},
	};
	const struct hv_msr_message *message = vmm_payload(&vmm);

	for (size_t i = 0; i < COUNT(msrs); i++) {
		VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x30, 0xf4);
		vmm.gps[SIDECAR_GP_RCX] = msrs[i].msr;
		vmm.gps[SIDECAR_GP_RAX] = msrs[i].value;
		vmm.gps[SIDECAR_GP_RDX] = 0;
		tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_MSR_INTERCEPT &&
				  message->msr_number == msrs[i].msr &&
				  message->rax == msrs[i].value &&
				  message->header.rip == VMM_CODE,
			  "wrmsr of %s is told to the VMM", msrs[i].name);
	}
}

/* Ports that make a machine enter SMM, reset or show its devices. */
static void test_ports(void)
{
	static const uint16_t ports[] = {0xb2, 0xb3, 0x92, 0x64, 0x60, 0xcf8, 0xcf9, 0xcfc, 0x20,
					 0x70, 0x3f8, 0x510, 0x604, 0xb004, 0xffff};
	const struct hv_io_message *io = vmm_payload(&vmm);

	for (size_t i = 0; i < COUNT(ports); i++) {
		VMM_LOAD(&vmm, VMM_LONG, 0xee, 0xf4); /* out dx, al */
		vmm.gps[SIDECAR_GP_RDX] = ports[i];
		vmm.gps[SIDECAR_GP_RAX] = 0xfe;
		tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_IO_PORT_INTERCEPT &&
				  io->port_number == ports[i] && io->rax == 0xfe,
			  "out to port %#x is told to the VMM", ports[i]);
	}
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The machine's own devices and memory at the same addresses are not the guest's. */
static void test_machine(void)
{
	static const uint64_t gpas[] = {0xfee00000, 0xfee000b0, 0xfee00300, 0xfec00000, 0xb8000,
					0x1000000,  0x100000,	0x3fffffff, 0xfffffff0};
	const struct hv_memory_message *memory = vmm_payload(&vmm);

	for (size_t i = 0; i < COUNT(gpas); i++) {
		uint64_t entry = (gpas[i] & ~0x1fffffull) | 0x87;

		VMM_LOAD(&vmm, VMM_LONG, 0x88, 0x03, 0xf4); /* mov [rbx], al */
		memcpy(vmm.memory + VMM_PD + 8 * 511, &entry, 8);
		vmm.gps[SIDECAR_GP_RBX] = 0x3fe00000 | (gpas[i] & 0x1fffff);
		if (!vmm_run(&vmm))
			continue;
		if (gpas[i] < VMM_MEMORY_SIZE) {
			tap_check(vmm_message_type(&vmm) == HV_MESSAGE_HALT,
				  "the guest's memory is its own at %#llx",
				  (unsigned long long)gpas[i]);
			continue;
		}
		tap_check(vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA &&
				  memory->guest_physical_address == gpas[i] &&
				  memory->header.intercept_access_type == HV_INTERCEPT_ACCESS_WRITE,
			  "a write to %#llx is told to the VMM", (unsigned long long)gpas[i]);
	}
}

static bool is_own(uint64_t gpa)
{
	return gpa < VMM_MEMORY_SIZE ||
	       (gpa >= VMM_READ_ONLY && gpa < VMM_NO_EXECUTE + SIDECAR_PAGE_SIZE);
}

/* The 1 GiB around it mapped where the guest looks; its code and tables stay in the first. */
static void look_at(uint64_t gpa)
{
	uint64_t entry = (gpa & ~0x1fffffull) | 0x87;

	memcpy(vmm.memory + VMM_PD + 8 * 511, &entry, 8);
	vmm.gps[SIDECAR_GP_RBX] = 0x3fe00000 | (gpa & 0x1fffff);
}

static bool is_told(uint64_t gpa, uint8_t access)
{
	const struct hv_memory_message *memory = vmm_payload(&vmm);

	if (vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA &&
	    memory->guest_physical_address == gpa && memory->header.intercept_access_type == access)
		return true;
	tap_note("GPA %#llx: message %#x of %#llx, access %u", (unsigned long long)gpa,
		 vmm_message_type(&vmm), (unsigned long long)memory->guest_physical_address,
		 memory->header.intercept_access_type);
	return false;
}

/* Nothing of what is there comes to the guest, and nothing of the guest's goes there. */
static bool read_is_told(uint64_t gpa)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x48, 0x8b, 0x03, 0xf4); /* mov rax, [rbx] */
	look_at(gpa);
	vmm.gps[SIDECAR_GP_RAX] = 0x5a5a;
	return is_told(gpa, HV_INTERCEPT_ACCESS_READ) && vmm.gps[SIDECAR_GP_RAX] == 0x5a5a;
}

static bool fetch_is_told(uint64_t gpa)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xff, 0xe3); /* jmp rbx */
	look_at(gpa);
	return is_told(gpa, HV_INTERCEPT_ACCESS_EXECUTE);
}

static bool write_is_told(uint64_t gpa)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xf0, 0x48, 0x01, 0x03, 0xf4); /* lock add [rbx], rax */
	look_at(gpa);
	return is_told(gpa, HV_INTERCEPT_ACCESS_WRITE);
}

/* A page in every 2 MiB of what the machine has, and beyond. */
static void test_all_memory(void)
{
	unsigned int wrong = 0, tried = 0;

	for (uint64_t gpa = 0; gpa < 1ull << 30; gpa += 0x201000, tried++) {
		if (!is_own(gpa))
			wrong += !read_is_told(gpa);
	}
	for (unsigned int bit = 30; bit < 40; bit++, tried += 3)
		wrong += !read_is_told(1ull << bit) + !write_is_told((1ull << bit) + 0x1000) +
			 !fetch_is_told((1ull << bit) + 0x2000);
	tap_check(wrong == 0, "%u pages of the machine's are not the guest's", tried);
}

static void test_apic(void)
{
	tap_check(read_is_told(0xfee00020), "a read of the APIC's page is told to the VMM");
	tap_check(write_is_told(0xfee00300), "so is a locked write of its ICR");
	tap_check(fetch_is_told(0xfee00000), "and a jump there");
}

/* Its tables are where it has no memory: the walk is told, not done in the machine's. */
static void test_tables_elsewhere(void)
{
	const struct hv_memory_message *memory = vmm_payload(&vmm);

	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x22, 0xd8, 0xf4); /* mov cr3, rax */
	vmm.gps[SIDECAR_GP_RAX] = 0x1000000;
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNMAPPED_GPA &&
			  (memory->guest_physical_address & ~0xfffull) == 0x1000000,
		  "page tables in the machine's memory are told to the VMM");
}

/* ---- loops ----------------------------------------------------------------------------------- */

static pthread_barrier_t begun;

static void *cancel(void *unused)
{
	pthread_barrier_wait(&begun);
	nanosleep(&(struct timespec){0, 30000000}, NULL);
	sidecar_vp_cancel(vmm.vp);
	return unused;
}

/* The loop that is loaded runs until its deadline, and again until another thread cancels it. */
static void endless(const char *name)
{
	struct sidecar_event event = {0};
	int error;

	tap_check(vmm_still_runs(&vmm, 60), "%s: goes on, and ends at its deadline", name);
	sidecar_vp_cancel(vmm.vp);
	error = sidecar_vp_run(vmm.vp, SIDECAR_NO_DEADLINE, &event);
	tap_check(error == 0 && event.kind == SIDECAR_EVENT_CANCELLED, "%s: can be cancelled",
		  name);
	tap_check(sidecar_vp_test(vmm.vp) == 0, "%s: the CPU answers", name);
}

/* The handlers of these vectors only return. */
static void return_from(const uint8_t *vectors, size_t count)
{
	static const uint8_t iretq[] = {0x48, 0xcf};

	for (size_t i = 0; i < count; i++)
		memcpy(vmm.memory + VMM_HANDLERS + 4 * vectors[i], iretq, 2);
}

#define RETURN_FROM(...)                                        \
	do {                                                    \
		static const uint8_t vectors[] = {__VA_ARGS__}; \
		return_from(vectors, sizeof(vectors));          \
	} while (0)

static void test_plain_loops(void)
{
	VMM_LOAD(&vmm, VMM_REAL, 0xeb, 0xfe);
	endless("jmp $ in real mode");
	VMM_LOAD(&vmm, VMM_LONG, 0xfa, 0xeb, 0xfe);
	endless("cli; jmp $");
	VMM_LOAD(&vmm, VMM_LONG, 0xfb, 0xf3, 0x90, 0xeb, 0xfc);
	endless("sti; pause in a loop");
	VMM_LOAD(&vmm, VMM_LONG, 0xb9, 0, 2, 0, 0, 0xbf, 0, 0x30, 0, 0, 0xf3, 0xaa, 0xeb, 0xf2);
	endless("a loop of string stores");
}

/* Each turn is an exit that the kernel resolves without the VMM. */
static void test_internal_exits(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x32, 0xeb, 0xfc);
	vmm.gps[SIDECAR_GP_RCX] = 0xc0000080;
	endless("rdmsr of EFER in a loop");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x09, 0xeb, 0xfc);
	endless("wbinvd in a loop");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x20, 0xe0, 0x0f, 0x22, 0xe0, 0xeb, 0xf8);
	endless("mov cr4 in a loop");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x01, 0xd8);
	RETURN_FROM(6);
	endless("vmrun that is undefined for ever");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x01, 0xd9);
	RETURN_FROM(6);
	vmm_enter_user_mode(&vmm);
	endless("vmmcall of user mode for ever");
}

static void test_exception_loops(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	RETURN_FROM(1);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x102);
	endless("a #DB after every instruction");
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x0b);
	RETURN_FROM(6);
	endless("a #UD that repeats itself");
	/* The #PF handler drops the error code: pop rax is 1 byte, so "58 48 cf". */
	VMM_LOAD(&vmm, VMM_LONG, 0xa0, 0, 0, 0, 0, 0, 0x40, 0, 0);
	memcpy(vmm.memory + VMM_HANDLERS + 4 * 14, "\x58\x48\xcf", 3);
	endless("a #PF that repeats itself");
	VMM_LOAD(&vmm, VMM_LONG, 0xcd, 0x30, 0xeb, 0xfc);
	RETURN_FROM(0x30);
	endless("INT n in a loop");
}

/*
 * An unaligned access with alignment checks, whose #AC would raise itself on an unaligned stack
 * (CVE-2015-5307); QEMU's processor does not check. The same by a data breakpoint on the stack
 * (CVE-2015-8104) cannot be tried: QEMU keeps the breakpoint after the guest and aborts when the
 * frame of a later interrupt meets it.
 */
static void test_alignment(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x8b, 0x03, 0xeb, 0xfc); /* mov eax, [rbx]; jmp back */
	RETURN_FROM(17);
	vmm_enter_user_mode(&vmm);
	vmm.gps[SIDECAR_GP_RBX] = VMM_DATA + 1;
	vmm_set(&vmm, HV_REGISTER_CR0, 0x80040011);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x40002);
	endless("unaligned accesses with alignment checks");
}

/* Its own handlers cannot be pushed: each exception makes another until the processor gives up. */
static void test_stackless(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x0b);
	vmm_set(&vmm, HV_REGISTER_RSP, 0x4000000000000000);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_UNRECOVERABLE_EXCEPTION,
		  "a guest without a stack ends in a triple fault");
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	tap_check(vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_HALT,
		  "and the VP runs the next guest");
}

/* Another thread: it must not wait for the owner's call to end. */
static void test_cancel_from_thread(void)
{
	struct sidecar_event event = {0};
	pthread_t thread;

	pthread_barrier_init(&begun, NULL, 2);
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x0b);
	RETURN_FROM(6);
	pthread_create(&thread, NULL, cancel, NULL);
	pthread_barrier_wait(&begun);
	tap_check(sidecar_vp_run(vmm.vp, SIDECAR_NO_DEADLINE, &event) == 0 &&
			  event.kind == SIDECAR_EVENT_CANCELLED,
		  "a storm of exceptions is cancelled by another thread");
	pthread_join(thread, NULL);
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_forbidden(VMM_REAL, "real mode");
	test_forbidden(VMM_PROTECTED, "32-bit");
	test_forbidden(VMM_LONG, "64-bit");
	test_harmless();
	test_values();
	test_user_mode();
	test_svme();
	test_msrs();
	test_ports();
	test_machine();
	test_all_memory();
	test_apic();
	test_tables_elsewhere();
	test_plain_loops();
	test_internal_exits();
	test_exception_loops();
	test_alignment();
	test_stackless();
	test_cancel_from_thread();
	vmm_close(&vmm);
	return tap_done();
}

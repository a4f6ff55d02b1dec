// SPDX-License-Identifier: MIT
/* Registers, translations and guests, by command. */
#include "guest.h"
#include "node.h"

#define CODE 0x30000ull
#define STACK_TOP 0x40000ull
#define CODE_SELECTOR 0x18
#define ANY_LENGTH 15

static const struct hv_segment data_segment = {0, 0xffffffff, 0x20, 0xc093};

static struct hv_register_assoc narrow(uint32_t name, uint64_t value)
{
	return (struct hv_register_assoc){.name = name, .value = {value, 0}};
}

static uint64_t get_one(uint32_t vp, uint8_t vtl, uint32_t name)
{
	struct hv_register_assoc one = {.name = name};

	return do_get(vp, vtl, &one, 1) == HV_STATUS_SUCCESS ? one.value.low : ~0ull;
}

static uint16_t set_one(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t value)
{
	struct hv_register_assoc one = narrow(name, value);

	return do_set(vp, vtl, &one, 1);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void test_errors(uint32_t vp)
{
	struct sidecar_command_page *page = page_of(vp);
	struct hv_register_assoc none[1];

	check(do_command(vp, 77) && page->has_error == 1, "an unknown command has an error");
	check(error_contains(vp, "77") || error_contains(vp, "4d"), "that names it");
	check(do_command(vp, SIDECAR_COMMAND_NONE) && page->has_error == 0, "the next has none");
	check_equal(do_get(vp, HV_VTL_0, none, 32), 0xffff, "32 registers are too many to get");
	check_equal(do_set(vp, HV_VTL_0, none, 32), 0xffff, "and to set");
	check_equal(do_get(vp, HV_VTL_0, none, 0), HV_STATUS_SUCCESS, "none at all are all done");
}

static void test_registers(uint32_t vp)
{
	struct hv_register_assoc all[31];

	for (uint32_t i = 0; i < 31; i++)
		all[i] = narrow(HV_REGISTER_STAR + i % 4, 0x1000 + i);
	check_equal(do_set(vp, HV_VTL_0, all, 31), HV_STATUS_SUCCESS, "31 registers are set");
	for (uint32_t i = 0; i < 31; i++)
		all[i].value = (struct hv_u128){0, 0};
	check_equal(do_get(vp, HV_VTL_0, all, 31), HV_STATUS_SUCCESS, "and got");
	check(all[0].value.low == 0x1000 + 28 && all[1].value.low == 0x1000 + 29 &&
		      all[30].value.low == 0x1000 + 30,
	      "in order");
	check_equal(get_one(vp, HV_VTL_2, HV_REGISTER_VP_INDEX), vp, "of VTL2, too");
	check_equal(get_one(vp, HV_VTL_CURRENT, HV_REGISTER_VSM_VP_STATUS) & 15, 2,
		    "the current VTL is 2");
}

static void test_first_failure(uint32_t vp)
{
	struct hv_register_assoc all[4] = {narrow(HV_REGISTER_STAR, 1),
					   narrow(HV_REGISTER_CR4, 1ull << 63),
					   narrow(HV_REGISTER_LSTAR, 3), narrow(0x7fffffff, 4)};

	set_one(vp, HV_VTL_0, HV_REGISTER_LSTAR, 0x77);
	check_equal(do_set(vp, HV_VTL_0, all, 4), HV_STATUS_INVALID_REGISTER_VALUE,
		    "SET stops at the first value that is refused");
	check(get_one(vp, HV_VTL_0, HV_REGISTER_STAR) == 1 &&
		      get_one(vp, HV_VTL_0, HV_REGISTER_LSTAR) == 0x77,
	      "what is before it stays set, what is behind it was never set");
	all[0] = narrow(HV_REGISTER_STAR, 0);
	all[1] = narrow(0x7fffffff, 0xaaaa);
	all[2] = narrow(HV_REGISTER_LSTAR, 0xbbbb);
	check_equal(do_get(vp, HV_VTL_0, all, 3), HV_STATUS_UNKNOWN_REGISTER_NAME,
		    "GET stops at the first name that is unknown");
	check(all[0].value.low == 1 && all[2].value.low == 0xbbbb,
	      "what is behind it is as it was");
	check_equal(do_get(vp, HV_VTL_1, all, 1), HV_STATUS_INVALID_VTL_STATE,
		    "the hypervisor's answer about VTL1 comes through");
}

static void test_hypervisor_failure(uint32_t vp)
{
	struct hv_register_assoc one = narrow(HV_REGISTER_STAR, 0x99);

	control(CONTROL_FAIL, HV_CALL_SET_VP_REGISTERS | 1 << 16);
	check_equal(do_set(vp, HV_VTL_0, &one, 1), HV_STATUS_INSUFFICIENT_MEMORY,
		    "a SET that the hypervisor cannot do");
	check(get_one(vp, HV_VTL_0, HV_REGISTER_STAR) != 0x99, "does nothing");
	control(CONTROL_FAIL, HV_CALL_GET_VP_REGISTERS | 1 << 16);
	check_equal(do_get(vp, HV_VTL_0, &one, 1), HV_STATUS_INSUFFICIENT_MEMORY, "nor a GET");
	check_equal(one.value.low, 0x99, "whose value stays as it was");
}

/* The order of registers that the CPU has itself and of those that the hypervisor has. */
static void test_shared_registers(uint32_t vp)
{
	struct hv_register_assoc all[5] = {
		narrow(HV_REGISTER_DR0, 0x111000), narrow(HV_REGISTER_STAR, 0x22),
		narrow(HV_REGISTER_MTRR_PHYS_BASE0 + 3, 0xf0000006),
		narrow(HV_REGISTER_CSTAR, 0x44), narrow(HV_REGISTER_DR6, 0xffff0ff1)};

	check_equal(do_set(vp, HV_VTL_0, all, 5), HV_STATUS_SUCCESS,
		    "debug registers and MTRRs among others are set");
	for (uint32_t i = 0; i < 5; i++)
		all[i].value.low = 0;
	check_equal(do_get(vp, HV_VTL_0, all, 5), HV_STATUS_SUCCESS, "and got");
	check(all[0].value.low == 0x111000 && all[1].value.low == 0x22 &&
		      all[2].value.low == 0xf0000006 && all[3].value.low == 0x44,
	      "with their values");
	check_equal(all[4].value.low, 0xffff0ff1, "DR6, shared or not");
	all[0] = narrow(HV_REGISTER_DR0, 0);
	all[1] = narrow(HV_REGISTER_DR6, 0xffff0ff0);
	do_set(vp, HV_VTL_0, all, 2);
}

static void test_harm(uint32_t vp)
{
	if (option("original", 0))
		return;
	check(set_one(vp, HV_VTL_0, HV_REGISTER_MTRR_DEF_TYPE, 0xff) != HV_STATUS_SUCCESS,
	      "a bad MTRR value is refused");
	check(set_one(vp, HV_VTL_0, HV_REGISTER_DR6, 1ull << 40) != HV_STATUS_SUCCESS,
	      "and one of DR6");
	set_one(vp, HV_VTL_0, HV_REGISTER_RAX, 0x1234);
	set_one(vp, HV_VTL_2, HV_REGISTER_R12, 0x1234);
	set_one(vp, HV_VTL_0, HV_REGISTER_XMM0, 0x1234);
	check(do_command(vp, SIDECAR_COMMAND_NONE), "the CPU survives all that");
}

static struct sidecar_translate_response *translate(uint32_t vp, uint64_t flags, uint64_t gva)
{
	struct sidecar_translate_request *request = (void *)page_of(vp)->request_data;

	*request = (struct sidecar_translate_request){
		.gva_page = gva >> 12,
		.control_flags = flags | (uint64_t)HV_VTL_0 << HV_TRANSLATE_VTL_SHIFT};
	if (!do_command(vp, SIDECAR_COMMAND_TRANSLATE_GVA) || page_of(vp)->has_error)
		check(false, "TRANSLATE_GVA has no error");
	return (void *)request;
}

static void set_guest(uint32_t vp, const void *code, uint32_t size)
{
	struct hv_register_assoc all[GUEST_REGISTERS];
	uint32_t count = guest_long_mode(all, (void *)CODE, STACK_TOP);

	memset((void *)CODE, 0x90, 64);
	memcpy((void *)CODE, code, size);
	if (do_set(vp, HV_VTL_0, all, count) != HV_STATUS_SUCCESS)
		check(false, "a guest's registers are set");
}

static void test_translate(uint32_t vp)
{
	struct sidecar_translate_response *response;
	struct hv_translate_output zero = {0};

	set_guest(vp, "\xf4", 1);
	response = translate(vp, HV_TRANSLATE_VALIDATE_READ, 0x234567);
	check(response->status == HV_STATUS_SUCCESS &&
		      (uint32_t)response->output.result == HV_TRANSLATE_SUCCESS &&
		      response->output.gpa_page == 0x234,
	      "an address is translated");
	response = translate(vp, HV_TRANSLATE_VALIDATE_WRITE, 0x7f0000000000);
	check(response->status == HV_STATUS_SUCCESS &&
		      (uint32_t)response->output.result == HV_TRANSLATE_PAGE_NOT_PRESENT &&
		      response->output.event[0].high == 0x7f0000000000,
	      "or is a page fault");
	response = translate(vp, 1ull << 30, 0);
	check(response->status == HV_STATUS_INVALID_PARAMETER, "or the hypervisor refuses");
	check_bytes(&response->output, &zero, sizeof(zero), "with nothing else");
}

void test_commands(void)
{
	uint32_t vp = first_sidecar();

	test_errors(vp);
	test_registers(vp);
	test_first_failure(vp);
	test_hypervisor_failure(vp);
	test_shared_registers(vp);
	test_harm(vp);
	test_translate(vp);
}

/* ---- guests ---------------------------------------------------------------------------------- */

static uint8_t *result_of(uint32_t vp)
{
	return (uint8_t *)page_of(vp)->request_data;
}

static bool run(uint32_t vp)
{
	*result_of(vp) = 0xee;
	return do_command(vp, SIDECAR_COMMAND_RUN_VP) && !page_of(vp)->has_error &&
	       *result_of(vp) == SIDECAR_RUN_INTERCEPT;
}

static void reset_context(uint32_t vp)
{
	struct sidecar_cpu_context *context = &page_of(vp)->cpu_context;

	memset(context, 0, sizeof(*context));
	context->fx_state.fcw = HV_FX_DEFAULT_FCW;
	context->fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
	for (uint32_t i = 0; i < 16; i++)
		context->gps[i] = 0x1000 + i;
}

static void *expect(struct hv_message *message, uint32_t vp, uint32_t type, uint8_t length,
		    uint8_t access, uint8_t instruction)
{
	struct hv_intercept_header *header = (void *)message->payload;

	memset(message, 0, sizeof(*message));
	message->header.type = type;
	message->header.length = length;
	header->vp_index = vp;
	header->instruction_length_and_cr8 = instruction;
	header->intercept_access_type = access;
	header->execution_state = HV_EXECUTION_STATE_CR0_PE | HV_EXECUTION_STATE_EFER_LMA;
	header->cs_segment = (struct hv_segment){0, 0xffffffff, CODE_SELECTOR, 0xa09b};
	header->rip = CODE;
	header->rflags = 2;
	return message->payload;
}

static void check_message(uint32_t vp, const struct hv_message *expected, const char *name)
{
	check(run(vp), name);
	check_bytes(&page_of(vp)->intercept_message, expected, sizeof(*expected),
		    "with its message");
}

static void test_io(uint32_t vp)
{
	struct hv_message expected;
	struct hv_io_message *io = expect(&expected, vp, HV_MESSAGE_IO_PORT_INTERCEPT, sizeof(*io),
					  HV_INTERCEPT_ACCESS_WRITE, 2);

	set_guest(vp, "\xe7\x42", 2); /* out %eax, $0x42 */
	io->port_number = 0x42;
	io->access_info = 4;
	io->instruction_byte_count = ANY_LENGTH;
	memcpy(io->instruction_bytes, (void *)CODE, ANY_LENGTH);
	io->rax = 0x1000;
	io->rcx = 0x1001;
	io->rsi = 0x1006;
	io->rdi = 0x1007;
	io->ds_segment = data_segment;
	io->es_segment = data_segment;
	check_message(vp, &expected, "OUT ends RUN_VP");
}

static void test_msr(uint32_t vp)
{
	struct hv_message expected;
	struct hv_msr_message *msr = expect(&expected, vp, HV_MESSAGE_MSR_INTERCEPT, sizeof(*msr),
					    HV_INTERCEPT_ACCESS_WRITE, 2);

	set_guest(vp, "\x0f\x30", 2); /* wrmsr */
	msr->msr_number = 0x1001;
	msr->rdx = 0x1002;
	msr->rax = 0x1000;
	check_message(vp, &expected, "WRMSR ends RUN_VP");
}

static void test_cpuid(uint32_t vp)
{
	struct hv_message expected;
	struct hv_cpuid_message *id = expect(&expected, vp, HV_MESSAGE_CPUID_INTERCEPT, sizeof(*id),
					     HV_INTERCEPT_ACCESS_EXECUTE, 2);
	uint32_t eax, ebx, ecx, edx;

	page_of(vp)->cpu_context.gps[SIDECAR_GP_RAX] = 0x40000003;
	set_guest(vp, "\x0f\xa2", 2);
	cpuid(0x40000003, &eax, &ebx, &ecx, &edx);
	id->rax = 0x40000003;
	id->rcx = 0x1001;
	id->rdx = 0x1002;
	id->rbx = 0x1003;
	id->default_result_rax = eax;
	id->default_result_rbx = ebx;
	id->default_result_rcx = ecx;
	id->default_result_rdx = edx;
	check_message(vp, &expected, "CPUID ends RUN_VP");
}

static void test_memory(uint32_t vp)
{
	struct hv_message expected;
	struct hv_memory_message *memory = expect(&expected, vp, HV_MESSAGE_UNMAPPED_GPA,
						  sizeof(*memory), HV_INTERCEPT_ACCESS_WRITE, 0);

	page_of(vp)->cpu_context.gps[SIDECAR_GP_RDI] = 0xfee00080;
	set_guest(vp, "\x88\x07", 2); /* mov %al, (%rdi) */
	memory->cache_type = HV_CACHE_TYPE_WRITE_BACK;
	memory->instruction_byte_count = ANY_LENGTH;
	memory->guest_physical_address = 0xfee00080;
	memcpy(memory->instruction_bytes, (void *)CODE, ANY_LENGTH);
	check_message(vp, &expected, "memory that is not there ends RUN_VP");
}

static void test_hypercall(uint32_t vp)
{
	struct hv_message expected;
	struct hv_hypercall_message *call = expect(&expected, vp, HV_MESSAGE_HYPERCALL_INTERCEPT,
						   sizeof(*call), HV_INTERCEPT_ACCESS_EXECUTE, 3);
	struct sidecar_cpu_context *context = &page_of(vp)->cpu_context;

	for (uint32_t i = 0; i < 6; i++)
		memset(context->fx_state.xmm[i], (int)(0x50 + i), 16);
	set_guest(vp, "\x0f\x01\xd9", 3); /* vmmcall */
	call->rax = 0x1000;
	call->rbx = 0x1003;
	call->rcx = 0x1001;
	call->rdx = 0x1002;
	call->r8 = 0x1008;
	call->rsi = 0x1006;
	call->rdi = 0x1007;
	memcpy(call->xmm_registers, context->fx_state.xmm, sizeof(call->xmm_registers));
	check_message(vp, &expected, "a hypercall ends RUN_VP");
}

static void test_unrecoverable(uint32_t vp)
{
	struct hv_message expected;

	expect(&expected, vp, HV_MESSAGE_UNRECOVERABLE_EXCEPTION,
	       sizeof(struct hv_unrecoverable_message), HV_INTERCEPT_ACCESS_EXECUTE, 0);
	set_guest(vp, "\x0f\x0b", 2); /* ud2 */
	set_one(vp, HV_VTL_0, HV_REGISTER_IDTR, 0);
	check_message(vp, &expected, "a triple fault ends RUN_VP");
}

static void test_deliverable(uint32_t vp)
{
	struct hv_message expected;
	struct hv_interruption_deliverable_message *deliverable =
		expect(&expected, vp, HV_MESSAGE_INTERRUPTION_DELIVERABLE, sizeof(*deliverable),
		       HV_INTERCEPT_ACCESS_READ, 0);

	set_guest(vp, "\xfb", 1); /* sti, then nop */
	set_one(vp, HV_VTL_0, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS,
		HV_DELIVERABILITY_INTERRUPT);
	deliverable->header.rip = CODE + 2;
	deliverable->header.rflags = 0x202;
	check_message(vp, &expected, "an open interrupt window ends RUN_VP");
}

/* The general registers but RSP, CR2 and the x87/SSE state go in and come out. */
static void test_context(uint32_t vp)
{
	/*
	 * inc %rax; inc %rcx; inc %rbp; inc %rsi; inc %rdi; inc %r8, and so on to %r15;
	 * mov %rbx, %cr2; movq %rdx, %xmm9; out %al, $1
	 */
	static const uint8_t code[] = {0x48, 0xff, 0xc0, 0x48, 0xff, 0xc1, 0x48, 0xff, 0xc5, 0x48,
				       0xff, 0xc6, 0x48, 0xff, 0xc7, 0x49, 0xff, 0xc0, 0x49, 0xff,
				       0xc1, 0x49, 0xff, 0xc2, 0x49, 0xff, 0xc3, 0x49, 0xff, 0xc4,
				       0x49, 0xff, 0xc5, 0x49, 0xff, 0xc6, 0x49, 0xff, 0xc7, 0x0f,
				       0x22, 0xd3, 0x66, 0x4c, 0x0f, 0x6e, 0xca, 0xe6, 0x01};
	struct sidecar_cpu_context *context = &page_of(vp)->cpu_context;
	bool kept = true;

	reset_context(vp);
	memset(context->fx_state.xmm[15], 0xab, 16);
	set_guest(vp, code, sizeof(code));
	check(run(vp), "a guest changes its registers");
	check(context->gps[SIDECAR_GP_RAX] == 0x1001 && context->gps[SIDECAR_GP_RCX] == 0x1002,
	      "which come out");
	check_equal(context->gps[SIDECAR_GP_CR2], 0x1003, "CR2 in its slot");
	check_equal(*(uint64_t *)context->fx_state.xmm[9], 0x1002, "and XMM9");
	for (uint32_t i = SIDECAR_GP_RBP; i <= SIDECAR_GP_R15; i++)
		check_equal(context->gps[i], 0x1000 + i + 1, "a register that has changed");
	for (uint32_t i = SIDECAR_GP_RDX; i <= SIDECAR_GP_RBX; i++)
		kept = kept && context->gps[i] == 0x1000 + i;
	check(kept && context->fx_state.xmm[15][7] == 0xab &&
		      context->fx_state.fcw == HV_FX_DEFAULT_FCW &&
		      context->fx_state.mxcsr == HV_FX_DEFAULT_MXCSR,
	      "the others are as they were");
}

static void test_bad_mxcsr(uint32_t vp)
{
	if (option("original", 0))
		return;
	page_of(vp)->cpu_context.fx_state.mxcsr = 0xffff0000;
	check(do_command(vp, SIDECAR_COMMAND_RUN_VP), "a bad MXCSR is no end of the CPU");
	check(page_of(vp)->has_error == 1, "but an error");
	reset_context(vp);
}

static void test_vtl_call(uint32_t vp)
{
	set_guest(vp, "\x0f\x01\xd9", 3); /* vmmcall */
	page_of(vp)->cpu_context.gps[SIDECAR_GP_RCX] = HV_CALL_VTL_CALL;
	check(do_command(vp, SIDECAR_COMMAND_RUN_VP) && page_of(vp)->has_error == 1,
	      "a VTL call, which nobody expects, is an error");
	reset_context(vp);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void pass_time(uint64_t units)
{
	uint64_t end = now() + units;

	while (now() < end)
		asm volatile("pause");
}

static void test_stop(uint32_t vp, const char *code, uint32_t size, const char *name)
{
	set_guest(vp, code, size);
	*result_of(vp) = 0xee;
	begin_command(vp, SIDECAR_COMMAND_RUN_VP);
	pass_time(SECOND / 100);
	kick(vp);
	pass_time(SECOND / 100);
	check_equal(load(status_of(vp)), SIDECAR_STATUS_RUN, "a guest that runs on");
	stop(vp);
	check(is_idle(vp) && *result_of(vp) == SIDECAR_RUN_STOPPED && !page_of(vp)->has_error,
	      name);
}

static void test_stop_first(uint32_t vp)
{
	set_guest(vp, "\xeb\xfe", 2);
	*result_of(vp) = 0xee;
	page_of(vp)->command = SIDECAR_COMMAND_RUN_VP;
	store(status_of(vp), SIDECAR_STATUS_STOP);
	kick(vp);
	check(is_idle(vp) && *result_of(vp) == SIDECAR_RUN_STOPPED,
	      "RUN_VP that is stopped before it began");
}

/* A guest that exits as often as it can, under interrupts that mean nothing: none is lost. */
static void test_many(uint32_t vp, uint32_t count)
{
	uint32_t good = 0;

	/* inc %rax; out %al, $1; jmp back: each exit is stepped over by the register page or RIP */
	set_guest(vp, "\x48\xff\xc0\xe6\x01", 5);
	reset_context(vp);
	for (uint32_t i = 0; i < count; i++) {
		kick(vp);
		good += run(vp) && page_of(vp)->cpu_context.gps[SIDECAR_GP_RAX] == 0x1000 + i + 1;
		set_one(vp, HV_VTL_0, HV_REGISTER_RIP, CODE);
	}
	check_equal(good, count, "many runs under stray interrupts, each with its message");
}

static void test_register_page(uint32_t vp)
{
	struct hv_register_page *page = register_page_of(vp);

	set_guest(vp, "\xe6\x01\xe6\x02\xe6\x03", 6); /* out %al to 1, 2, 3 */
	check(run(vp), "a guest for the register page");
	if (!option("register-page", 1)) {
		check_equal(page->is_valid, 0, "a refused register page stays invalid");
		return;
	}
	check(page->is_valid && page->vtl == 0 && page->rip == CODE &&
		      page->gp_registers[HV_GP_RSP] == STACK_TOP,
	      "the register page is filled");
	page->rip = CODE + 4;
	page->dirty = HV_REGISTER_PAGE_DIRTY_RIP;
	check(run(vp) && *(uint16_t *)(page_of(vp)->intercept_message.payload + 0x28) == 3,
	      "and its dirty fields are taken");
}

static void test_all_run(void)
{
	uint32_t good = 0, count = 0;

	for (uint32_t vp = 0; vp < vp_count(); vp++) {
		if (!is_sidecar(vp))
			continue;
		reset_context(vp);
		set_guest(vp, "\xe7\x42", 2);
		page_of(vp)->cpu_context.gps[SIDECAR_GP_RAX] = 0x5000 + vp;
		count++;
	}
	for (uint32_t vp = 0; vp < vp_count(); vp++)
		if (is_sidecar(vp))
			begin_command(vp, SIDECAR_COMMAND_RUN_VP);
	for (uint32_t vp = 0; vp < vp_count(); vp++)
		good += is_sidecar(vp) && is_idle(vp) && !page_of(vp)->has_error &&
			*(uint64_t *)(page_of(vp)->intercept_message.payload + 0x30) ==
				0x5000 + vp &&
			*(uint32_t *)page_of(vp)->intercept_message.payload == vp;
	check_equal(good, count, "guests on all CPUs at once, each with its own message");
}

void test_runs(void)
{
	uint32_t vp = first_sidecar();

	reset_context(vp);
	test_io(vp);
	test_msr(vp);
	test_memory(vp);
	reset_context(vp);
	test_hypercall(vp);
	reset_context(vp);
	test_cpuid(vp);
	reset_context(vp);
	test_unrecoverable(vp);
	test_deliverable(vp);
	test_context(vp);
	test_bad_mxcsr(vp);
	test_vtl_call(vp);
	test_stop(vp, "\xeb\xfe", 2, "a guest that spins is stopped");
	test_stop(vp, "\xf4\xeb\xfd", 3, "a guest that halts is stopped");
	test_stop_first(vp);
	test_register_page(vp);
	test_many(vp, 200);
	test_all_run();
}

/* ---- leaving --------------------------------------------------------------------------------- */

static uint64_t sum(uint64_t n)
{
	uint64_t s = 0;

	for (uint64_t i = 1; i <= n; i++)
		s += i;
	return s;
}

/* As another OS takes a CPU: REMOVE, then its own code by StartVirtualProcessor. */
static void test_remove(uint32_t vp)
{
	struct sidecar_control_page *page = node_of(vp)->control;
	uint8_t idle = SIDECAR_STATUS_IDLE;

	store(&page->needs_attention, 0);
	__atomic_compare_exchange_n(status_of(vp), &idle, SIDECAR_STATUS_REMOVE, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	kick(vp);
	check(wait_until(load(status_of(vp)) == SIDECAR_STATUS_REMOVED), "REMOVE ends in REMOVED");
	check(wait_until(load(&page->needs_attention)), "and is announced");
	check_equal(vp_enable(vp), HV_STATUS_VTL_ALREADY_ENABLED, "the VP's VTL2 stays enabled");
	check_equal(vp_start(vp), HV_STATUS_SUCCESS, "somebody else starts it");
	check(vp_is_alive(vp), "and it runs there");
	check_equal(vp_call(vp, sum, 100), 5050, "what it is told");
}

/* A VP that the sidecar was not to start is free for somebody else from the beginning. */
static void test_never_started(void)
{
	for (uint32_t vp = 1; vp < vp_count(); vp++) {
		if (node_of(vp) && load(status_of(vp)) != SIDECAR_STATUS_REMOVED)
			continue;
		check_equal(vp_enable(vp), HV_STATUS_SUCCESS, "a VP that is not the sidecar's");
		check(vp_start(vp) == HV_STATUS_SUCCESS && vp_is_alive(vp), "can be started");
		return;
	}
}

static uint64_t crash_parameter(uint32_t n)
{
	return control(CONTROL_CRASH, 2 * n) | (uint64_t)control(CONTROL_CRASH, 2 * n + 1) << 32;
}

/* A status that nobody may write ends the CPU, with a report to the hypervisor. */
static void test_panic(uint32_t vp)
{
	store(status_of(vp), 77);
	kick(vp);
	check(wait_until(control(CONTROL_VIOLATIONS, 0) == 1),
	      "a bad status ends in a crash report");
	check_equal(crash_parameter(0), 0x4d494853544f4f42ull, "P0 is BOOTSHIM");
	check_equal(crash_parameter(1), 0x534944454341524bull, "P1 is SIDECARK");
	check_equal(crash_parameter(2), ~0ull, "P2 is all ones");
	check(crash_parameter(4) > 0 && crash_parameter(4) <= 512, "P4 is the length of a text");
	say("# ");
	say_bytes((const void *)crash_parameter(3), crash_parameter(4));
	say("\n");
	check_equal(control(CONTROL_FORGIVE, 0), 1, "nothing else was wrong");
}

void test_removal(void)
{
	uint32_t last = last_sidecar(), first = first_sidecar();

	test_never_started();
	begin_command(first, SIDECAR_COMMAND_NONE);
	is_idle(first);
	test_remove(last);
	if (first == last)
		return;
	check(do_command(first, SIDECAR_COMMAND_NONE), "the others go on");
	test_panic(last_sidecar());
}

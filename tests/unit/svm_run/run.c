// SPDX-License-Identifier: MIT
/* The loop: STOP, interrupts, generations, what is resolved without the VMM. */
#include "fake.h"

#define CODE 0xfffff000u

static void halts(struct fake *f, unsigned int n)
{
	(void)f;
	(void)n;
	fake_exit(SVM_EXIT_HLT, 0, 0);
}

static void test_intercept(void **state)
{
	struct hv_halt_message *halt;

	(void)state;
	fake.guest = halts;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	halt = fake_message(HV_MESSAGE_HALT);
	assert_int_equal(halt->header.vp_index, 5);
	assert_int_equal(halt->header.instruction_length_and_cr8, 2);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_HALT], 1);
	assert_int_equal(fake.state.entries, 1);
}

static void test_R11_stop_before_entry(void **state)
{
	(void)state;
	fake.guest = halts;
	fake_stop();
	assert_int_equal(fake_run(), RUN_STOPPED);
	assert_int_equal(fake.entries, 0);
}

static void interrupted_twice(struct fake *f, unsigned int n)
{
	(void)f;
	fake_exit(SVM_EXIT_INTR, 0, 0);
	if (n == 1)
		fake_stop();
}

/* R11: a stale wake-up is taken and the guest goes on; a STOP is seen at the next look. */
static void test_R11_interrupts(void **state)
{
	(void)state;
	fake.guest = interrupted_twice;
	assert_int_equal(fake_run(), RUN_STOPPED);
	assert_int_equal(fake.entries, 2);
	assert_int_equal(fake.drains, 2);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_INTERRUPT], 2);
}

/* ---- time in the guest ----------------------------------------------------------------------- */

static uint64_t inside;

static void takes_time(struct fake *f, unsigned int n)
{
	uint64_t start = __builtin_ia32_rdtsc();

	(void)f;
	while (__builtin_ia32_rdtsc() - start < 100000)
		;
	inside += __builtin_ia32_rdtsc() - start;
	fake_exit(n < 2 ? SVM_EXIT_INTR : SVM_EXIT_HLT, 0, 0);
}

/* What three entries took is all there, and no more than the whole command took. */
static void test_guest_ticks(void **state)
{
	uint64_t start, all;

	(void)state;
	inside = 0;
	fake.guest = takes_time;
	start = __builtin_ia32_rdtsc();
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	all = __builtin_ia32_rdtsc() - start;
	assert_int_equal(fake.entries, 3);
	assert_in_range(fake.state.guest_ticks, inside, all);
	fake_stop();
	inside = fake.state.guest_ticks;
	assert_int_equal(fake_run(), RUN_STOPPED);
	assert_true(fake.state.guest_ticks == inside); /* the guest was not entered */
}

/* ---- R17 ------------------------------------------------------------------------------------- */

static void generation_moves(struct fake *f, unsigned int n)
{
	fake_exit(SVM_EXIT_INTR, 0, 0);
	if (n == 1)
		f->state.generation = 8;
	if (n == 3)
		fake_exit(SVM_EXIT_HLT, 0, 0);
}

static void test_R17_generation(void **state)
{
	(void)state;
	fake.guest = generation_moves;
	fake.state.generation = 7;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	assert_int_equal(fake.entries, 4);
	assert_int_equal(fake.entry[0].tlb_control, SVM_TLB_FLUSH_ASID);
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_KEEP);
	assert_int_equal(fake.entry[2].tlb_control, SVM_TLB_FLUSH_ASID);
	assert_int_equal(fake.entry[3].tlb_control, SVM_TLB_KEEP);
	assert_int_equal(fake.entry[1].generation_seen, 7);
	assert_int_equal(fake.entry[2].generation_seen, 8);
}

static void test_R17_generation_between_commands(void **state)
{
	(void)state;
	fake.guest = halts;
	fake_run();
	fake.state.generation = 9;
	backend_command_begin(&fake.cpu); /* another command: it says 9, but does not enter */
	assert_int_equal(fake.state.generation_seen, 9);
	fake_run();
	fake_run();
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_FLUSH_ASID);
	assert_int_equal(fake.entry[2].tlb_control, SVM_TLB_KEEP);
}

static void test_flush_without_asids(void **state)
{
	(void)state;
	svm_host.flush_by_asid = false;
	fake.guest = halts;
	fake_run();
	assert_int_equal(fake.entry[0].tlb_control, SVM_TLB_FLUSH_ALL);
}

static void test_new_root(void **state)
{
	(void)state;
	fake.guest = halts;
	fake_run();
	fake_map_code(CODE);
	fake_run();
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_FLUSH_ASID);
	assert_true(fake.entry[1].nested_cr3 == (uint64_t)fake.tables[0]);
	assert_true(fake.entry[0].nested_cr3 != 0); /* a guest without memory has an empty table */
}

static void test_new_owner(void **state)
{
	struct svm_vp *vp = &fake.cpu.backend.vp;

	(void)state;
	fake.guest = halts;
	fake_run();
	fake.command.cpu_context.gps[SIDECAR_GP_RBX] = 77; /* the new owner's first command */
	vp->dr[0] = 0x1234;
	vp->vmcb->save.lstar = 0x5678;
	fake.scrubs = 0;
	fake.state.owner = 2;
	fake_run();
	assert_int_equal(fake.scrubs, 1);
	assert_int_equal(vp->dr[0], 0);
	assert_int_equal(vp->vmcb->save.lstar, 0);
	assert_int_equal(fake.state.owner_seen, 2);
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_FLUSH_ASID);
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RBX], 77);
	fake_run();
	assert_int_equal(fake.scrubs, 1);
}

static void test_first_context(void **state)
{
	(void)state;
	fake.guest = halts;
	fake_run();
	assert_int_equal(fake.command.cpu_context.fx_state.fcw, HV_FX_DEFAULT_FCW);
	assert_int_equal(fake.command.cpu_context.fx_state.mxcsr, HV_FX_DEFAULT_MXCSR);
}

/* ---- what user mode may have written --------------------------------------------------------- */

static void test_R10_mxcsr(void **state)
{
	(void)state;
	fake.guest = halts;
	fake.command.cpu_context.fx_state.mxcsr = 0x80001f80;
	assert_int_equal(fake_run(), RUN_ERROR);
	assert_int_equal(fake.entries, 0);
	assert_memory_equal(fake.error.text, "MXCSR 0x80001f80 has reserved bits", 34);
}

static void test_inconsistent(void **state)
{
	struct hv_register_assoc cr0 = {.name = HV_REGISTER_CR0, .value = {0x80000011, 0}};
	struct hv_register_assoc efer = {.name = HV_REGISTER_EFER, .value = {0x100, 0}};
	unsigned int done;

	(void)state;
	fake.guest = halts;
	backend_command_begin(&fake.cpu);
	backend_set_registers(&fake.cpu, HV_VTL_0, &cr0, 1, &done);
	backend_set_registers(&fake.cpu, HV_VTL_0, &efer, 1, &done);
	assert_int_equal(done, 1);
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	fake_message(HV_MESSAGE_INVALID_VP_REGISTER_VALUE);
	assert_int_equal(fake.entries, 0);
}

static void test_registers(void **state)
{
	struct hv_register_assoc regs[3] = {{.name = HV_REGISTER_RIP, .value = {1, 0}},
					    {.name = 0x12345678},
					    {.name = HV_REGISTER_RSP, .value = {2, 0}}};
	unsigned int done;

	(void)state;
	assert_int_equal(backend_set_registers(&fake.cpu, HV_VTL_0, regs, 3, &done),
			 HV_STATUS_UNKNOWN_REGISTER_NAME);
	assert_int_equal(done, 1);
	assert_int_equal(fake_vmcb()->save.rip, 1);
	assert_int_equal(fake_vmcb()->save.rsp, 0);
	assert_int_equal(backend_get_registers(&fake.cpu, HV_VTL_1, regs, 3, &done),
			 HV_STATUS_INVALID_PARAMETER);
	assert_int_equal(done, 0);
}

/* ---- suspended ------------------------------------------------------------------------------- */

static void stop_on_wait(struct fake *f)
{
	if (f->waits == 2)
		fake_stop();
}

static void generation_moves_on_wait(struct fake *f)
{
	if (f->waits == 2)
		fake_stop();
	if (f->waits == 2)
		assert_int_equal(f->state.generation_seen, 6);
	f->state.generation = 6;
}

/* R17: whoever unmaps waits for a VP that does not run, too. */
static void test_R17_generation_while_suspended(void **state)
{
	(void)state;
	fake.on_wait = generation_moves_on_wait;
	backend_command_begin(&fake.cpu);
	fake.cpu.backend.vp.activity = HV_ACTIVITY_STARTUP_SUSPEND;
	assert_int_equal(fake_run(), RUN_STOPPED);
	assert_int_equal(fake.waits, 2);
}

static void test_R11_startup_suspend(void **state)
{
	(void)state;
	fake.guest = halts;
	fake.on_wait = stop_on_wait;
	backend_command_begin(&fake.cpu);
	fake.cpu.backend.vp.activity = HV_ACTIVITY_STARTUP_SUSPEND;
	assert_int_equal(fake_run(), RUN_STOPPED);
	assert_int_equal(fake.waits, 2);
	assert_int_equal(fake.entries, 0);
}

/* ---- resolved inside ------------------------------------------------------------------------- */

static void reads_efer(struct fake *f, unsigned int n)
{
	if (n == 0) {
		f->cpu.backend.guest.gps[SIDECAR_GP_RCX] = 0xc0000080;
		fake_exit(SVM_EXIT_MSR, 0, 0);
		return;
	}
	fake_exit(SVM_EXIT_HLT, 0, 0);
}

static void test_msr_inside(void **state)
{
	(void)state;
	fake.guest = reads_efer;
	fake.command.cpu_context.gps[SIDECAR_GP_RAX] = 0xaaaa;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	assert_int_equal(fake.entries, 2);
	assert_int_equal(fake.command.cpu_context.gps[SIDECAR_GP_RAX], 0); /* without SVME */
	assert_int_equal(fake.entry[1].rip, fake.entry[0].rip + 2);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_INTERNAL], 1);
}

static void writes_pat(struct fake *f, unsigned int n)
{
	f->cpu.backend.guest.gps[SIDECAR_GP_RCX] = 0x277;
	if (n == 0)
		f->cpu.backend.vp.vmcb->save.rax = 0x01000406; /* RDX is 0 */
	fake_exit(n == 0 ? SVM_EXIT_MSR : SVM_EXIT_HLT, SVM_MSR_WRITE, 0);
}

/* What a guest does to itself needs no settling: its CPL may be another than SS says. */
static void test_msr_written(void **state)
{
	(void)state;
	fake.guest = writes_pat;
	fake_run();
	assert_int_equal(fake_vmcb()->save.g_pat, 0x01000406);
	assert_int_equal(fake.entry[1].event_inj, 0);
	assert_false(fake.cpu.backend.vp.unchecked);
}

static void writes_tsc_aux(struct fake *f, unsigned int n)
{
	f->cpu.backend.guest.gps[SIDECAR_GP_RCX] = 0xc0000103;
	if (n == 0)
		f->cpu.backend.vp.vmcb->save.rax = 77;
	fake_exit(n == 0 ? SVM_EXIT_MSR : SVM_EXIT_HLT, SVM_MSR_WRITE, 0);
}

/* RDTSCP is not intercepted: it reads the processor's at once. */
static void test_tsc_aux_written(void **state)
{
	(void)state;
	fake.guest = writes_tsc_aux;
	fake_run();
	assert_int_equal(fake.tsc_aux, 77);
}

static void runs_vmrun(struct fake *f, unsigned int n)
{
	(void)f;
	fake_exit(n == 0 ? SVM_EXIT_VMRUN : SVM_EXIT_HLT, 0, 0);
}

static void test_hidden_instruction(void **state)
{
	(void)state;
	fake.guest = runs_vmrun;
	fake_run();
	assert_true(fake.entry[1].event_inj ==
		    (SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION << SVM_EVENT_TYPE_SHIFT | 6));
	assert_int_equal(fake.entry[1].rip, fake.entry[0].rip);
}

static void debug_once(struct fake *f, unsigned int n)
{
	(void)f;
	fake_exit(n == 0 ? SVM_EXIT_EXCEPTION0 + 1 : SVM_EXIT_HLT, 0, 0);
}

static void test_debug_exception(void **state)
{
	(void)state;
	fake.guest = debug_once;
	fake_run();
	assert_true(fake.entry[1].event_inj ==
		    (SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION << SVM_EVENT_TYPE_SHIFT | 1));
}

static void alignment_for_ever(struct fake *f, unsigned int n)
{
	fake_exit(SVM_EXIT_EXCEPTION0 + 17, 0, 0);
	if (n > 0)
		f->cpu.backend.vp.vmcb->control.exit_int_info = f->entry[n].event_inj;
}

/* An exception whose delivery raises itself would keep a processor busy without end. */
static void test_endless_exception(void **state)
{
	struct hv_exception_message *exception;

	(void)state;
	fake.guest = alignment_for_ever;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	assert_int_equal(fake.entries, 2);
	exception = fake_message(HV_MESSAGE_EXCEPTION_INTERCEPT);
	assert_int_equal(exception->vector, 17);
	assert_int_equal(exception->exception_info, HV_EXCEPTION_INFO_ERROR_CODE_VALID);
	assert_int_equal(fake.state.exits[SIDECAR_EXIT_EXCEPTION], 1);
}

static void writes_cr4(struct fake *f, unsigned int n)
{
	(void)f;
	fake_exit(n == 0 ? SVM_EXIT_WRITE_CR0 + 4 : SVM_EXIT_HLT, 0, 0);
}

static void run_cr4(uint64_t value)
{
	static const uint8_t mov_cr4_ebx[] = {0x0f, 0x22, 0xe3};

	fake_map_code(CODE);
	memcpy(fake.code + 0xff0, mov_cr4_ebx, sizeof(mov_cr4_ebx));
	fake.guest = writes_cr4;
	fake.command.cpu_context.gps[SIDECAR_GP_RBX] = value;
	fake_run();
}

static void test_cr4(void **state)
{
	(void)state;
	run_cr4(CR4_PAE | CR4_PGE);
	assert_int_equal(fake_vmcb()->save.cr4, CR4_PAE | CR4_PGE);
	assert_int_equal(fake.entry[1].rip, fake.entry[0].rip + 3);
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_FLUSH_ASID);
}

static void test_cr4_hidden(void **state)
{
	(void)state;
	run_cr4(CR4_OSXSAVE);
	assert_int_equal(fake_vmcb()->save.cr4, 0);
	assert_int_equal(fake.entry[1].event_inj & SVM_EVENT_VECTOR_MASK, 13);
	assert_int_equal(fake.entry[1].tlb_control, SVM_TLB_KEEP);
}

static void writes_cr8(struct fake *f, unsigned int n)
{
	/* mov cr8, rbx; only asked for while a window is open */
	assert_true(f->cpu.backend.vp.vmcb->control.intercept_cr_write & 1u << 8);
	if (n == 0)
		fake_exit(SVM_EXIT_WRITE_CR0 + 8, 0, 0);
	else
		fake_exit(SVM_EXIT_HLT, 0, 0);
}

static void test_cr8_in_window(void **state)
{
	static const uint8_t lock_mov_cr0_ebx[] = {0xf0, 0x0f, 0x22, 0xc3};

	(void)state;
	fake_map_code(CODE);
	memcpy(fake.code + 0xff0, lock_mov_cr0_ebx, sizeof(lock_mov_cr0_ebx));
	fake.guest = writes_cr8;
	fake.command.cpu_context.gps[SIDECAR_GP_RBX] = 9;
	backend_command_begin(&fake.cpu);
	fake.cpu.backend.vp.deliverability = HV_DELIVERABILITY_INTERRUPT;
	fake_run();
	assert_int_equal(fake_vmcb()->control.int_ctl & SVM_INT_CTL_TPR_MASK, 9);
	assert_int_equal(fake.entry[1].rip, fake.entry[0].rip + 4);
}

/* TCG does not come back from LME without PAE: it must not see it, and the guest must. */
static void test_lme_alone(void **state)
{
	struct hv_register_assoc efer = {.name = HV_REGISTER_EFER, .value = {EFER_LME, 0}};
	unsigned int done;

	(void)state;
	fake.guest = halts;
	backend_command_begin(&fake.cpu);
	backend_set_registers(&fake.cpu, HV_VTL_0, &efer, 1, &done);
	fake_run();
	assert_int_equal(fake.entry[0].efer, EFER_SVME);
	backend_get_registers(&fake.cpu, HV_VTL_0, &efer, 1, &done);
	assert_int_equal(efer.value.low, EFER_LME);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void reads_unmapped(struct fake *f, unsigned int n)
{
	(void)f;
	(void)n;
	fake_exit(SVM_EXIT_NPF, SVM_NPF_FINAL | SVM_NPF_USER, 0x123456);
}

static void test_data_access(void **state)
{
	struct hv_memory_message *memory;

	(void)state;
	fake_map_code(CODE);
	memset(fake.code + 0xff0, 0xcc, 15);
	fake.guest = reads_unmapped;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	memory = fake_message(HV_MESSAGE_UNMAPPED_GPA);
	assert_int_equal(memory->guest_physical_address, 0x123456);
	assert_int_equal(memory->header.intercept_access_type, HV_INTERCEPT_ACCESS_READ);
	assert_int_equal(memory->memory_access_info, 0);
	assert_int_equal(memory->instruction_byte_count, 15);
	assert_memory_equal(memory->instruction_bytes, fake.code + 0xff0, 15);
	assert_int_equal(memory->instruction_bytes[15], 0);
}

static void fetches_unmapped(struct fake *f, unsigned int n)
{
	(void)f;
	(void)n;
	fake_exit(SVM_EXIT_NPF, SVM_NPF_FINAL | SVM_NPF_USER, 0xfffffff0);
}

static void test_fetch(void **state)
{
	struct hv_memory_message *memory;

	(void)state;
	fake.guest = fetches_unmapped;
	fake_run();
	memory = fake_message(HV_MESSAGE_UNMAPPED_GPA);
	assert_int_equal(memory->header.intercept_access_type, HV_INTERCEPT_ACCESS_EXECUTE);
	assert_int_equal(memory->guest_virtual_address, 0xfffffff0);
	assert_int_equal(memory->instruction_byte_count, 0);
}

static void reserved_bit(struct fake *f, unsigned int n)
{
	(void)f;
	(void)n;
	fake_exit(SVM_EXIT_NPF, SVM_NPF_FINAL | SVM_NPF_RESERVED | SVM_NPF_PRESENT, 0x1000);
}

static void test_bad_nested_tables(void **state)
{
	(void)state;
	fake.guest = reserved_bit;
	assert_int_equal(fake_run(), RUN_ERROR);
	assert_memory_equal(fake.error.text, "the nested tables have a reserved bit", 37);
}

/* ---- the processor refuses ------------------------------------------------------------------- */

static void invalid(struct fake *f, unsigned int n)
{
	(void)n;
	f->cpu.backend.vp.vmcb->save.rip = 0xffffff8000001234; /* as TCG does */
	fake_exit(SVM_EXIT_INVALID, 0, 0);
}

static void test_invalid(void **state)
{
	(void)state;
	fake.guest = invalid;
	assert_int_equal(fake_run(), RUN_INTERCEPT);
	fake_message(HV_MESSAGE_INVALID_VP_REGISTER_VALUE);
	assert_int_equal(fake_vmcb()->save.rip, 0xfff0);
	assert_int_equal(fake.register_page.rip, 0xfff0);
}

static void unknown(struct fake *f, unsigned int n)
{
	(void)f;
	(void)n;
	fake_exit(0x3ff, 0, 0);
}

static void test_unknown_exit(void **state)
{
	(void)state;
	fake.guest = unknown;
	assert_int_equal(fake_run(), RUN_ERROR);
	assert_memory_equal(fake.error.text, "unknown exit code 0x3ff", 23);
}

#define TEST(name) cmocka_unit_test_setup(name, fake_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_intercept),
		TEST(test_R11_stop_before_entry),
		TEST(test_R11_interrupts),
		TEST(test_guest_ticks),
		TEST(test_R17_generation),
		TEST(test_R17_generation_between_commands),
		TEST(test_flush_without_asids),
		TEST(test_new_root),
		TEST(test_new_owner),
		TEST(test_first_context),
		TEST(test_R10_mxcsr),
		TEST(test_inconsistent),
		TEST(test_registers),
		TEST(test_R11_startup_suspend),
		TEST(test_R17_generation_while_suspended),
		TEST(test_msr_written),
		TEST(test_tsc_aux_written),
		TEST(test_msr_inside),
		TEST(test_hidden_instruction),
		TEST(test_debug_exception),
		TEST(test_endless_exception),
		TEST(test_cr4),
		TEST(test_cr4_hidden),
		TEST(test_cr8_in_window),
		TEST(test_lme_alone),
		TEST(test_data_access),
		TEST(test_fetch),
		TEST(test_bad_nested_tables),
		TEST(test_invalid),
		TEST(test_unknown_exit),
	};

	return cmocka_run_group_tests_name("svm_run", tests, NULL, NULL);
}

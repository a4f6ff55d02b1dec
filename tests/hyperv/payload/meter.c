// SPDX-License-Identifier: MIT
/*
 * For the option "meter" of the hypervisor: one sidecar CPU runs a guest into the same intercept
 * again and again, each time woken by an interrupt and answering by one.
 */
#include "guest.h"
#include "node.h"

#define CODE 0x30000ull
#define STACK_TOP 0x40000ull
#define RUNS 1000u
#define HOSTILE_PEND 0x2u

/* Between two CPUIDs in a row VTL2 executes nothing: what L0 measures there is its own. */
static void calibrate(void)
{
	uint32_t eax = 0, ecx = 0;

	for (uint32_t i = 0; i < 10; i++)
		asm volatile("cpuid; cpuid; cpuid" : "+a"(eax), "+c"(ecx) : : "rbx", "rdx");
}

static void set_guest(uint32_t vp)
{
	struct hv_register_assoc all[GUEST_REGISTERS];
	uint32_t count = guest_long_mode(all, (void *)CODE, STACK_TOP);

	memcpy((void *)CODE, "\xe6\x01", 2); /* out %al, $1 */
	check_equal(do_set(vp, HV_VTL_0, all, count), HV_STATUS_SUCCESS, "a guest is set up");
	page_of(vp)->cpu_context.fx_state.fcw = HV_FX_DEFAULT_FCW;
	page_of(vp)->cpu_context.fx_state.mxcsr = HV_FX_DEFAULT_MXCSR;
}

static void run_often(uint32_t vp, const char *name)
{
	struct sidecar_control_page *control = node_of(vp)->control;
	uint32_t good = 0;

	store((uint64_t *)((uint64_t)control + SIDECAR_CONTROL_RESPONSE_OFFSET),
	      apic_ids[0] | (uint64_t)RESPONSE_VECTOR << 32);
	for (uint32_t i = 0; i < RUNS; i++) {
		good += do_command(vp, SIDECAR_COMMAND_RUN_VP) && !page_of(vp)->has_error &&
			*(uint8_t *)page_of(vp)->request_data == SIDECAR_RUN_INTERCEPT;
		interrupt_window();
	}
	check_equal(good, RUNS, name);
}

void payload(void)
{
	uint32_t vp;

	calibrate();
	test_boot();
	vp = first_sidecar();
	set_guest(vp);
	run_often(vp, "each run ends in an intercept");
	control(CONTROL_HOSTILE, HOSTILE_PEND);
	run_often(vp, "also if every fourth VTL return is interrupted");
}

// SPDX-License-Identifier: MIT
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/apic.h"
#include "arch/x86/arch_cpu.h"
#include "arch/x86/exception_table.h"
#include "arch/x86/traps.h"
#include "arch/x86/x86.h"
#include "panic.h"

static struct globals globals;
static struct sidecar_state_page state_page;
static unsigned int acknowledged;
static uint64_t asked_about;

/* ---- the processor and the rest of the kernel ------------------------------------------------ */

struct globals *this_globals(void)
{
	return &globals;
}

void apic_eoi(void)
{
	acknowledged++;
}

uint64_t exception_fixup(uint64_t rip)
{
	asked_about = rip;
	return rip + 7;
}

void panic_begin(struct cpu *cpu)
{
	(void)cpu;
	abort();
}

_Noreturn void panic_end(struct cpu *cpu, const char *format, ...)
{
	(void)cpu;
	(void)format;
	abort();
}

/* ---- the tests ------------------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	memset(&globals, 0, sizeof(globals));
	memset(&state_page, 0, sizeof(state_page));
	globals.cpu.state = &state_page;
	acknowledged = 0;
	asked_about = 0;
	return 0;
}

static void take(unsigned int vector)
{
	struct trap_frame frame = {.vector = vector, .rip = 0x1000};

	trap(&frame);
	assert_int_equal(frame.rip, vector < VECTOR_FIRST_EXTERNAL && vector != VECTOR_NMI ?
					    0x1007 : 0x1000);
}

/* The request vector is a command, the spurious one nothing; every other is a stranger's. */
static void test_every_vector(void **state)
{
	const unsigned int strangers = 256 - VECTOR_FIRST_EXTERNAL - 2;

	(void)state;
	for (unsigned int vector = VECTOR_FIRST_EXTERNAL; vector < 256; vector++)
		for (unsigned int times = 0; times < vector; times++)
			take(vector);
	for (unsigned int vector = 0; vector < 256; vector++) {
		bool stranger = vector >= VECTOR_FIRST_EXTERNAL && vector != VECTOR_SPURIOUS &&
				vector != SIDECAR_REQUEST_VECTOR;

		assert_int_equal(state_page.foreign_vectors[vector], stranger ? vector : 0);
	}
	assert_int_equal(state_page.foreign_interrupts,
			 (32 + 254) * (strangers + 1) / 2 - SIDECAR_REQUEST_VECTOR);
	assert_int_equal(acknowledged, (32 + 254) * (strangers + 1) / 2);
}

static void test_exceptions(void **state)
{
	(void)state;
	take(13);
	assert_int_equal(asked_about, 0x1000);
	take(VECTOR_NMI);
	assert_int_equal(state_page.foreign_interrupts, 0);
	assert_int_equal(acknowledged, 0);
}

/* The counter of a vector is 32 bits wide and goes round; the total goes on. */
static void test_wraps_around(void **state)
{
	(void)state;
	state_page.foreign_vectors[0x40] = UINT32_MAX;
	state_page.foreign_interrupts = UINT32_MAX;
	take(0x40);
	assert_int_equal(state_page.foreign_vectors[0x40], 0);
	assert_true(state_page.foreign_interrupts == 1ull << 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_vector, setup),
		cmocka_unit_test_setup(test_exceptions, setup),
		cmocka_unit_test_setup(test_wraps_around, setup),
	};

	return cmocka_run_group_tests_name("kernel_traps", tests, NULL, NULL);
}

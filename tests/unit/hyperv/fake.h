/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor that is a function, below a sidecar CPU in the memory of the test. Physical
 * addresses are pointers. Every call is checked as strictly as a hypervisor would.
 */
#ifndef HYPERV_FAKE_H
#define HYPERV_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch.h"
#include "backend.h"
#include "boot.h"
#include "cpu.h"
#include "hardware.h"
#include "hypercall.h"
#include "hyperv.h"

#define MAX_CALLS 64u
#define MAX_MSRS 16u
#define NO_NAME UINT32_MAX
#define FAKE_RETURN_OFFSET 0x40u

#define assert_error(error, expected)                                          \
	do {                                                                   \
		assert_int_equal((error).length, strlen(expected));            \
		assert_memory_equal((error).text, expected, strlen(expected)); \
	} while (0)

struct call {
	uint16_t code;
	unsigned int count;
	uint8_t vtl;
};

struct msr_write {
	uint32_t msr;
	uint64_t value;
};

struct fake {
	struct boot boot;
	struct cpu cpu;
	struct sidecar_control_page control;
	struct sidecar_command_page command;
	struct hv_register_page register_page __attribute__((aligned(4096)));
	struct sidecar_state_page state;
	struct hyperv_pages pages;
	uint8_t shim_page[SIDECAR_PAGE_SIZE] __attribute__((aligned(4096)));
	struct sidecar_command_error error;

	/* The hypervisor's. */
	struct call calls[MAX_CALLS];
	unsigned int call_count;
	uint32_t refused_name; /* of a register, or NO_NAME */
	uint16_t refused_status;
	unsigned int max_reps;			 /* of one call, then "success" */
	struct hv_register_assoc set[MAX_CALLS]; /* what has arrived, in order */
	unsigned int set_count;
	uint64_t code_page_offsets, capabilities;
	struct hv_translate_input translate;
	uint16_t translate_status;
	uint16_t (*start_vp)(uint16_t code, const struct hv_start_vp_input *input);

	/* The processor's. */
	struct msr_write msrs[MAX_MSRS];
	unsigned int msr_count;
	uint32_t refused_msr;
	uint64_t time, tick; /* the reference time, and how far each look moves it */
	uint64_t dr[7];
	struct hv_fx_state fx;
	uint64_t cr2;
	bool refuses_fx;

	/* Plays the guest and the way out of it; n counts from 0. */
	void (*guest)(struct hyperv_guest *guest, unsigned int n);
	unsigned int returns;
	unsigned int drains;
};

extern struct fake fake;

/* What GET answers for a name. */
struct hv_u128 fake_value(uint32_t name);

/* A CPU that has just come up, under a hypervisor with nothing special. */
int fake_setup(void **state);

struct hv_vp_assist_page *fake_assist(void);

#endif

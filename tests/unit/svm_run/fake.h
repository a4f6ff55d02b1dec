/* SPDX-License-Identifier: MIT */
/*
 * The SVM backend's run loop over a processor that is a function: a sidecar CPU in the memory of
 * the test, whose guest "runs" by a script of exits. Physical addresses are pointers.
 */
#ifndef SVM_RUN_FAKE_H
#define SVM_RUN_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch.h"
#include "backend.h"
#include "cpu.h"
#include "hardware.h"

#define MAX_ENTRIES 16u

/* What the processor saw at an entry. */
struct entry {
	uint8_t tlb_control;
	uint64_t nested_cr3;
	uint64_t generation_seen;
	uint64_t event_inj;
	uint64_t efer;
	uint64_t rip;
};

struct fake {
	struct cpu cpu;
	struct sidecar_control_page control;
	struct sidecar_command_page command;
	struct hv_register_page register_page;
	struct sidecar_state_page state;
	uint8_t backend[2 * SIDECAR_PAGE_SIZE] __attribute__((aligned(4096)));
	uint64_t tables[4][512] __attribute__((aligned(4096)));
	uint8_t code[SIDECAR_PAGE_SIZE] __attribute__((aligned(4096)));

	/* Plays the guest: fills the exit fields. n counts from 0. */
	void (*guest)(struct fake *fake, unsigned int n);
	void (*on_wait)(struct fake *fake);
	unsigned int entries;
	struct entry entry[MAX_ENTRIES];
	unsigned int drains;
	unsigned int waits;
	unsigned int scrubs;
	uint64_t tsc_aux; /* the processor's */
	struct sidecar_command_error error;
};

extern struct fake fake;

/* A CPU that has just come up, with no owner; the processor has NRIPS and FlushByAsid. */
int fake_setup(void **state);

struct svm_vmcb *fake_vmcb(void);

/* Maps the page code[] at this GPA, and nothing else. */
void fake_map_code(uint64_t gpa);

/* backend_command_begin and backend_run_vp. */
enum run_outcome fake_run(void);

/* For guest functions. */
void fake_exit(uint32_t code, uint64_t info1, uint64_t info2);
void fake_stop(void);

/* The payload of the message in the command page. */
void *fake_message(uint32_t type);

#endif

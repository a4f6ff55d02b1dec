/* SPDX-License-Identifier: MIT */
/*
 * A VMM for the tests of what a guest and its VMM see: one client of the library with one VP and
 * 1 MiB of memory at GPA 0, and guests of a few bytes that begin at VMM_CODE in one of three modes.
 */
#ifndef TESTS_VM_VMM_H
#define TESTS_VM_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sidecar/sidecar.h>

enum vmm_mode {
	VMM_REAL,
	VMM_PROTECTED, /* 32-bit code, flat segments, no paging */
	VMM_LONG, /* 64-bit code, the first GiB identity-mapped with 2 MiB pages, for users too */
};

/* Where things are, as guest-physical addresses. */
#define VMM_CODE 0x1000u
#define VMM_HANDLERS 0x2000u /* of vector n, 4 bytes at +4n: OUT n, AL and IRET */
#define VMM_DATA 0x3000u
#define VMM_STACK 0x7000u
#define VMM_GDT 0x8000u
#define VMM_IDT 0x9000u
#define VMM_TSS 0xa000u /* of long mode: its RSP0 is VMM_STACK */
#define VMM_PML4 0x10000u
#define VMM_PDPT 0x11000u
#define VMM_PD 0x12000u
#define VMM_SPARE 0x20000u /* from here on nothing */
#define VMM_MEMORY_SIZE 0x100000u
#define VMM_READ_ONLY 0x200000u	 /* one page that the guest may not write */
#define VMM_NO_EXECUTE 0x201000u /* one page that it may not execute */
#define VMM_UNMAPPED 0x300000u

/* Selectors of VMM_GDT. */
#define VMM_CODE32 0x08u
#define VMM_DATA32 0x10u
#define VMM_CODE64 0x18u
#define VMM_USER_DATA 0x20u
#define VMM_USER_CODE64 0x28u
#define VMM_TASK 0x30u

struct vmm {
	struct sidecar *client;
	struct sidecar_partition *partition;
	struct sidecar_vp *vp;
	struct sidecar_cpu_context *context;
	struct hv_register_page *page;
	uint64_t *gps; /* of the context */
	uint8_t *memory;
	uint8_t *read_only;
	uint8_t *no_execute;
	uint32_t cpu;
	enum vmm_mode mode;
	struct hv_message expected;
};

/* Inserts the module with cpus=1-3; everything that fails in here ends the program. */
void vmm_insert_module(void);

/* A client with a VP on this CPU, whose registers are those of a reset. */
void vmm_open(struct vmm *vmm, uint32_t cpu);
void vmm_close(struct vmm *vmm);

/* ---- registers ------------------------------------------------------------------------------- */

/* HV_STATUS_* of one register; 0xffff when it was another error. */
uint16_t vmm_set128(struct vmm *vmm, uint32_t name, struct hv_u128 value);
uint16_t vmm_set(struct vmm *vmm, uint32_t name, uint64_t value);
uint16_t vmm_get128(struct vmm *vmm, uint32_t name, struct hv_u128 *value);
uint64_t vmm_get(struct vmm *vmm, uint32_t name);

struct hv_u128 vmm_segment(uint64_t base, uint32_t limit, uint16_t selector, uint16_t attributes);
struct hv_u128 vmm_table(uint64_t base, uint16_t limit);

/* ---- guests ---------------------------------------------------------------------------------- */

/* The VP anew: every register of the mode, RIP at VMM_CODE, where the code is; HLT behind it. */
void vmm_load(struct vmm *vmm, enum vmm_mode mode, const uint8_t *code, size_t size);

#define VMM_LOAD(vmm, mode, ...)                                 \
	do {                                                     \
		static const uint8_t vmm_code[] = {__VA_ARGS__}; \
		vmm_load(vmm, mode, vmm_code, sizeof(vmm_code)); \
	} while (0)

/* CPL 3 with interrupts off; only after a load of long mode. */
void vmm_enter_user_mode(struct vmm *vmm);

/* Runs until an intercept; false, with the reason as a note, for anything else within 5 s. */
bool vmm_run(struct vmm *vmm);

/* Runs for so long; true when the VP was still running then. */
bool vmm_still_runs(struct vmm *vmm, unsigned int ms);

/* Runs; true when it stops in the handler of this vector. */
bool vmm_reaches_handler(struct vmm *vmm, unsigned int vector);

/* What the interrupted guest has left on its stack in the handler. */
uint64_t vmm_pushed_rip(const struct vmm *vmm, bool with_error_code);
uint64_t vmm_pushed_error_code(const struct vmm *vmm);

/* RIP behind the instruction of the last message, by the register page. */
void vmm_skip_instruction(struct vmm *vmm);

uint32_t vmm_message_type(const struct vmm *vmm);
const void *vmm_payload(const struct vmm *vmm);

/* ---- expected messages ----------------------------------------------------------------------- */

/*
 * Begins vmm->expected: a guest of the loaded mode at VMM_CODE with RFLAGS 2. What is different in
 * a test is then changed in the header that this returns, or in the payload.
 */
struct hv_intercept_header *vmm_expect(struct vmm *vmm, uint32_t type, uint8_t payload_size,
				       uint8_t instruction_length, uint8_t access);

#define VMM_EXPECTED(vmm, type) ((struct type *)(vmm)->expected.payload)

/* The 15 bytes at VMM_CODE. */
uint8_t vmm_expect_bytes(const struct vmm *vmm, uint8_t bytes[16]);

/* Runs and compares all 256 bytes, in the command page too; notes say which differ. */
bool vmm_runs_into_expected(struct vmm *vmm);

/* Compares only. */
bool vmm_message_is_expected(const struct vmm *vmm, const struct hv_message *message);

#endif

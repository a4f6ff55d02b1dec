/* SPDX-License-Identifier: MIT */
/*
 * The sidecar kernel on a thread, for tests: the real dispatch loop and the real commands over a
 * backend whose guest is a function. Whoever uses it plays the driver: it writes the status byte
 * and rings the doorbell, and is called when the CPU sends its interrupt.
 */
#ifndef HOST_H
#define HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sidecar/abi.h>

#include "cpu.h"

/* How a guest leaves its processor. */
enum host_exit {
	HOST_INTERCEPT, /* with the message that it has filled */
	HOST_INTERRUPT, /* it ran until an interrupt, or for slice_us, and goes on */
	HOST_ERROR,	/* RUN_VP ends with the text of host_guest.text */
	HOST_HANG,	/* the CPU is dead: it answers nothing until host_cpu_end() */
	HOST_PANIC,	/* the kernel has a bug here */
};

struct host_guest {
	/* Called for each entry, on the CPU's thread. The message is all zero before. */
	enum host_exit (*enter)(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);
	void *context;
	const char *text;
	uint64_t slice_us; /* of HOST_INTERRUPT; 0: until an interrupt comes */
	uint64_t entries;  /* counted before each call; atomic */
};

struct host_cpu {
	struct cpu cpu;
	struct sidecar_state_page state;
	struct host_guest *guest; /* the driver's to change while the CPU is IDLE */
	/* Called on the CPU's thread for the completion interrupt. */
	void (*interrupt)(void *context, uint32_t apic_id, uint8_t vector);
	void *context;
	int doorbell;	 /* pending interrupts of this CPU */
	int released;	 /* atomic: a dead CPU's thread may end */
	int ended;	 /* atomic: the thread touches nothing any more */
	bool started;
	pthread_t thread;
};

/*
 * Begins the life of a CPU, whose status byte is RUN until it is up. The pages and the rest of the
 * struct are the caller's, zero but for guest, interrupt and context. 0 or a negative errno.
 */
int host_cpu_start(struct host_cpu *host, uint32_t vp_index, uint32_t node_index,
		   struct sidecar_control_page *control, struct sidecar_command_page *command,
		   struct hv_register_page *register_page);

/* An interrupt for the CPU; its vector has no meaning. From any thread. */
void host_cpu_interrupt(struct host_cpu *host);

/* Ends the CPU's thread, whatever it does. The caller holds nothing that interrupt() needs. */
void host_cpu_end(struct host_cpu *host);

/* For arch.c and backend.c: sleeps until an interrupt, or for that long; 0 = no limit. */
void host_cpu_sleep(struct host_cpu *host, uint64_t limit_us);
_Noreturn void host_cpu_exit(struct host_cpu *host);

/* The backend's registers, in registers.c. */
void host_registers_reset(struct cpu *cpu);
struct hv_u128 *host_register(struct cpu *cpu, uint32_t name);
/* HV_STATUS_* of one register, wherever it is kept. */
uint16_t host_set_register(struct cpu *cpu, uint32_t name, struct hv_u128 value); /* NULL: there is none */

#endif

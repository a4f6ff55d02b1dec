/* SPDX-License-Identifier: MIT */
/*
 * A guest of guests/ on one VP: what run-vp and async-many share. Functions return 0 or print
 * what is wrong to stderr and return -1.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdint.h>
#include <stdio.h>

#include <sidecar/sidecar.h>

struct guest_exits {
	uint64_t total, io, halt, memory, cpuid, other;
};

struct guest {
	struct sidecar_partition *partition;
	struct sidecar_vp *vp;
	FILE *out;	 /* where the guest prints */
	uint8_t *memory; /* GPA 0 */
	uint64_t size;
	uint32_t input_length;
	uint32_t input_next; /* for PORT_INPUT_BYTE */
	struct guest_exits exits;
	uint64_t counted; /* what the guest says; 0 = nothing so far */
};

struct guest_options {
	const char *image; /* file */
	const char *input; /* file; NULL: empty */
	uint64_t memory;   /* bytes; 0: as much as it takes */
	int corrupt;	   /* flip a bit of the input once it is in the guest's memory */
};

#define GUEST_MEMORY_MAX 0xc0000000ull

/* Memory, image and input. To be undone with guest_destroy(), also after an error. */
int guest_load(struct guest *guest, const struct guest_options *options);

/* A partition with that memory and a VP on the CPU, which stands before the first instruction. */
int guest_start(struct guest *guest, struct sidecar *client, uint32_t cpu);

enum guest_state { GUEST_GOES_ON, GUEST_HALTED, GUEST_FAILED };

/* Does what the intercept asks for; GUEST_FAILED after printing why it cannot. */
enum guest_state guest_serve(struct guest *guest);

void guest_destroy(struct guest *guest);

/* "4096", "64K", "2M" or "1G"; -1 for anything else. */
int parse_size(const char *text, uint64_t *size);
int parse_number(const char *text, uint64_t limit, uint64_t *number);

/* CLOCK_MONOTONIC in ns, that many milliseconds from now; no deadline for 0. */
uint64_t deadline_in(uint64_t milliseconds);

#endif

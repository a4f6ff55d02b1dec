/* SPDX-License-Identifier: MIT */
/* What every suite of the library begins with: a fake machine and a client on it. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <sidecar/sidecar.h>

#include "fake.h"

#define MS 1000000ull
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Short where a CPU is to be found dead; long enough for a loaded machine everywhere else. */
#define DEAD_MS 150u

struct machine_options {
	uint64_t capabilities;
	uint64_t timeout_ns;
};

struct machine {
	struct fake *fake;
	struct sidecar *client;
	struct sidecar_partition *partition;
	uint64_t capabilities;
};

/*
 * Node 0 has CPUs 8 to 11, node 1 CPUs 0 to 3, node 2 CPUs 40 and 41: out of order, with gaps, and
 * CPU 0 not in node 0.
 */
#define CPU_A 1u
#define CPU_B 2u
#define CPU_C 3u
#define CPU_FAR 9u
#define CPU_LONE 41u
#define CPU_BASE 8u
#define CPU_IN_GAP 4u
#define CPU_BEYOND 42u

int machine_setup(void **state);
int machine_teardown(void **state);

extern const struct machine_options ours, original, uring;
extern const struct machine_options impatient, impatient_original, impatient_uring;

/* Our driver without and with commands through a ring, and the original's behaviour. */
#define CASE(test, options) \
	{#test " (" #options ")", test, machine_setup, machine_teardown, (void *)&(options)}
#define BOTH(test) CASE(test, ours), CASE(test, original)
#define EVERY(test) BOTH(test), CASE(test, uring)
#define IMPATIENT(test) \
	CASE(test, impatient), CASE(test, impatient_uring), CASE(test, impatient_original)

uint64_t now_ns_of_test(void);
static inline uint64_t in_ms(uint64_t ms)
{
	return now_ns_of_test() + ms * MS;
}

/* A VP in the machine's partition, or in none where the driver has none. */
struct sidecar_vp *make_vp(struct machine *machine, uint32_t cpu);
void destroy_vp(struct sidecar_vp *vp);

/* The guest of a CPU from now on. */
struct host_guest *set_guest(struct machine *machine, uint32_t cpu,
			     enum host_exit (*enter)(struct host_guest *, struct cpu *,
						     struct hv_message *));

/* Guests. */
enum host_exit guest_io(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);
enum host_exit guest_endless(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);
enum host_exit guest_dead(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);
enum host_exit guest_error(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);
/* Endless for the first entry, port I/O afterwards. */
enum host_exit guest_later(struct host_guest *guest, struct cpu *cpu, struct hv_message *message);

uint64_t entries_of(struct machine *machine, uint32_t cpu);
void wait_for_entries(struct machine *machine, uint32_t cpu, uint64_t count);

/* The next times times a command is refused with -error, whichever way it is started. */
void refuse_start(struct machine *machine, int error, unsigned int times);

/* The error has a text, the code that was returned, and the kind. */
void check_error(const struct sidecar_error *error, int code, uint32_t kind);
void check_text(const struct sidecar_error *error, const char *part);

/* A thread that cancels after a while; to be joined. */
pthread_t cancel_later(struct sidecar_vp *vp, unsigned int ms);

#endif

/* SPDX-License-Identifier: MIT */
/* The driver's and the VMM's part, by hand: control pages, command pages, interrupts. */
#ifndef NODE_H
#define NODE_H

#include <sidecar/abi.h>

#include "bench.h"

#define RESPONSE_VECTOR 0x90u
#define MAX_TEST_NODES 8u

struct test_node {
	uint32_t base, count;
	uint64_t memory, size;
	struct sidecar_control_page *control;
};

extern struct test_node nodes[MAX_TEST_NODES];
extern uint32_t node_count;
extern uint32_t apic_ids[BENCH_MAX_VPS];

/* NULL: no sidecar CPU can be there. */
struct test_node *node_of(uint32_t vp);
bool is_sidecar(uint32_t vp);
/* Some sidecar CPU: the first, or the last. */
uint32_t first_sidecar(void);
uint32_t last_sidecar(void);

uint8_t *status_of(uint32_t vp);
struct sidecar_command_page *page_of(uint32_t vp);
struct hv_register_page *register_page_of(uint32_t vp);

void kick(uint32_t vp);
void begin_command(uint32_t vp, uint32_t command);
bool is_idle(uint32_t vp);
bool do_command(uint32_t vp, uint32_t command);
/* IDLE to nothing else: RUN to STOP, and the interrupt. */
void stop(uint32_t vp);
/* The next GET or SET has these; returns the status, or 0xffff when the command failed. */
uint16_t do_get(uint32_t vp, uint8_t vtl, struct hv_register_assoc *all, uint32_t count);
uint16_t do_set(uint32_t vp, uint8_t vtl, const struct hv_register_assoc *all, uint32_t count);
bool error_contains(uint32_t vp, const char *word);

/* The parts of the program. */
void test_boot(void);
void test_nodes(void);
void test_commands(void);
void test_runs(void);
void test_removal(void);

#endif

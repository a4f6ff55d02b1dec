// SPDX-License-Identifier: MIT
/*
 * A plugin of QEMU's translator that counts the instructions of each CPU. Under -icount the clock
 * counts them as well, but an INIT to a CPU adds to it whatever that CPU was allowed to run until
 * the next timer, so the clock cannot tell what starting CPUs takes.
 *
 * -plugin FILE,out=NAME: each write to one of the MARKER ports (OUT with an immediate) adds a line
 * to NAME:
 *
 *   marker 0x84 cpu0 N others N busiest N hypervisor N
 *
 * since the start: by CPU 0, by the others together, by the one of them that did most, and, of all
 * these, at addresses of the test hypervisor. A block that is left in its middle, by a fault or an
 * intercept, counts as a whole.
 *
 * QEMU's documentation (devel/tcg-plugins) describes the interface, of which these are the parts
 * that are used; Debian has no header for it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../hyperv/l0/layout.h"

#define EXPORT __attribute__((visibility("default")))
#define INTERFACE_VERSION 1
#define NO_REGISTERS 0

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*exec_fn)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*translated)(uint64_t id,
							      struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, exec_fn executed, int flags,
					  void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction, exec_fn executed,
					    int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);

EXPORT int qemu_plugin_version = INTERFACE_VERSION;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

#define MAX_CPUS_COUNTED 256u
#define OUT_IMMEDIATE 0xe6
/* Ports that nothing listens to: of shim/cpu.h, and of bench-online. */
static const uint8_t markers[] = {0x84, 0x85, 0x86, 0x8c, 0x8d};

static uint64_t count[MAX_CPUS_COUNTED], in_hypervisor[MAX_CPUS_COUNTED];
static FILE *out;

static void count_block(unsigned int cpu, void *instructions)
{
	count[cpu % MAX_CPUS_COUNTED] += (uintptr_t)instructions;
}

static void count_hypervisor(unsigned int cpu, void *instructions)
{
	count_block(cpu, instructions);
	in_hypervisor[cpu % MAX_CPUS_COUNTED] += (uintptr_t)instructions;
}

static void mark(unsigned int cpu, void *port)
{
	uint64_t others = 0, busiest = 0, hypervisor = in_hypervisor[0];

	(void)cpu;
	for (unsigned int i = 1; i < MAX_CPUS_COUNTED; i++) {
		others += count[i];
		hypervisor += in_hypervisor[i];
		if (count[i] > busiest)
			busiest = count[i];
	}
	fprintf(out,
		"marker 0x%" PRIxPTR " cpu0 %" PRIu64 " others %" PRIu64 " busiest %" PRIu64
		" hypervisor %" PRIu64 "\n",
		(uintptr_t)port, count[0], others, busiest, hypervisor);
	fflush(out);
}

static bool is_marker(const uint8_t *out_immediate)
{
	return out_immediate[0] == OUT_IMMEDIATE &&
	       memchr(markers, out_immediate[1], sizeof(markers));
}

static void look_for_markers(struct qemu_plugin_tb *block)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
		const uint8_t *bytes = qemu_plugin_insn_data(instruction);

		if (qemu_plugin_insn_size(instruction) == 2 && is_marker(bytes))
			qemu_plugin_register_vcpu_insn_exec_cb(instruction, mark, NO_REGISTERS,
							       (void *)(uintptr_t)bytes[1]);
	}
}

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
	bool hypervisor = qemu_plugin_tb_vaddr(block) - L0_BASE < L0_SIZE;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(block, hypervisor ? count_hypervisor : count_block,
					     NO_REGISTERS,
					     (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
	look_for_markers(block);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "the plugin's one argument is out=FILE\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

// SPDX-License-Identifier: MIT
/* The counters of a CPU in sysfs rise by exactly what the VMM has seen. */
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "vmm.h"

#define FILES "/sys/class/misc/" SIDECAR_DEVICE_PREFIX "0/cpu1/"

static struct vmm vmm;

/* In the order of enum sidecar_exit, then the sum. */
static const char *const names[] = {
	"io",	     "msr",	  "cpuid",	   "halt",	  "hypercall",
	"memory",    "exception", "unrecoverable", "deliverable", "invalid_register",
	"interrupt", "internal",  "total",
};

#define KINDS (sizeof(names) / sizeof(names[0]))
#define TOTAL (KINDS - 1)

struct counters {
	unsigned long long exits[KINDS];
	unsigned long long entries, commands;
};

static unsigned long long read_number(const char *path)
{
	unsigned long long value = 0;
	FILE *file = fopen(path, "r");

	if (!file || fscanf(file, "%llu", &value) != 1)
		tap_note("%s cannot be read", path);
	if (file)
		fclose(file);
	return value;
}

static void read_exits(unsigned long long exits[KINDS])
{
	char name[32];
	FILE *file = fopen(FILES "exits", "r");
	unsigned long long value;

	memset(exits, 0, KINDS * sizeof(exits[0]));
	while (file && fscanf(file, "%31s %llu", name, &value) == 2)
		for (size_t i = 0; i < KINDS; i++)
			if (strcmp(name, names[i]) == 0)
				exits[i] = value;
	if (file)
		fclose(file);
}

static struct counters read_counters(void)
{
	struct counters counters;

	read_exits(counters.exits);
	counters.entries = read_number(FILES "entries");
	counters.commands = read_number(FILES "commands");
	return counters;
}

/* Runs the guest that is loaded so many times; each must end in a message of this type. */
static bool runs(unsigned int times, uint32_t type)
{
	while (times--)
		if (!vmm_run(&vmm) || vmm_message_type(&vmm) != type)
			return false;
	return true;
}

static unsigned long long rise(const struct counters *before, const struct counters *now, size_t i)
{
	return now->exits[i] - before->exits[i];
}

/* The guest is loaded; count exits of one kind, and of none other that the VMM sees. */
static void check(enum sidecar_exit kind, unsigned int times, uint32_t type)
{
	struct counters before = read_counters(), now;
	unsigned long long others = 0;
	bool ran = runs(times, type);

	now = read_counters();
	for (size_t i = 0; i < SIDECAR_EXIT_MESSAGES; i++)
		others += i == kind ? 0 : rise(&before, &now, i);
	if (!tap_check(ran && rise(&before, &now, kind) == times && others == 0 &&
			       rise(&before, &now, TOTAL) == times,
		       "%u exits of kind %s", times, names[kind]))
		tap_note("ran %d, rose by %llu, others by %llu, total by %llu", ran,
			 rise(&before, &now, kind), others, rise(&before, &now, TOTAL));
	tap_equal(now.commands - before.commands, times, "and as many commands");
}

static void test_kinds(void)
{
	VMM_LOAD(&vmm, VMM_LONG, 0xe6, 0x10);
	check(SIDECAR_EXIT_IO, 17, HV_MESSAGE_IO_PORT_INTERCEPT);
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x32);
	check(SIDECAR_EXIT_MSR, 5, HV_MESSAGE_MSR_INTERCEPT);
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0xa2);
	check(SIDECAR_EXIT_CPUID, 6, HV_MESSAGE_CPUID_INTERCEPT);
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	check(SIDECAR_EXIT_HALT, 7, HV_MESSAGE_HALT);
	VMM_LOAD(&vmm, VMM_LONG, 0x0f, 0x01, 0xd9);
	check(SIDECAR_EXIT_HYPERCALL, 8, HV_MESSAGE_HYPERCALL_INTERCEPT);
	VMM_LOAD(&vmm, VMM_LONG, 0x8b, 0x03);
	vmm.gps[SIDECAR_GP_RBX] = VMM_UNMAPPED;
	check(SIDECAR_EXIT_MEMORY, 9, HV_MESSAGE_UNMAPPED_GPA);
	VMM_LOAD(&vmm, VMM_LONG, 0x89, 0x03);
	vmm.gps[SIDECAR_GP_RBX] = VMM_READ_ONLY;
	check(SIDECAR_EXIT_MEMORY, 10, HV_MESSAGE_GPA_INTERCEPT);
	VMM_LOAD(&vmm, VMM_REAL, 0x0f, 0x0b);
	vmm_set128(&vmm, HV_REGISTER_IDTR, vmm_table(0, 0));
	check(SIDECAR_EXIT_UNRECOVERABLE, 1, HV_MESSAGE_UNRECOVERABLE_EXCEPTION);
	VMM_LOAD(&vmm, VMM_LONG, 0xf4);
	vmm_set(&vmm, HV_REGISTER_RIP, 0x800000000000);
	check(SIDECAR_EXIT_INVALID_REGISTER, 4, HV_MESSAGE_INVALID_VP_REGISTER_VALUE);
	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	vmm_set(&vmm, HV_REGISTER_RFLAGS, 0x202);
	vmm_set(&vmm, HV_REGISTER_DELIVERABILITY_NOTIFICATIONS, HV_DELIVERABILITY_INTERRUPT);
	check(SIDECAR_EXIT_DELIVERABLE, 1, HV_MESSAGE_INTERRUPTION_DELIVERABLE);
}

/* A guest that counts itself: 200 turns of OUT and WBINVD, then HLT. */
static void test_mixture(void)
{
	struct counters before, now;
	unsigned int ios = 0;

	VMM_LOAD(&vmm, VMM_LONG, 0xb9, 200, 0, 0, 0, 0xe6, 0x10, 0x0f, 0x09, 0xff, 0xc9, 0x75, 0xf8,
		 0xf4);
	before = read_counters();
	while (vmm_run(&vmm) && vmm_message_type(&vmm) == HV_MESSAGE_IO_PORT_INTERCEPT) {
		vmm_skip_instruction(&vmm);
		ios++;
	}
	now = read_counters();
	tap_equal(ios, 200, "the VMM saw 200 port writes");
	tap_equal(rise(&before, &now, SIDECAR_EXIT_IO), 200, "sysfs has as many");
	tap_equal(rise(&before, &now, SIDECAR_EXIT_HALT), 1, "and one HLT");
	tap_equal(rise(&before, &now, SIDECAR_EXIT_INTERNAL), 200,
		  "and 200 WBINVD that it did not");
	tap_equal(rise(&before, &now, TOTAL), 201, "the total is what the VMM saw");
	tap_equal(now.entries - before.entries, 401 + rise(&before, &now, SIDECAR_EXIT_INTERRUPT),
		  "and there was an entry before each exit");
}

static void test_other_commands(void)
{
	struct counters before = read_counters(), now;
	struct sidecar_cpu_info info;

	sidecar_vp_test(vmm.vp);
	vmm_get(&vmm, HV_REGISTER_STAR);
	now = read_counters();
	tap_equal(now.commands - before.commands, 2,
		  "commands that do not run the guest are counted");
	tap_check(now.entries == before.entries && rise(&before, &now, TOTAL) == 0,
		  "and are neither entries nor exits");
	tap_check(sidecar_cpu_info(vmm.client, 1, &info) == 0 && info.exits == now.exits[TOTAL] &&
			  info.entries == now.entries,
		  "the library tells the same numbers");
}

/* A run that is cancelled has no message and is no exit that the VMM sees. */
static void test_cancelled(void)
{
	struct counters before, now;

	VMM_LOAD(&vmm, VMM_LONG, 0xeb, 0xfe);
	before = read_counters();
	tap_check(vmm_still_runs(&vmm, 50), "a run is ended by its deadline");
	now = read_counters();
	tap_equal(rise(&before, &now, TOTAL), 0, "and counts as no exit of the VMM's");
	tap_check(rise(&before, &now, SIDECAR_EXIT_INTERRUPT) >= 1, "but as an interrupt");
}

int main(void)
{
	vmm_insert_module();
	vmm_open(&vmm, 1);
	test_kinds();
	test_mixture();
	test_other_commands();
	test_cancelled();
	vmm_close(&vmm);
	return tap_done();
}

// SPDX-License-Identifier: MIT
/*
 * The boot shim: before Linux there is the sidecar.
 *
 *   qemu-system-x86_64 -kernel shim.elf -initrd ARCHIVE -append "OPTIONS -- LINUX'S COMMAND LINE"
 *
 * It finds the CPUs and the memory, plans which CPUs the sidecar gets, puts the sidecar kernel onto
 * them, and boots a stock Linux on the CPU it runs on, which finds the rest as it would after a
 * boot with maxcpus=1. OpenHCL's shim is the model, so the rules are its rules (plan.h). Whatever
 * prevents a sidecar is said and Linux gets every CPU; what goes wrong after that is fatal.
 */
#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "device_tree.h"
#include "hyperv.h"
#include "linux.h"
#include "machine.h"
#include "options.h"
#include "plan.h"
#include "sidecar.h"

void shim_main(const void *start_info);

/* Too large for the stack. */
static struct machine machine;
static struct options options;
static struct shim_plan plan;
static struct file sidecar_file, initrd;
static char linux_line[COMMAND_LINE_SIZE + 256];
static uint64_t device_tree[DEVICE_TREE_MAX_SIZE / 8];
static uint32_t device_tree_size;

static void open_files(void)
{
	struct file file;

	if (!archive_find(&machine.archive, "linux", &file))
		panic("the archive that came with the shim (%lu bytes) has no file linux",
		      machine.archive.size);
	linux_reserve(&machine, &file);
	if (archive_find(&machine.archive, "kernel", &file))
		sidecar_file = machine_align(&machine, &file);
	if (archive_find(&machine.archive, "initrd", &file))
		initrd = machine_align(&machine, &file);
}

static void read_all(const void *start_info)
{
	machine_read(&machine, start_info);
	if (!options_parse(&options, machine.command_line))
		panic("%s", options.error);
	open_files();
	snprintf(linux_line, sizeof(linux_line), "%s", options.linux_line);
}

static void say_note(const char *text)
{
	say("%s", text);
}

/* Linux numbers CPUs as the firmware's table has them, the kernel by VP index. */
static bool check_numbers(void)
{
	uint32_t cpu = 0, vp = 0;

	if (!hyperv_present() || hyperv_same_order(&machine, &cpu, &vp))
		return true;
	say("no sidecar: Linux's CPU %u is VP %u", cpu, vp);
	return false;
}

static bool make_plan(void)
{
	const struct shim_machine input = {
		.cpus = machine.cpus,
		.cpu_count = machine.cpu_count,
		.memory = &machine.memory,
		.isolation = SHIM_ISOLATION_NONE,
		.image = sidecar_file.size != 0,
		.hypervisor = hyperv_present(),
		.x2apic = machine.x2apic,
		.off = options.off,
		.outstanding_io = &options.outstanding_io,
		.idle_interrupts = &options.idle_interrupts,
	};

	plan.note = say_note;
	if (!check_numbers())
		return false;
	if (shim_plan_make(&plan, &input))
		return true;
	say("no sidecar: %s", plan.reason);
	return false;
}

static void make_device_tree(const struct sidecar_handover *handover)
{
	static struct sidecar_node_output nodes[SIDECAR_MAX_NODES];
	const struct sidecar_handover_node *from = (const void *)(handover + 1);
	const struct device_tree_input input = {nodes, handover->node_count, handover->time_start,
						handover->time_end};

	for (uint32_t i = 0; i < handover->node_count; i++)
		nodes[i] = (struct sidecar_node_output){
			from[i].control_page, from[i].shmem_pages_base, from[i].shmem_pages_size};
	device_tree_size = device_tree_make(device_tree, sizeof(device_tree), &input);
}

/*
 * A kernel that knows boot_cpus= starts those; a stock one starts only the first, and the driver
 * the others of them.
 */
static void extend_command_line(const struct sidecar_handover *handover)
{
	size_t used = strlen(linux_line), room;

	used += (size_t)snprintf(linux_line + used, sizeof(linux_line) - used,
				 " maxcpus=1 sidecar.handover=%#llx ",
				 (unsigned long long)(uint64_t)handover);
	room = sizeof(linux_line) - used;
	if (used >= sizeof(linux_line) ||
	    !shim_plan_boot_cpus(&plan, machine.cpu_count, linux_line + used, room))
		panic("boot_cpus= does not fit into Linux's command line");
	say("%s", linux_line + used);
}

static void start_sidecar(void)
{
	const struct sidecar_start start = {
		.file = &sidecar_file,
		.plan = &plan,
		.hypervisor = hyperv_present(),
		.log = options.log,
		.timeout_ms = options.timeout_ms,
	};
	const struct sidecar_handover *handover = sidecar_start(&machine, &start);

	make_device_tree(handover);
	extend_command_line(handover);
}

void shim_main(const void *start_info)
{
	marker(MARKER_BEGIN);
	console_start();
	if (!hyperv_present()) /* which has its own */
		clock_start();
	read_all(start_info);
	if (make_plan())
		start_sidecar();
	linux_boot(&machine, &initrd, linux_line, device_tree_size ? device_tree : NULL,
		   device_tree_size);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * sidecar.ko: CPUs that Linux left offline run guests, without ever booting Linux.
 *
 *   insmod sidecar.ko cpus=1-31 [node_size=32] [strict=1] [timeout_ms=5000] [log=0]
 *                     [firmware=sidecar-svm.elf]
 *   insmod sidecar.ko [handover=0x49000]       adopts what a boot shim has started
 *
 * The list of steps below is the order of everything; a step that fails undoes those before it.
 */
#include <linux/cc_platform.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/smp.h>

#include "adopt.h"
#include "driver.h"
#include "plan.h"
#include "trampoline.h"

#define DEFAULT_NODE_SIZE 32u
#define DEFAULT_TIMEOUT_MS 5000u
#define MAX_TIMEOUT_MS 600000u
#define DEFAULT_SPIN_US 50
#define MAX_SPIN_US 1000
#define MAX_APIC_ID 0xfeu /* of the xAPIC; 0xff is everybody */

static char *cpus = "";
module_param(cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "CPUs for the sidecar, e.g. 1-31,40 (each offline)");

static unsigned int node_size = DEFAULT_NODE_SIZE;
module_param(node_size, uint, 0444);
MODULE_PARM_DESC(node_size, "most CPUs of a node, its base CPU included (32)");

static bool strict;
module_param(strict, bool, 0444);
MODULE_PARM_DESC(strict, "refuse a CPU that shares a core with Linux (0)");

unsigned int scdrv_timeout_ms = DEFAULT_TIMEOUT_MS;
module_param_named(timeout_ms, scdrv_timeout_ms, uint, 0444);
MODULE_PARM_DESC(timeout_ms, "bound of every wait but a guest's run, in ms (5000)");

unsigned int scdrv_spin_us = DEFAULT_SPIN_US;
module_param_named(spin_us, scdrv_spin_us, uint, 0444);
MODULE_PARM_DESC(spin_us, "how long a RUN watches for its end before it sleeps, in us (50)");

static bool log;
module_param(log, bool, 0444);
MODULE_PARM_DESC(log, "the sidecar kernel also logs to COM3 (0)");

static char *firmware = "sidecar-svm.elf";
module_param(firmware, charp, 0444);
MODULE_PARM_DESC(firmware, "the sidecar kernel's file below /lib/firmware");

static unsigned long long handover;
module_param(handover, ullong, 0444);
MODULE_PARM_DESC(handover, "PA of a boot shim's handover (from Linux's command line)");

struct scdrv_node **scdrv_nodes;
unsigned int scdrv_node_count;
struct device *scdrv_root;

/* ---- the machine ----------------------------------------------------------------------------- */

static int check_parameters(void)
{
	if (scdrv_timeout_ms < 1 || scdrv_timeout_ms > MAX_TIMEOUT_MS) {
		pr_err("timeout_ms=%u is not in 1..%u\n", scdrv_timeout_ms, MAX_TIMEOUT_MS);
		return -EINVAL;
	}
	if (scdrv_spin_us > MAX_SPIN_US) {
		pr_err("spin_us=%u is not in 0..%u\n", scdrv_spin_us, MAX_SPIN_US);
		return -EINVAL;
	}
	return 0;
}

/*
 * modprobe hands over what stands on Linux's command line even to a person who types cpus=, so
 * cpus= goes first; it takes the CPUs from the shim's sidecar as from anybody.
 */
static int find_handover(void)
{
	if (*cpus && handover)
		pr_notice("cpus= is given: handover=%#llx is not looked at\n", handover);
	if (*cpus)
		return 0;
	return scdrv_adopt_init(handover);
}

static bool needs_svm(void)
{
	return !scdrv_adopting() || scdrv_adopt_backend() == SIDECAR_BACKEND_SVM;
}

static int check_machine(void)
{
	if (needs_svm() && !boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("this machine has no SVM (CPUID 8000_0001h ECX bit 2): AMD-V is needed\n");
		return -ENODEV;
	}
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		pr_err("memory encryption is on: boot with mem_encrypt=off\n");
		return -ENODEV;
	}
	return 0;
}

/*
 * Bits of an APIC ID that tell the threads of a core apart. APM vol. 3, CPUID Fn0000_000B_x0 EAX
 * and Fn8000_001E EBX.
 */
static unsigned int thread_bits(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (boot_cpu_data.cpuid_level >= 0xb) {
		cpuid_count(0xb, 0, &eax, &ebx, &ecx, &edx);
		if (ebx & 0xffff)
			return eax & 0x1f;
	}
	if (cpuid_eax(0x80000000) < 0x8000001e || !boot_cpu_has(X86_FEATURE_TOPOEXT))
		return 0;
	return order_base_2(((cpuid_ebx(0x8000001e) >> 8) & 0xff) + 1);
}

static u32 apic_id_of(unsigned int cpu)
{
	return per_cpu(x86_cpu_to_apicid, cpu);
}

/* A CPU that no INIT can reach is as good as absent. */
static bool reachable(unsigned int cpu)
{
	u32 id = apic_id_of(cpu);

	return cpu_present(cpu) && id != BAD_APICID && (x2apic_enabled() || id <= MAX_APIC_ID);
}

static void describe_machine(struct plan_cpu *out, unsigned int count)
{
	unsigned int bits = thread_bits(), cpu;

	for (cpu = 0; cpu < count; cpu++) {
		if (!cpu_possible(cpu) || !reachable(cpu))
			continue;
		out[cpu].present = true;
		out[cpu].online = cpu_online(cpu);
		out[cpu].numa = cpu_to_node(cpu);
		out[cpu].core = apic_id_of(cpu) >> bits;
	}
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct scdrv_vp *scdrv_vp_of_cpu(unsigned int cpu)
{
	struct scdrv_node *node;
	unsigned int n;

	for (n = 0; n < scdrv_node_count; n++) {
		node = scdrv_nodes[n];
		if (cpu >= node->base_cpu && cpu - node->base_cpu < node->cpu_count)
			return &node->vps[cpu - node->base_cpu];
	}
	return NULL;
}

static void init_vp(struct scdrv_node *node, u32 index)
{
	struct scdrv_vp *vp = &node->vps[index];

	vp->node = node;
	vp->index = index;
	vp->cpu = node->base_cpu + index;
	vp->apic_id = apic_id_of(vp->cpu);
	vp->claim = SCDRV_REMOVED;
	init_waitqueue_head(&vp->wait);
}

static struct scdrv_node *new_node(u32 index, const struct plan_node *plan)
{
	struct scdrv_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	u32 i;

	if (!node)
		return NULL;
	node->vps = kvcalloc(plan->cpu_count, sizeof(*node->vps), GFP_KERNEL);
	if (!node->vps) {
		kfree(node);
		return NULL;
	}
	node->index = index;
	node->base_cpu = plan->base_cpu;
	node->cpu_count = plan->cpu_count;
	node->numa_node = plan->numa;
	snprintf(node->name, sizeof(node->name), SIDECAR_DEVICE_PREFIX "%u", index);
	init_waitqueue_head(&node->wait);
	spin_lock_init(&node->scan_lock);
	for (i = 0; i < node->cpu_count; i++)
		init_vp(node, i);
	return node;
}

static void free_nodes(void)
{
	while (scdrv_node_count) {
		scdrv_node_count--;
		kvfree(scdrv_nodes[scdrv_node_count]->vps);
		kfree(scdrv_nodes[scdrv_node_count]);
	}
	kfree(scdrv_nodes);
	scdrv_nodes = NULL;
}

static int new_nodes(const struct plan *plan)
{
	struct scdrv_node *node;
	u32 i;

	scdrv_nodes = kcalloc(plan->node_count, sizeof(*scdrv_nodes), GFP_KERNEL);
	for (i = 0; scdrv_nodes && i < plan->node_count; i++) {
		node = new_node(i, &plan->nodes[i]);
		if (!node)
			break;
		scdrv_nodes[scdrv_node_count++] = node;
	}
	if (scdrv_nodes && scdrv_node_count == plan->node_count)
		return 0;
	free_nodes();
	return -ENOMEM;
}

static void print_note(void *unused, const char *text)
{
	pr_warn("%s\n", text);
}

static int plan_nodes(struct plan *plan, struct plan_cpu *table)
{
	struct plan_machine machine = {table, nr_cpu_ids};
	struct plan_options options = {cpus, node_size, strict};
	int error;

	describe_machine(table, nr_cpu_ids);
	plan->note = print_note;
	error = scdrv_adopting() ? scdrv_adopt_plan(plan, &machine) :
				   plan_make(plan, &machine, &options);
	if (error) {
		pr_err("%s\n", plan->error);
		return error;
	}
	return new_nodes(plan);
}

static int make_nodes(void)
{
	struct plan_cpu *table = kvcalloc(nr_cpu_ids, sizeof(*table), GFP_KERNEL);
	struct plan *plan = kvzalloc(sizeof(*plan), GFP_KERNEL);
	int error = table && plan ? plan_nodes(plan, table) : -ENOMEM;

	kvfree(plan);
	kvfree(table);
	return error;
}

/* ---- base CPUs ------------------------------------------------------------------------------- */

static unsigned int *brought_up; /* base CPUs that were offline */
static unsigned int brought_up_count;

static void forget_bases(void)
{
	kfree(brought_up);
	brought_up = NULL;
	brought_up_count = 0;
}

/* insmod failed: they go back. After rmmod they stay. */
static void take_bases_down(void)
{
	while (brought_up_count)
		remove_cpu(brought_up[--brought_up_count]);
	forget_bases();
}

static int bring_up_base(unsigned int cpu)
{
	int error;

	if (cpu_online(cpu))
		return 0;
	error = add_cpu(cpu);
	if (error) {
		pr_err("base CPU %u cannot be brought online: error %d\n", cpu, error);
		return error;
	}
	brought_up[brought_up_count++] = cpu;
	return 0;
}

static int bring_up_bases(void)
{
	unsigned int n;
	int error = 0;

	brought_up = kcalloc(nr_cpu_ids, sizeof(*brought_up), GFP_KERNEL);
	if (!brought_up)
		return -ENOMEM;
	for (n = 0; n < scdrv_node_count && !error; n++)
		error = bring_up_base(scdrv_nodes[n]->base_cpu);
	for (n = 0; scdrv_adopting() && n < nr_cpu_ids && !error; n++) {
		if (cpu_present(n) && scdrv_adopt_is_linux(n))
			error = bring_up_base(n);
	}
	if (error)
		take_bases_down();
	return error;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* A CPU that nothing moves may still write to anything that it ever saw. */
static bool any_unreachable(void)
{
	unsigned int n, i;

	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 1; i < scdrv_nodes[n]->cpu_count; i++) {
			if (scdrv_nodes[n]->vps[i].unreachable)
				return true;
		}
	}
	return false;
}

static void free_memory(void)
{
	unsigned int n;

	if (any_unreachable())
		return;
	for (n = 0; n < scdrv_node_count; n++) {
		if (scdrv_adopting())
			scdrv_adopt_memory_free(scdrv_nodes[n]);
		else
			scdrv_memory_free(scdrv_nodes[n]);
	}
}

static int alloc_memory(void)
{
	unsigned int n;
	int error = 0;

	for (n = 0; n < scdrv_node_count && !error; n++)
		error = scdrv_adopting() ? scdrv_adopt_memory(scdrv_nodes[n]) :
					   scdrv_memory_alloc(scdrv_nodes[n]);
	if (error)
		free_memory();
	return error;
}

static int load_image(void)
{
	return scdrv_adopting() ? scdrv_adopt_image() : scdrv_image_load(firmware);
}

static void free_image(void)
{
	if (scdrv_adopting())
		scdrv_adopt_image_free();
	else if (!any_unreachable())
		scdrv_image_free();
}

static void free_trampoline(void)
{
	if (!any_unreachable())
		scdrv_trampoline_exit();
}

/* ---- devices --------------------------------------------------------------------------------- */

static void remove_node(struct scdrv_node *node)
{
	scdrv_sysfs_remove(node);
	scdrv_device_unregister(node);
}

static int add_node(struct scdrv_node *node)
{
	int error = scdrv_device_register(node);

	if (error)
		return error;
	error = scdrv_sysfs_add(node);
	if (error)
		scdrv_device_unregister(node);
	return error;
}

static void report_node(const struct scdrv_node *node)
{
	pr_info("%s: base CPU %u, sidecar CPUs %u-%u, %zu KiB of NUMA node %d, IRQ %d\n",
		node->name, node->base_cpu, node->base_cpu + 1,
		node->base_cpu + node->cpu_count - 1, node->memory_size >> 10,
		node->pages ? page_to_nid(node->pages) : node->numa_node, node->irq);
}

static void remove_devices(void)
{
	unsigned int n = scdrv_node_count;

	while (n)
		remove_node(scdrv_nodes[--n]);
}

static int add_devices(void)
{
	unsigned int n;
	int error;

	for (n = 0; n < scdrv_node_count; n++) {
		error = add_node(scdrv_nodes[n]);
		if (error)
			break;
		report_node(scdrv_nodes[n]);
	}
	if (n == scdrv_node_count)
		return 0;
	while (n)
		remove_node(scdrv_nodes[--n]);
	return error;
}

/* Only when the CPUs are parked. */
static void remove_irqs(void)
{
	unsigned int n;

	for (n = 0; n < scdrv_node_count; n++)
		scdrv_irq_remove(scdrv_nodes[n]);
}

static int add_irqs(void)
{
	unsigned int n;
	int error = 0;

	for (n = 0; n < scdrv_node_count && !error; n++)
		error = scdrv_irq_add(scdrv_nodes[n]);
	return error;
}

static void stop_cpus(void)
{
	scdrv_boot_stop();
	remove_irqs();
}

static int start_cpus(void)
{
	int error = scdrv_adopting() ? scdrv_adopt_start() : scdrv_boot_start(log);

	if (error)
		return error;
	error = add_irqs();
	if (error)
		stop_cpus();
	return error;
}

static int add_root(void)
{
	scdrv_root = root_device_register("sidecar");
	return PTR_ERR_OR_ZERO(scdrv_root);
}

static void remove_root(void)
{
	root_device_unregister(scdrv_root);
}

/* ---- in and out ------------------------------------------------------------------------------ */

static const struct {
	int (*enter)(void);
	void (*leave)(void);
} steps[] = {
	{check_parameters, NULL},
	{find_handover, scdrv_adopt_exit},
	{check_machine, NULL},
	{make_nodes, free_nodes},
	{add_root, remove_root},
	{load_image, free_image},
	{alloc_memory, free_memory},
	{scdrv_trampoline_init, free_trampoline},
	{scdrv_irq_init, scdrv_irq_exit},
	{bring_up_bases, take_bases_down},
	{scdrv_hotplug_init, scdrv_hotplug_exit},
	{start_cpus, stop_cpus},
	{scdrv_move_init, scdrv_move_exit},
	{scdrv_sysfs_init, scdrv_sysfs_exit},
	{add_devices, remove_devices},
	{scdrv_power_init, scdrv_power_exit},
};

static void leave_steps(unsigned int count)
{
	while (count) {
		if (steps[--count].leave)
			steps[count].leave();
	}
}

static int __init sidecar_init(void)
{
	unsigned int i;
	int error;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		error = steps[i].enter();
		if (!error)
			continue;
		leave_steps(i);
		return error;
	}
	return 0;
}

static void __exit sidecar_exit(void)
{
	forget_bases();
	leave_steps(ARRAY_SIZE(steps));
}

module_init(sidecar_init);
module_exit(sidecar_exit);

MODULE_DESCRIPTION("CPUs outside Linux that run guests");
MODULE_LICENSE("GPL");
MODULE_FIRMWARE("sidecar-svm.elf");

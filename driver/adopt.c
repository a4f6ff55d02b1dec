// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include <asm/smp.h>

#include <sidecar/handover.h>

#include "adopt.h"
#include "trampoline.h"

#define LINE_SIZE 4096
#define PARAMETER "sidecar.handover="
#define ANSWER_MS 500u /* of a CPU that only has to say that it is there */
#define SECOND_SIPI_MS 10u
#define FOUR_GIB (1ull << 32)

static const struct sidecar_handover *handover;
static struct sidecar_extension *extension;
static struct sidecar_state_page *no_state; /* of a kernel that has none, and of Linux's CPUs */

bool scdrv_adopting(void)
{
	return handover;
}

u32 scdrv_adopt_backend(void)
{
	return handover->backend;
}

static const struct sidecar_handover_node *handover_node(u32 index)
{
	return (const struct sidecar_handover_node *)(handover + 1) + index;
}

static const struct sidecar_extension_cpu *extension_cpus(void)
{
	return (const struct sidecar_extension_cpu *)(extension + 1);
}

/* ---- finding it ------------------------------------------------------------------------------ */

/* Linux keeps its command line to itself, but for this file. */
static int read_command_line(char *line)
{
	struct file *file = filp_open("/proc/cmdline", O_RDONLY, 0);
	loff_t at = 0;
	ssize_t length;

	if (IS_ERR(file))
		return PTR_ERR(file);
	length = kernel_read(file, line, LINE_SIZE - 1, &at);
	filp_close(file, NULL);
	if (length < 0)
		return length;
	line[length] = '\0';
	return 0;
}

/* Without /proc there is none. *address stays 0 when the line has no such word. */
static int search_command_line(u64 *address)
{
	char *line = kzalloc(LINE_SIZE, GFP_KERNEL), *rest = line, *word;
	int error = 0;

	if (!line)
		return -ENOMEM;
	if (!read_command_line(line)) {
		while (!error && (word = strsep(&rest, " \n"))) {
			if (!strncmp(word, PARAMETER, strlen(PARAMETER)))
				error = kstrtou64(word + strlen(PARAMETER), 0, address);
		}
	}
	kfree(line);
	if (error)
		pr_err(PARAMETER " of Linux's command line is not a number\n");
	return error;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static int check_header(const struct sidecar_handover *h, u64 address)
{
	u64 size = sizeof(*h) + (u64)h->node_count * sizeof(struct sidecar_handover_node);

	if (h->magic != SIDECAR_HANDOVER_MAGIC) {
		pr_err("handover=%#llx: magic %#llx, not %#llx\n", address, h->magic,
		       SIDECAR_HANDOVER_MAGIC);
		return -EINVAL;
	}
	if (h->version != SIDECAR_HANDOVER_VERSION) {
		pr_err("handover=%#llx: version %u, this module knows %u\n", address, h->version,
		       SIDECAR_HANDOVER_VERSION);
		return -EINVAL;
	}
	if (!h->node_count || h->node_count > PLAN_MAX_NODES || h->size != size) {
		pr_err("handover=%#llx: %u nodes (1..%u) in %u bytes\n", address, h->node_count,
		       PLAN_MAX_NODES, h->size);
		return -EINVAL;
	}
	return 0;
}

static int check_node(u32 index)
{
	const struct sidecar_handover_node *node = handover_node(index);

	if (node->cpu_count >= 2 && node->cpu_count <= PLAN_MAX_NODE_SIZE &&
	    !(node->memory & ~PAGE_MASK) &&
	    node->memory_size >= SIDECAR_REQUIRED_MEMORY(node->cpu_count))
		return 0;
	pr_err("handover: node %u has %u CPUs (2..%u) and %llu bytes at %#llx\n", index,
	       node->cpu_count, PLAN_MAX_NODE_SIZE, node->memory_size, node->memory);
	return -EINVAL;
}

static int check_content(void)
{
	u32 n, cpus = 0;
	int error = 0;

	for (n = 0; n < handover->node_count && !error; n++) {
		error = check_node(n);
		cpus += handover_node(n)->cpu_count;
	}
	if (error)
		return error;
	if (handover->cpu_count != cpus || handover->extension >= FOUR_GIB ||
	    handover->image % SIDECAR_IMAGE_MAX_SIZE ||
	    handover->trampoline_size > SIDECAR_TRAMPOLINE_DATA ||
	    handover->trampoline > SIDECAR_IMAGE_MAX_SIZE - SIDECAR_TRAMPOLINE_DATA) {
		pr_err("handover: %u CPUs (the nodes: %u), table at %#llx, image at %#llx, "
		       "trampoline %u bytes at %#x\n",
		       handover->cpu_count, cpus, handover->extension, handover->image,
		       handover->trampoline_size, handover->trampoline);
		return -EINVAL;
	}
	return 0;
}

/* Reserved memory: Linux has no mapping of it. */
static void *map(u64 pa, size_t size)
{
	void *va = memremap(pa, size, MEMREMAP_WB);

	if (!va)
		pr_err("the %zu bytes at %#llx cannot be mapped\n", size, pa);
	return va;
}

static void unmap(const void *va)
{
	if (va)
		memunmap((void *)va);
}

static int map_handover(u64 address)
{
	const struct sidecar_handover *first;
	u32 size;
	int error;

	if (address & ~PAGE_MASK) {
		pr_err("handover=%#llx is not page aligned\n", address);
		return -EINVAL;
	}
	first = map(address, PAGE_SIZE);
	if (!first)
		return -EINVAL;
	error = check_header(first, address);
	size = first->size;
	unmap(first);
	if (error)
		return error;
	handover = map(address, size);
	return handover ? check_content() : -ENOMEM;
}

static int map_extension(void)
{
	size_t size = sizeof(*extension) +
		      (size_t)handover->cpu_count * sizeof(struct sidecar_extension_cpu);

	extension = map(handover->extension, PAGE_ALIGN(size));
	no_state = (void *)get_zeroed_page(GFP_KERNEL);
	return extension && no_state ? 0 : -ENOMEM;
}

void scdrv_adopt_exit(void)
{
	unmap(extension);
	unmap(handover);
	free_page((unsigned long)no_state);
	extension = NULL;
	handover = NULL;
	no_state = NULL;
}

int scdrv_adopt_init(u64 address)
{
	int error = 0;

	if (!address)
		error = search_command_line(&address);
	if (error || !address)
		return error;
	error = map_handover(address);
	if (!error)
		error = map_extension();
	if (error)
		scdrv_adopt_exit();
	return error;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static int check_cpu(u32 cpu, const struct sidecar_extension_cpu *from,
		     const struct plan_machine *machine)
{
	if (cpu >= machine->cpu_count || !machine->cpus[cpu].present) {
		pr_err("handover: CPU %u is absent (possible CPUs: %u)\n", cpu, machine->cpu_count);
		return -EINVAL;
	}
	if (per_cpu(x86_cpu_to_apicid, cpu) != from->apic_id || from->vp_index != cpu) {
		pr_err("handover: VP %u has APIC ID %u, Linux's CPU %u has %u\n", from->vp_index,
		       from->apic_id, cpu, per_cpu(x86_cpu_to_apicid, cpu));
		return -EINVAL;
	}
	return 0;
}

static void add_node(struct plan *plan, const struct sidecar_handover_node *from,
		     const struct plan_machine *machine)
{
	const struct plan_cpu *base = &machine->cpus[from->base_cpu];

	plan->sidecar_cpus += from->cpu_count - 1;
	plan->nodes[plan->node_count++] = (struct plan_node){
		.base_cpu = from->base_cpu,
		.cpu_count = from->cpu_count,
		.numa = base->numa,
		.bring_base_online = !base->online,
	};
}

int scdrv_adopt_plan(struct plan *plan, const struct plan_machine *machine)
{
	const struct sidecar_extension_cpu *from = extension_cpus();
	const struct sidecar_handover_node *node;
	u32 n, i;
	int error = 0;

	for (n = 0; n < handover->node_count; n++) {
		node = handover_node(n);
		for (i = 0; i < node->cpu_count && !error; i++)
			error = check_cpu(node->base_cpu + i, from++, machine);
		if (error) {
			snprintf(plan->error, sizeof(plan->error),
				 "the shim's node %u is not one of this Linux", n);
			return error;
		}
		add_node(plan, node, machine);
	}
	return 0;
}

bool scdrv_adopt_is_linux(u32 cpu)
{
	return cpu < SIDECAR_HANDOVER_MAX_CPUS && handover->boot_cpus[cpu / 8] >> cpu % 8 & 1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

int scdrv_adopt_image(void)
{
	struct scdrv_image *image = &scdrv_image;

	image->base = map(handover->image, SIDECAR_IMAGE_MAX_SIZE);
	if (!image->base)
		return -ENOMEM;
	image->base_pa = handover->image;
	image->size = handover->image_size;
	image->entry = 0; /* it has been called, and never is again */
	image->trampoline = handover->trampoline;
	image->trampoline_size = handover->trampoline_size;
	image->backend = handover->backend;
	return 0;
}

void scdrv_adopt_image_free(void)
{
	unmap(scdrv_image.base);
	scdrv_image.base = NULL;
}

int scdrv_adopt_memory(struct scdrv_node *node)
{
	const struct sidecar_handover_node *from = handover_node(node->index);

	node->memory = from->memory;
	node->memory_size = from->memory_size;
	node->memory_va = map(from->memory, from->memory_size);
	return node->memory_va ? 0 : -ENOMEM;
}

void scdrv_adopt_memory_free(struct scdrv_node *node)
{
	unmap(node->memory_va);
	node->memory_va = NULL;
}

/* ---- the CPUs -------------------------------------------------------------------------------- */

/* Calls visit for every CPU of every node that could be the sidecar's. */
static void for_each_vp(void (*visit)(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu))
{
	const struct sidecar_extension_cpu *cpu = extension_cpus();
	unsigned int n, i;

	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 0; i < scdrv_nodes[n]->cpu_count; i++, cpu++) {
			if (i)
				visit(&scdrv_nodes[n]->vps[i], cpu);
		}
	}
}

/* Linux's own do not count, whatever the status byte says: it may be older than Linux's taking. */
static void ask(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	if (cpu_online(vp->cpu)) {
		shm_write_release(vp->status, SIDECAR_STATUS_REMOVED);
		return;
	}
	shm_write(&vp->command->command, SIDECAR_COMMAND_NONE);
	if (shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_RUN))
		scdrv_kick(vp);
}

static unsigned int asked_ms;

/* The deadline is one for all. */
static void take_answer(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	ktime_t begin = ktime_get();

	if (scdrv_status(vp) != SIDECAR_STATUS_RUN)
		return;
	scdrv_vp_wait_status(vp, SIDECAR_STATUS_IDLE, asked_ms);
	asked_ms -= min_t(u64, asked_ms, ktime_ms_delta(ktime_get(), begin));
}

static bool may_restart(const struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	return cpu->entry && scdrv_image.trampoline_size && !cpu_online(vp->cpu) &&
	       scdrv_status(vp) != SIDECAR_STATUS_IDLE;
}

/*
 * After rmmod a CPU waits for SIPI; after Linux had it, it is in Linux's idle loop. It begins with
 * a clean state page, as it would in memory of the module's own.
 */
static void restart(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	if (!may_restart(vp, cpu))
		return;
	memset(vp->state, 0, sizeof(*vp->state));
	shm_write_release(vp->status, SIDECAR_STATUS_RUN);
	scdrv_trampoline_send(&vp->apic_id, 1);
}

static void wait_for_restarted(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	if (!may_restart(vp, cpu) || scdrv_vp_wait_status(vp, SIDECAR_STATUS_IDLE, SECOND_SIPI_MS))
		return;
	scdrv_trampoline_sipi(vp->apic_id);
	scdrv_vp_wait_status(vp, SIDECAR_STATUS_IDLE, scdrv_timeout_ms);
}

static unsigned int adopted;

static void settle(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	u8 status = scdrv_status(vp);

	if (status == SIDECAR_STATUS_REMOVED)
		return;
	shm_write_release(&vp->claim, SCDRV_AVAIL);
	adopted += status == SIDECAR_STATUS_IDLE;
}

/* Without Linux's hotplug lock, which the reset takes. */
static void fail_silent(struct scdrv_vp *vp, const struct sidecar_extension_cpu *cpu)
{
	if (shm_read_acquire(&vp->claim) == SCDRV_AVAIL && scdrv_status(vp) != SIDECAR_STATUS_IDLE)
		scdrv_vp_fail(vp, "does not answer");
}

/* The doorbell of the answers is nobody's completion. */
static void silence(void)
{
	unsigned int n;

	for (n = 0; n < scdrv_node_count; n++)
		shm_exchange(&scdrv_nodes[n]->control->needs_attention, 0);
}

/* No CPU becomes Linux's meanwhile. */
static void wake_all(void)
{
	struct sidecar_trampoline *trampoline;

	adopted = 0;
	cpus_read_lock();
	asked_ms = min(ANSWER_MS, scdrv_timeout_ms);
	for_each_vp(ask);
	for_each_vp(take_answer);
	trampoline = scdrv_trampoline_borrow();
	trampoline->extension = handover->extension;
	for_each_vp(restart);
	for_each_vp(wait_for_restarted);
	scdrv_trampoline_return();
	for_each_vp(settle);
	cpus_read_unlock();
	for_each_vp(fail_silent);
}

static void fill_output(struct sidecar_boot_output *output)
{
	u32 n;

	for (n = 0; n < handover->node_count; n++) {
		const struct sidecar_handover_node *node = handover_node(n);

		output->nodes[n] = (struct sidecar_node_output){
			.control_page = node->control_page,
			.shmem_pages_base = node->shmem_pages_base,
			.shmem_pages_size = node->shmem_pages_size,
		};
	}
}

static int take_nodes(void)
{
	struct sidecar_boot_output *output = kzalloc(sizeof(*output), GFP_KERNEL);
	int error;

	if (!output)
		return -ENOMEM;
	fill_output(output);
	error = scdrv_boot_take(output, extension, handover->extension, no_state);
	kfree(output);
	return error;
}

int scdrv_adopt_start(void)
{
	int error = take_nodes();

	if (error)
		return error;
	wake_all();
	silence();
	scdrv_start_ns = (handover->time_end - handover->time_start) * 100;
	if (!adopted) {
		pr_err("none of the shim's %u CPUs is in the sidecar any more\n",
		       handover->sidecar_cpus);
		scdrv_boot_stop();
		return -ENODEV;
	}
	pr_info("%u CPUs in %u nodes adopted; the shim started them in %llu us\n", adopted,
		scdrv_node_count, div_u64(scdrv_start_ns, NSEC_PER_USEC));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs into the sidecar, and out of it for good.
 *
 * In:  the first CPU, the conductor, is sent through the trampoline alone; it runs the image's
 *      entry function, which prepares every node. Then all the others get INIT and SIPI in one
 *      burst, and each turns its own status byte from RUN to IDLE.
 * Out: REMOVE makes a CPU report REMOVED and spin; INIT without SIPI stops the spinning, and
 *      nothing of ours is needed any more. An INIT to a CPU that halts is only latched, so one that
 *      does not answer is sent through the trampoline into its spin first. Never an NMI: one sent
 *      to a CPU that waits for SIPI takes QEMU's machine down.
 *
 * Everything that sends INIT holds Linux's hotplug lock, for an INIT must never hit Linux's own.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "claim.h"
#include "driver.h"
#include "trace.h"
#include "trampoline.h"

#define SPIN_NS (200 * NSEC_PER_USEC) /* most waits end within this */
#define SECOND_SIPI_MS 10u
#define PARK_MS 1000u
#define SETTLE_MS 100u /* an INIT that was sent has happened, however busy the host is */

/* What the entry function reads and writes; below 4 GiB, kept until the module goes. */
static struct {
	struct sidecar_boot_params *params;
	struct sidecar_boot_output *output;
	struct sidecar_extension *extension;
	u64 extension_pa;
	unsigned int extension_order;
	bool taken; /* output and extension are somebody else's */
} boot;

static u32 *burst; /* APIC IDs, by the number of CPUs */

static struct sidecar_state_page *no_state; /* of a kernel that was taken and has none */

u64 scdrv_start_ns;

/* ---- waiting --------------------------------------------------------------------------------- */

typedef bool (*condition_fn)(const void *context);

/* Spins a little, then sleeps between looks. */
static bool wait_until(condition_fn condition, const void *context, unsigned int ms)
{
	ktime_t start = ktime_get();
	u64 limit = (u64)ms * NSEC_PER_MSEC;
	u64 passed;

	do {
		if (condition(context))
			return true;
		passed = ktime_to_ns(ktime_sub(ktime_get(), start));
		if (passed < SPIN_NS)
			cpu_relax();
		else
			usleep_range(50, 100);
	} while (passed < limit);
	return condition(context);
}

struct status_wait {
	const struct scdrv_vp *vp;
	u8 status;
};

static bool status_is(const void *context)
{
	const struct status_wait *wait = context;

	return scdrv_status(wait->vp) == wait->status;
}

bool scdrv_vp_wait_status(struct scdrv_vp *vp, u8 status, unsigned int timeout_ms)
{
	struct status_wait wait = {vp, status};

	return wait_until(status_is, &wait, timeout_ms);
}

/* ---- the nodes' CPUs ------------------------------------------------------------------------- */

/* Calls visit for every CPU that the sidecar may have, until one answers with an error. */
static int for_each_vp(int (*visit)(struct scdrv_vp *vp, void *context), void *context)
{
	unsigned int n, i;
	int error = 0;

	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 1; i < scdrv_nodes[n]->cpu_count && !error; i++)
			error = visit(&scdrv_nodes[n]->vps[i], context);
	}
	return error;
}

static unsigned int cpus_of_all_nodes(void)
{
	unsigned int n, count = 0;

	for (n = 0; n < scdrv_node_count; n++)
		count += scdrv_nodes[n]->cpu_count;
	return count;
}

static bool in_sidecar(struct scdrv_vp *vp)
{
	return vp->index && vp->status && shm_read_acquire(&vp->claim) != SCDRV_REMOVED;
}

void scdrv_kick(struct scdrv_vp *vp)
{
	if (vp->node->request_vector)
		scdrv_apic_fixed(vp->apic_id, vp->node->request_vector);
}

/* ---- reset ----------------------------------------------------------------------------------- */

struct park_wait {
	const u32 *parked;
	u32 before;
};

static bool has_parked(const void *context)
{
	const struct park_wait *wait = context;

	return shm_read_acquire(wait->parked) != wait->before;
}

/*
 * From any state into the trampoline's spin, and from there into wait-for-SIPI. False when the CPU
 * never arrived: then its memory must not be given away.
 */
static bool park_in(struct sidecar_trampoline *trampoline, u32 apic_id)
{
	struct park_wait wait = {&trampoline->parked, shm_read(&trampoline->parked)};
	bool parked;

	if (!scdrv_image.trampoline_size)
		return false;
	shm_write_release(&trampoline->park, 1u); /* partner: the trampoline's load */
	scdrv_trampoline_send(&apic_id, 1);
	parked = wait_until(has_parked, &wait, SECOND_SIPI_MS * 10);
	if (!parked) {
		scdrv_trampoline_send(&apic_id, 1);
		parked = wait_until(has_parked, &wait, PARK_MS);
	}
	scdrv_apic_init(apic_id);
	return parked;
}

static void force_park(struct sidecar_trampoline *trampoline, struct scdrv_vp *vp)
{
	vp->unreachable = !park_in(trampoline, vp->apic_id);
	msleep(SETTLE_MS);
	if (vp->unreachable)
		pr_err("CPU %u does not react to INIT and SIPI: the module's memory is kept\n",
		       vp->cpu);
}

/* What the CPU left behind, if it got so far. */
static void report_fault(const struct scdrv_vp *vp)
{
	const struct sidecar_fault *fault = &vp->state->fault;

	if (shm_read_acquire(&vp->state->cpu_state) != SIDECAR_CPU_FAULTED)
		return;
	pr_err("CPU %u: vector %llu, error code %#llx at RIP %#llx, CR2 %#llx, RSP %#llx\n",
	       vp->cpu, fault->vector, fault->error_code, fault->rip, fault->cr2, fault->rsp);
}

static void mark_failed(struct sidecar_trampoline *trampoline, struct scdrv_vp *vp,
			const char *reason)
{
	pr_err("CPU %u %s: it is reset and lost to the sidecar\n", vp->cpu, reason);
	report_fault(vp);
	vp->reason = reason;
	force_park(trampoline, vp);
	shm_write_release(vp->status, SIDECAR_STATUS_REMOVED);
	shm_write_release(&vp->failed, 1u);
	trace_fail(vp, reason);
	wake_up_all(&vp->wait);
	wake_up_all(&vp->node->wait);
}

void scdrv_vp_fail(struct scdrv_vp *vp, const char *reason)
{
	struct sidecar_trampoline *trampoline;

	cpus_read_lock();
	trampoline = scdrv_trampoline_borrow();
	if (in_sidecar(vp) && !shm_read_acquire(&vp->failed) && !cpu_online(vp->cpu))
		mark_failed(trampoline, vp, reason);
	scdrv_trampoline_return();
	cpus_read_unlock();
}

/* ---- what the entry function gets ------------------------------------------------------------ */

static void free_pages_at(const void *address, unsigned int order)
{
	if (address)
		free_pages((unsigned long)address, order);
}

static void free_boot(void)
{
	if (!boot.taken) {
		free_pages_at(boot.params, 0);
		free_pages_at(boot.output, 0);
		free_pages_at(boot.extension, boot.extension_order);
	}
	kvfree(burst);
	memset(&boot, 0, sizeof(boot));
	burst = NULL;
	no_state = NULL;
}

static int alloc_boot(unsigned int cpus)
{
	size_t size = sizeof(*boot.extension) + cpus * sizeof(struct sidecar_extension_cpu);
	gfp_t gfp = GFP_KERNEL | GFP_DMA32 | __GFP_ZERO;

	boot.extension_order = get_order(size);
	boot.params = (void *)__get_free_pages(gfp, 0);
	boot.output = (void *)__get_free_pages(gfp, 0);
	boot.extension = (void *)__get_free_pages(gfp, boot.extension_order);
	burst = kvcalloc(cpus, sizeof(*burst), GFP_KERNEL);
	if (boot.params && boot.output && boot.extension && burst) {
		boot.extension_pa = virt_to_phys(boot.extension);
		return 0;
	}
	free_boot();
	return -ENOMEM;
}

static struct sidecar_extension_cpu *extension_cpus(void)
{
	return (struct sidecar_extension_cpu *)(boot.extension + 1);
}

static void fill_params(bool log)
{
	struct sidecar_boot_params *params = boot.params;
	struct sidecar_node_params *out;
	struct scdrv_node *node;
	unsigned int n;

	params->enable_logging = log;
	params->node_count = scdrv_node_count;
	params->extension_magic = SIDECAR_EXTENSION_MAGIC;
	params->extension = boot.extension_pa;
	for (n = 0; n < scdrv_node_count; n++) {
		node = scdrv_nodes[n];
		out = &params->nodes[n];
		out->memory_base = node->memory;
		out->memory_size = node->memory_size;
		out->base_vp = node->base_cpu;
		out->vp_count = node->cpu_count;
	}
}

static void fill_extension(void)
{
	struct sidecar_extension_cpu *out = extension_cpus();
	struct sidecar_extension *extension = boot.extension;
	unsigned int n, i;

	extension->magic = SIDECAR_EXTENSION_MAGIC;
	extension->version = SIDECAR_EXTENSION_VERSION;
	extension->flags = SIDECAR_EXTENSION_CALLER_STARTS_CPUS;
	extension->cpu_count = cpus_of_all_nodes();
	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 0; i < scdrv_nodes[n]->cpu_count; i++, out++) {
			out->apic_id = scdrv_nodes[n]->vps[i].apic_id;
			out->vp_index = scdrv_nodes[n]->vps[i].cpu;
		}
	}
}

/* ---- what the entry function gives back ------------------------------------------------------ */

static bool in_node(const struct scdrv_node *node, u64 pa, u64 size)
{
	return !(pa & ~PAGE_MASK) && pa >= node->memory && size <= node->memory_size &&
	       pa - node->memory <= node->memory_size - size;
}

static void *node_va(const struct scdrv_node *node, u64 pa)
{
	return node->memory_va + (pa - node->memory);
}

static int adopt_vp(struct scdrv_vp *vp, const struct sidecar_extension_cpu *from)
{
	void *shmem = vp->node->shmem_va + vp->index * SIDECAR_PER_CPU_SHMEM;

	vp->status = &vp->node->control->cpu_status[vp->index];
	vp->command = shmem;
	vp->register_page = shmem + SIDECAR_PAGE_SIZE;
	if (!vp->index)
		return 0;
	if (no_state && !from->entry) {
		vp->state = no_state;
		return 0;
	}
	if (!in_node(vp->node, from->state_page, PAGE_SIZE) || !from->cr3 || !from->entry) {
		pr_err("the sidecar kernel did not prepare CPU %u: state page %#llx, tables "
		       "%#llx\n",
		       vp->cpu, from->state_page, from->cr3);
		return -EPROTO;
	}
	vp->state = node_va(vp->node, from->state_page);
	vp->cr3 = from->cr3;
	return 0;
}

static int adopt_control(struct scdrv_node *node, const struct sidecar_node_output *from)
{
	struct sidecar_control_page *control;
	u64 size = (u64)node->cpu_count * SIDECAR_PER_CPU_SHMEM;

	if (!in_node(node, from->control_page, PAGE_SIZE) ||
	    !in_node(node, from->shmem_pages_base, size) || from->shmem_pages_size != size) {
		pr_err("node %u: the sidecar kernel put its pages at %#llx and %#llx (%llu "
		       "bytes)\n",
		       node->index, from->control_page, from->shmem_pages_base,
		       from->shmem_pages_size);
		return -EPROTO;
	}
	control = node_va(node, from->control_page);
	if (control->index != node->index || control->base_cpu != node->base_cpu ||
	    control->cpu_count != node->cpu_count || control->request_vector > 0xff) {
		pr_err("node %u: its control page says node %u, CPU %u, %u CPUs, vector %u\n",
		       node->index, control->index, control->base_cpu, control->cpu_count,
		       control->request_vector);
		return -EPROTO;
	}
	node->control = control;
	node->request_vector = control->request_vector;
	node->shmem = from->shmem_pages_base;
	node->shmem_va = node_va(node, node->shmem);
	return 0;
}

static int adopt_nodes(void)
{
	const struct sidecar_extension_cpu *from = extension_cpus();
	struct scdrv_node *node;
	unsigned int n, i;
	int error = 0;

	for (n = 0; n < scdrv_node_count && !error; n++) {
		node = scdrv_nodes[n];
		error = adopt_control(node, &boot.output->nodes[n]);
		for (i = 0; i < node->cpu_count && !error; i++)
			error = adopt_vp(&node->vps[i], from++);
	}
	return error;
}

int scdrv_boot_take(const struct sidecar_boot_output *output, struct sidecar_extension *extension,
		    u64 extension_pa, struct sidecar_state_page *instead_of_state)
{
	int error;

	burst = kvcalloc(cpus_of_all_nodes(), sizeof(*burst), GFP_KERNEL);
	if (!burst)
		return -ENOMEM;

	boot.taken = true;
	boot.output = (struct sidecar_boot_output *)output;
	boot.extension = extension;
	boot.extension_pa = extension_pa;
	no_state = instead_of_state;
	error = adopt_nodes();
	boot.output = NULL;
	if (error)
		free_boot();
	else if (extension->boot_pml4e)
		scdrv_trampoline_map_image(extension->boot_pml4e);
	return error;
}

/* ---- start ----------------------------------------------------------------------------------- */

static int check_offline(struct scdrv_vp *vp, void *unused)
{
	if (!cpu_online(vp->cpu))
		return 0;
	pr_err("CPU %u came online meanwhile: it is Linux's\n", vp->cpu);
	return -EBUSY;
}

static bool conductor_done(const void *context)
{
	const struct sidecar_trampoline *trampoline = context;

	return shm_read_acquire(&trampoline->conductor_result) != SIDECAR_CONDUCTOR_PENDING;
}

static int conductor_error(const struct sidecar_trampoline *trampoline, u32 cpu)
{
	const struct sidecar_command_error *error = &boot.output->error;

	switch (shm_read_acquire(&trampoline->conductor_result)) {
	case SIDECAR_CONDUCTOR_DONE:
		return 0;
	case SIDECAR_CONDUCTOR_FAILED:
		pr_err("the sidecar kernel refuses this machine: %.*s\n", (int)error->length,
		       (const char *)error->text);
		return -ENODEV;
	default:
		pr_err("CPU %u, which starts the others, did not answer in %u ms (strangers: %u)\n",
		       cpu, scdrv_timeout_ms, shm_read(&trampoline->lost));
		return -ETIMEDOUT;
	}
}

/* The first CPU through the trampoline runs the entry function. */
static int run_conductor(struct sidecar_trampoline *trampoline)
{
	struct scdrv_vp *vp = &scdrv_nodes[0]->vps[1];
	int error;

	trampoline->params = virt_to_phys(boot.params);
	trampoline->output = virt_to_phys(boot.output);
	trampoline->extension = boot.extension_pa;
	shm_write_release(&trampoline->conductor_apic_id, vp->apic_id);
	scdrv_trampoline_send(&vp->apic_id, 1);
	if (!wait_until(conductor_done, trampoline, min(SECOND_SIPI_MS, scdrv_timeout_ms)))
		scdrv_trampoline_sipi(vp->apic_id);
	wait_until(conductor_done, trampoline, scdrv_timeout_ms);
	error = conductor_error(trampoline, vp->cpu);
	if (!error)
		error = adopt_nodes();
	if (error) {
		vp->unreachable = !park_in(trampoline, vp->apic_id);
		msleep(SETTLE_MS);
		return error;
	}
	scdrv_trampoline_map_image(boot.extension->boot_pml4e);
	shm_write_release(&trampoline->conductor_apic_id, SIDECAR_NO_APIC_ID);
	return 0;
}

/* CPUs of [0, scdrv_node_count) that are still on their way, into burst. */
static unsigned int collect_starting(bool with_conductor)
{
	unsigned int n, i, count = 0;

	for (n = 0; n < scdrv_node_count; n++) {
		for (i = 1; i < scdrv_nodes[n]->cpu_count; i++) {
			if (n == 0 && i == 1 && !with_conductor)
				continue;
			if (scdrv_status(&scdrv_nodes[n]->vps[i]) != SIDECAR_STATUS_IDLE)
				burst[count++] = scdrv_nodes[n]->vps[i].apic_id;
		}
	}
	return count;
}

static bool all_started(const void *context)
{
	return collect_starting(true) == 0;
}

/* A second SIPI is for a CPU that missed the first; one that runs ignores it. */
static void start_others(void)
{
	unsigned int count = collect_starting(false), i;

	scdrv_trampoline_send(burst, count);
	if (wait_until(all_started, NULL, min(SECOND_SIPI_MS, scdrv_timeout_ms)))
		return;
	count = collect_starting(false);
	for (i = 0; i < count; i++)
		scdrv_trampoline_sipi(burst[i]);
	wait_until(all_started, NULL, scdrv_timeout_ms);
}

static unsigned int started;

/* After the deadline: a CPU is here, or it is failed. */
static int settle_vp(struct scdrv_vp *vp, void *trampoline)
{
	shm_write_release(&vp->claim, SCDRV_AVAIL);
	if (scdrv_status(vp) == SIDECAR_STATUS_IDLE)
		started++;
	else
		mark_failed(trampoline, vp, "did not start in time");
	return 0;
}

static void report_lost(const struct sidecar_trampoline *trampoline)
{
	u32 lost = shm_read(&trampoline->lost);

	if (lost)
		pr_err("%u CPUs are not in the table, the last with APIC ID %u\n", lost,
		       shm_read(&trampoline->lost_apic_id));
}

/* The low page is put back when every CPU has left it. */
static int start_all(void)
{
	struct sidecar_trampoline *trampoline = scdrv_trampoline_borrow();
	ktime_t begin = ktime_get();
	int error;

	started = 0;
	error = run_conductor(trampoline);
	if (!error) {
		start_others();
		scdrv_start_ns = ktime_to_ns(ktime_sub(ktime_get(), begin));
		for_each_vp(settle_vp, trampoline);
		error = started ? 0 : -ETIMEDOUT;
	}
	report_lost(trampoline);
	scdrv_trampoline_return();
	return error;
}

int scdrv_boot_start(bool log)
{
	int error = alloc_boot(cpus_of_all_nodes());

	if (error)
		return error;
	fill_params(log);
	fill_extension();
	cpus_read_lock();
	error = for_each_vp(check_offline, NULL);
	if (!error)
		error = start_all();
	cpus_read_unlock();
	if (error) {
		scdrv_boot_stop();
		return error;
	}
	pr_info("%u CPUs in %u nodes started in %llu us\n", started, scdrv_node_count,
		div_u64(scdrv_start_ns, NSEC_PER_USEC));
	return 0;
}

/* ---- again ----------------------------------------------------------------------------------- */

bool scdrv_boot_can_restart_any(void)
{
	return scdrv_image.backend == SIDECAR_BACKEND_SVM && scdrv_image.trampoline_size;
}

bool scdrv_boot_can_restart(const struct scdrv_vp *vp)
{
	return scdrv_boot_can_restart_any() && vp->state && vp->state != no_state;
}

static bool park_all(struct sidecar_trampoline *trampoline, struct scdrv_vp *const *vps,
		     unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		vps[i]->unreachable = !park_in(trampoline, vps[i]->apic_id);
		if (vps[i]->unreachable)
			pr_err("CPU %u does not react to INIT and SIPI\n", vps[i]->cpu);
		shm_write_release(vps[i]->status, SIDECAR_STATUS_REMOVED);
	}
	return count;
}

void scdrv_boot_park(struct scdrv_vp *const *vps, unsigned int count)
{
	struct sidecar_trampoline *trampoline = scdrv_trampoline_borrow();

	if (park_all(trampoline, vps, count))
		msleep(SETTLE_MS); /* none of them is in the page any more */
	scdrv_trampoline_return();
}

struct restart {
	struct scdrv_vp *const *vps;
	unsigned int count;
};

/* Those that are still on their way, into burst. */
static unsigned int collect_restarting(const struct restart *restart)
{
	unsigned int i, count = 0;

	for (i = 0; i < restart->count; i++) {
		if (scdrv_status(restart->vps[i]) != SIDECAR_STATUS_IDLE)
			burst[count++] = restart->vps[i]->apic_id;
	}
	return count;
}

static bool all_restarted(const void *context)
{
	return collect_restarting(context) == 0;
}

static void send_restart(const struct restart *restart)
{
	unsigned int count = collect_restarting(restart), i;

	scdrv_trampoline_send(burst, count);
	if (wait_until(all_restarted, restart, min(SECOND_SIPI_MS, scdrv_timeout_ms)))
		return;
	count = collect_restarting(restart);
	for (i = 0; i < count; i++)
		scdrv_trampoline_sipi(burst[i]);
	wait_until(all_restarted, restart, scdrv_timeout_ms);
}

/* What has not come by now must not come later. */
static bool park_late(struct sidecar_trampoline *trampoline, const struct restart *restart)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < restart->count; i++) {
		if (scdrv_status(restart->vps[i]) == SIDECAR_STATUS_IDLE)
			continue;
		pr_err("CPU %u did not start in %u ms\n", restart->vps[i]->cpu, scdrv_timeout_ms);
		any |= park_all(trampoline, &restart->vps[i], 1);
	}
	return any;
}

void scdrv_boot_restart(struct scdrv_vp *const *vps, unsigned int count)
{
	struct sidecar_trampoline *trampoline = scdrv_trampoline_borrow();
	struct restart restart = {vps, count};
	unsigned int i;

	trampoline->extension = boot.extension_pa;
	for (i = 0; i < count; i++) {
		memset(vps[i]->state, 0, sizeof(*vps[i]->state));
		shm_write_release(vps[i]->status, SIDECAR_STATUS_RUN);
	}
	send_restart(&restart);
	if (park_late(trampoline, &restart))
		msleep(SETTLE_MS);
	report_lost(trampoline);
	scdrv_trampoline_return();
}

/* ---- stop ------------------------------------------------------------------------------------ */

static void reset_vp(struct scdrv_vp *vp)
{
	struct sidecar_trampoline *trampoline = scdrv_trampoline_borrow();

	pr_err("CPU %u did not leave the sidecar in %u ms (status %u): it is reset\n", vp->cpu,
	       scdrv_timeout_ms, scdrv_status(vp));
	force_park(trampoline, vp);
	scdrv_trampoline_return();
}

/* One after the other, so that only one CPU spins at a time. */
static int stop_vp(struct scdrv_vp *vp, void *unused)
{
	if (!in_sidecar(vp) || shm_read_acquire(&vp->failed))
		return 0;
	shm_exchange(&vp->claim, SCDRV_REMOVED);
	if (shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE)) {
		scdrv_kick(vp);
		if (scdrv_vp_wait_status(vp, SIDECAR_STATUS_REMOVED, scdrv_timeout_ms)) {
			scdrv_apic_init(vp->apic_id);
			return 0;
		}
	}
	reset_vp(vp);
	return 0;
}

static int ask_to_leave(struct scdrv_vp *vp, void *unused)
{
	if (in_sidecar(vp) && !shm_read_acquire(&vp->failed) &&
	    shm_cas_u8(vp->status, SIDECAR_STATUS_IDLE, SIDECAR_STATUS_REMOVE))
		scdrv_kick(vp);
	return 0;
}

static int is_staying(struct scdrv_vp *vp, void *unused)
{
	return in_sidecar(vp) && !shm_read_acquire(&vp->failed) &&
	       scdrv_status(vp) != SIDECAR_STATUS_REMOVED;
}

static bool all_have_left(const void *context)
{
	return !for_each_vp(is_staying, NULL);
}

static unsigned int left;

/* SVM is off in a CPU that has left; in one that is parked by force INIT has cleared EFER. */
static int park_vp(struct scdrv_vp *vp, void *trampoline)
{
	if (!in_sidecar(vp))
		return 0;
	if (is_staying(vp, NULL)) {
		pr_warn("CPU %u does not leave the sidecar: it is parked by force\n", vp->cpu);
		park_all(trampoline, &vp, 1);
	} else {
		scdrv_apic_init(vp->apic_id);
		left++;
	}
	scdrv_claim_remove_vp(vp);
	return 0;
}

unsigned int scdrv_boot_park_all(void)
{
	struct sidecar_trampoline *trampoline;

	cpus_read_lock();
	for_each_vp(ask_to_leave, NULL);
	wait_until(all_have_left, NULL, min(PARK_MS, scdrv_timeout_ms));
	trampoline = scdrv_trampoline_borrow();
	left = 0;
	for_each_vp(park_vp, trampoline);
	msleep(SETTLE_MS);
	scdrv_trampoline_return();
	cpus_read_unlock();
	return left;
}

void scdrv_boot_stop(void)
{
	cpus_read_lock();
	for_each_vp(stop_vp, NULL);
	cpus_read_unlock();
	msleep(SETTLE_MS);
	free_boot();
}

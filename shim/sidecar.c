// SPDX-License-Identifier: MIT
/*
 * One way into the image, two ways to its CPUs. Under a hypervisor the entry function starts them
 * by hypercall and returns when they are idle. On the bare machine it returns when their memory is
 * ready; then they get INIT and SIPI from here, all at once, and each finds its way through the
 * image's trampoline, on the shim's page tables.
 */
#include "sidecar.h"

#include <string.h>

#include "apic.h"
#include "clock.h"
#include "console.h"
#include "cpu.h"
#include "hyperv.h"
#include "image_parse.h"

#define PML4_ENTRIES 512u
#define SIPI_AGAIN_US 10000u
#define SETTLE_US 100u /* between INIT and SIPI */

typedef bool (*entry_fn)(struct sidecar_boot_params *params, struct sidecar_boot_output *output);

extern uint64_t pml4[PML4_ENTRIES];

/* One call of sidecar_start. */
static struct {
	struct machine *machine;
	const struct sidecar_start *start;
	struct image_layout layout;
	uint8_t *image;
	struct sidecar_boot_params *params;
	struct sidecar_boot_output *output;
	struct sidecar_extension *extension;
	uint32_t cpu_count; /* of the nodes */
	uint64_t time_start, time_end;
} s;

static uint64_t now(void)
{
	return s.start->hypervisor ? hyperv_time() : clock_100ns();
}

/* ---- loading --------------------------------------------------------------------------------- */

static void load_image(void)
{
	uint32_t backend = s.start->hypervisor ? SIDECAR_BACKEND_HYPERV : SIDECAR_BACKEND_SVM;
	const struct file *file = s.start->file;
	char text[PURE_TEXT_SIZE];

	if (image_parse(file->bytes, file->size, backend, &s.layout, text))
		panic("the sidecar kernel: %s", text);
	s.image = machine_reserve(s.machine, SIDECAR_IMAGE_MAX_SIZE, SIDECAR_IMAGE_MAX_SIZE,
				  MEMORY_SIDECAR_IMAGE);
	memset(s.image, 0, s.layout.size);
	image_place(file->bytes, s.image);
}

static struct sidecar_extension_cpu *extension_cpus(void)
{
	return (struct sidecar_extension_cpu *)(s.extension + 1);
}

static void fill_extension(void)
{
	const struct shim_plan *plan = s.start->plan;
	struct sidecar_extension_cpu *out = extension_cpus();

	s.extension->magic = SIDECAR_EXTENSION_MAGIC;
	s.extension->version = SIDECAR_EXTENSION_VERSION;
	s.extension->flags = s.start->hypervisor ? 0 : SIDECAR_EXTENSION_CALLER_STARTS_CPUS;
	s.extension->cpu_count = s.cpu_count;
	for (uint32_t n = 0; n < plan->node_count; n++) {
		for (uint32_t i = 0; i < plan->nodes[n].cpu_count; i++, out++) {
			out->vp_index = plan->nodes[n].base_cpu + i;
			out->apic_id = s.machine->cpus[out->vp_index].apic_id;
		}
	}
}

static void make_params(void)
{
	uint64_t page = SIDECAR_PAGE_SIZE;

	for (uint32_t n = 0; n < s.start->plan->node_count; n++)
		s.cpu_count += s.start->plan->nodes[n].cpu_count;
	s.params = machine_place(s.machine, page, page, MEMORY_SHIM);
	s.output = machine_place(s.machine, page, page, MEMORY_SHIM);
	s.extension = machine_place(s.machine,
				    sizeof(*s.extension) +
					    s.cpu_count * sizeof(struct sidecar_extension_cpu),
				    page, MEMORY_SHIM);
	fill_extension();
	shim_plan_params(s.start->plan, s.params);
	s.params->enable_logging = s.start->log;
	/* The original leaves these bytes unused: its kernel does not see them. */
	s.params->extension_magic = SIDECAR_EXTENSION_MAGIC;
	s.params->extension = (uint64_t)s.extension;
}

/* ---- entering -------------------------------------------------------------------------------- */

static void enter_image(void)
{
	entry_fn entry = (entry_fn)((uint64_t)s.image + s.layout.entry);

	if (!entry(s.params, s.output))
		panic("the sidecar kernel refuses this machine: %.*s", (int)s.output->error.length,
		      (const char *)s.output->error.text);
}

static void enter_under_hypervisor(void)
{
	void *page = machine_place(s.machine, SIDECAR_PAGE_SIZE, SIDECAR_PAGE_SIZE, MEMORY_BUSY);

	s.params->hypercall_page = (uint64_t)page;
	hyperv_enable(page);
	s.time_start = now();
	enter_image();
	s.time_end = now();
	hyperv_disable();
}

/* ---- INIT and SIPI --------------------------------------------------------------------------- */

static bool starts(uint32_t cpu)
{
	return s.start->plan->sidecar_starts[cpu];
}

static uint8_t *status_of(uint32_t node, uint32_t index)
{
	struct sidecar_control_page *control = (void *)s.output->nodes[node].control_page;

	return &control->cpu_status[index];
}

/* Calls send for each CPU that is not idle; returns how many there are, and the first's number. */
static uint32_t for_each_missing(void (*send)(uint32_t apic_id), uint32_t *first)
{
	const struct shim_plan *plan = s.start->plan;
	uint32_t missing = 0;

	for (uint32_t n = 0; n < plan->node_count; n++) {
		for (uint32_t i = 1; i < plan->nodes[n].cpu_count; i++) {
			uint32_t cpu = plan->nodes[n].base_cpu + i;

			/* Partner: the CPU's release of its first IDLE. */
			if (!starts(cpu) || load(status_of(n, i)) == SIDECAR_STATUS_IDLE)
				continue;
			if (!missing++)
				*first = cpu;
			if (send)
				send(s.machine->cpus[cpu].apic_id);
		}
	}
	return missing;
}

static void send_sipi(uint32_t target)
{
	apic_sipi(target, s.machine->low_page);
}

static struct sidecar_trampoline *make_trampoline(void)
{
	uint8_t *page = (uint8_t *)s.machine->low_page;
	struct sidecar_trampoline *trampoline = (void *)(page + SIDECAR_TRAMPOLINE_DATA);

	memset(page, 0, SIDECAR_PAGE_SIZE);
	memcpy(page, s.image + s.layout.trampoline, s.layout.trampoline_size);
	trampoline->cr3 = (uint64_t)pml4;
	trampoline->extension = (uint64_t)s.extension;
	trampoline->conductor_apic_id = SIDECAR_NO_APIC_ID;
	return trampoline;
}

/* A SIPI may come before its INIT has been dealt with, and is lost then; one too many is ignored.
 */
static void start_cpus(void)
{
	const struct sidecar_trampoline *trampoline = make_trampoline();
	uint64_t end = clock_100ns() + s.start->timeout_ms * 10000ull, again;
	uint32_t missing, first = 0;

	pml4[PML4_ENTRIES - 1] = s.extension->boot_pml4e;
	for_each_missing(apic_init, &first);
	clock_wait_us(SETTLE_US);
	do {
		for_each_missing(send_sipi, &first);
		again = clock_100ns() + SIPI_AGAIN_US * 10;
		while ((missing = for_each_missing(NULL, &first)) && clock_100ns() < again)
			pause();
	} while (missing && clock_100ns() < end);
	if (missing)
		panic("CPU %u and %u more are not idle after %u ms (lost in the trampoline: %u)",
		      first, missing - 1, s.start->timeout_ms, load(&trampoline->lost));
}

static void enter_bare(void)
{
	s.time_start = now();
	enter_image();
	start_cpus();
	s.time_end = now();
}

/* ---- handing over ---------------------------------------------------------------------------- */

static void fill_node(struct sidecar_handover_node *out, uint32_t n)
{
	const struct sidecar_node_output *from = &s.output->nodes[n];
	const struct shim_node *node = &s.start->plan->nodes[n];

	*out = (struct sidecar_handover_node){
		.memory = node->memory,
		.memory_size = node->memory_size,
		.control_page = from->control_page,
		.shmem_pages_base = from->shmem_pages_base,
		.shmem_pages_size = from->shmem_pages_size,
		.base_cpu = node->base_cpu,
		.cpu_count = node->cpu_count,
	};
}

static void fill_boot_cpus(struct sidecar_handover *handover)
{
	for (uint32_t cpu = 0; cpu < s.machine->cpu_count; cpu++) {
		if (!starts(cpu))
			handover->boot_cpus[cpu / 8] |= (uint8_t)(1u << cpu % 8);
	}
}

static struct sidecar_handover *make_handover(void)
{
	const struct shim_plan *plan = s.start->plan;
	uint32_t size = (uint32_t)(sizeof(struct sidecar_handover) +
				   plan->node_count * sizeof(struct sidecar_handover_node));
	struct sidecar_handover *handover =
		machine_place(s.machine, size, SIDECAR_PAGE_SIZE, MEMORY_SHIM);

	handover->magic = SIDECAR_HANDOVER_MAGIC;
	handover->version = SIDECAR_HANDOVER_VERSION;
	handover->size = size;
	handover->backend = s.layout.backend;
	handover->node_count = plan->node_count;
	handover->cpu_count = s.cpu_count;
	handover->sidecar_cpus = plan->sidecar_cpus;
	handover->image = (uint64_t)s.image;
	handover->image_size = (uint32_t)s.layout.size;
	handover->trampoline = s.layout.trampoline;
	handover->trampoline_size = s.layout.trampoline_size;
	handover->extension = (uint64_t)s.extension;
	handover->time_start = s.time_start;
	handover->time_end = s.time_end;
	fill_boot_cpus(handover);
	for (uint32_t n = 0; n < plan->node_count; n++)
		fill_node((struct sidecar_handover_node *)(handover + 1) + n, n);
	return handover;
}

struct sidecar_handover *sidecar_start(struct machine *machine, const struct sidecar_start *start)
{
	s.machine = machine;
	s.start = start;
	marker(MARKER_START);
	load_image();
	make_params();
	if (start->hypervisor)
		enter_under_hypervisor();
	else
		enter_bare();
	marker(MARKER_IDLE);
	say("%u CPUs in %u nodes idle after %lu us", start->plan->sidecar_cpus,
	    start->plan->node_count, (s.time_end - s.time_start) / 10);
	return make_handover();
}

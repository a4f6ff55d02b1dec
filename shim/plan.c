// SPDX-License-Identifier: MIT
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_XAPIC_ID 0xfeu /* 0xff is everybody */

struct planner {
	struct shim_plan *plan;
	const struct shim_machine *machine;
};

/* CPUs first..first+count-1 of one vnode. */
struct chunk {
	uint32_t first, count;
};

__attribute__((format(printf, 2, 3))) static bool no_sidecar(struct planner *p, const char *format,
							     ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(p->plan->reason, sizeof(p->plan->reason), format, arguments);
	va_end(arguments);
	return false;
}

__attribute__((format(printf, 2, 3))) static void note(struct planner *p, const char *format, ...)
{
	char text[SHIM_TEXT_SIZE];
	va_list arguments;

	if (!p->plan->note)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	p->plan->note(text);
}

/* ---- whether there can be a sidecar ---------------------------------------------------------- */

static bool check_isolation(struct planner *p)
{
	static const char *const names[] = {"none", "VBS", "SNP", "TDX"};

	if (p->machine->isolation == SHIM_ISOLATION_NONE)
		return true;
	return no_sidecar(p, "the partition is isolated (%s)", names[p->machine->isolation]);
}

static bool check_wanted(struct planner *p)
{
	if (!p->machine->image)
		return no_sidecar(p, "there is no sidecar kernel image");
	if (p->machine->off)
		return no_sidecar(p, "OPENHCL_SIDECAR=off");
	if (!p->machine->cpu_count || p->machine->cpu_count > SHIM_MAX_CPUS)
		return no_sidecar(p, "%u CPUs, the limits are 1 and %u", p->machine->cpu_count,
				  SHIM_MAX_CPUS);
	return true;
}

/* Linux has to start every CPU that a device may interrupt before the VMM runs again. */
static bool check_servicing(struct planner *p)
{
	const struct shim_cpu_list *lists[] = {p->machine->outstanding_io,
					       p->machine->idle_interrupts};
	uint32_t highest = 0, cpu, i;
	bool beyond = false;

	for (i = 0; i < 2; i++) {
		if (!lists[i])
			continue;
		beyond |= lists[i]->beyond;
		for (cpu = 0; cpu < SHIM_MAX_CPUS; cpu++) {
			if (!lists[i]->has[cpu])
				continue;
			p->plan->overrides = true;
			highest = cpu > highest ? cpu : highest;
			p->plan->sidecar_starts[cpu] = 0;
		}
	}
	p->plan->overrides |= beyond;
	if (!p->plan->overrides || (p->machine->cpu_count <= SIDECAR_MAX_CPU_OVERRIDES &&
				    highest < SIDECAR_MAX_CPU_OVERRIDES && !beyond))
		return true;
	return no_sidecar(p, "servicing names CPUs up to %u%s of %u, the limit is %u", highest,
			  beyond ? " and more" : "", p->machine->cpu_count,
			  SIDECAR_MAX_CPU_OVERRIDES);
}

static bool check_vnodes(struct planner *p)
{
	const struct memory *memory = p->machine->memory;
	uint32_t i;

	for (i = 0; i < p->machine->cpu_count; i++) {
		if (p->machine->cpus[i].vnode >= SHIM_MAX_VNODES)
			return no_sidecar(p, "CPU %u is of NUMA node %u, the limit is %u", i,
					  p->machine->cpus[i].vnode, SHIM_MAX_VNODES - 1);
	}
	for (i = 0; i < memory->count; i++) {
		if (memory->ranges[i].vnode >= SHIM_MAX_VNODES)
			return no_sidecar(p, "memory is of NUMA node %u, the limit is %u",
					  memory->ranges[i].vnode, SHIM_MAX_VNODES - 1);
	}
	return true;
}

/* The hypervisor's world needs it always, the other for APIC IDs that no xAPIC reaches. */
static bool check_apic(struct planner *p)
{
	uint32_t i;

	if (p->machine->x2apic)
		return true;
	if (p->machine->hypervisor)
		return no_sidecar(p, "there is no x2APIC (CPUID.1:ECX bit 21)");
	for (i = 0; i < p->machine->cpu_count; i++) {
		if (p->machine->cpus[i].apic_id > MAX_XAPIC_ID)
			return no_sidecar(p, "CPU %u has APIC ID %u, and there is no x2APIC", i,
					  p->machine->cpus[i].apic_id);
	}
	return true;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* CPUs from first on that are of one vnode. */
static uint32_t run_length(const struct shim_machine *machine, uint32_t first)
{
	uint32_t cpu = first;

	while (cpu < machine->cpu_count && machine->cpus[cpu].vnode == machine->cpus[first].vnode)
		cpu++;
	return cpu - first;
}

/* The chunk that begins at first, where a run of run CPUs began at run_first. */
static struct chunk cut_chunk(uint32_t run_first, uint32_t run, uint32_t first)
{
	uint32_t pieces = (run + SHIM_NODE_CPUS - 1) / SHIM_NODE_CPUS;
	uint32_t size = (run + pieces - 1) / pieces;
	uint32_t left = run_first + run - first;

	return (struct chunk){first, left < size ? left : size};
}

/* Calls visit for each chunk until one answers false. */
static bool for_each_chunk(struct planner *p, bool (*visit)(struct planner *p, struct chunk chunk))
{
	uint32_t cpu = 0, run, run_first;
	struct chunk chunk;

	while (cpu < p->machine->cpu_count) {
		run_first = cpu;
		run = run_length(p->machine, cpu);
		while (cpu < run_first + run) {
			chunk = cut_chunk(run_first, run, cpu);
			if (!visit(p, chunk))
				return false;
			cpu += chunk.count;
		}
	}
	return true;
}

static bool is_single(struct planner *p, struct chunk chunk)
{
	(void)p;
	return chunk.count == 1;
}

static bool check_chunks(struct planner *p)
{
	if (for_each_chunk(p, is_single))
		return no_sidecar(p, "no NUMA node has more than one CPU");
	return true;
}

static bool take_memory(struct planner *p, struct shim_node *node)
{
	struct memory_want want = {
		.size = SIDECAR_REQUIRED_MEMORY(node->cpu_count),
		.alignment = SIDECAR_PAGE_SIZE,
		.below = ~0ull,
		.vnode = node->vnode,
		.use = MEMORY_SIDECAR_NODE,
	};

	node->memory_size = want.size;
	if (memory_take(p->machine->memory, &want, &node->memory))
		return true;
	want.vnode = MEMORY_ANY_VNODE;
	if (memory_take(p->machine->memory, &want, &node->memory))
		return true;
	return no_sidecar(p, "no %u KiB for the node of CPU %u", (uint32_t)(want.size >> 10),
			  node->base_cpu);
}

/* Linux starts every CPU of it: the sidecar would have none. */
static bool skip(struct planner *p, struct chunk chunk)
{
	note(p, "CPUs %u-%u: no node, Linux starts all of them", chunk.first,
	     chunk.first + chunk.count - 1);
	return true;
}

static bool add_chunk(struct planner *p, struct chunk chunk)
{
	struct shim_plan *plan = p->plan;
	struct shim_node *node = &plan->nodes[plan->node_count];
	uint32_t starts = 0, i;

	plan->sidecar_starts[chunk.first] = 0;
	for (i = 1; i < chunk.count; i++)
		starts += plan->sidecar_starts[chunk.first + i];
	if (!starts)
		return skip(p, chunk);
	if (plan->node_count == SIDECAR_MAX_NODES)
		return no_sidecar(p, "more than %u nodes", SIDECAR_MAX_NODES);
	*node = (struct shim_node){
		.base_cpu = chunk.first,
		.cpu_count = chunk.count,
		.vnode = p->machine->cpus[chunk.first].vnode,
	};
	if (!take_memory(p, node))
		return false;
	note(p, "node %u: base CPU %u, CPUs up to %u, memory at %#llx", plan->node_count,
	     chunk.first, chunk.first + chunk.count - 1, (unsigned long long)node->memory);
	plan->node_count++;
	plan->sidecar_cpus += starts;
	return true;
}

static bool check_nodes(struct planner *p)
{
	return p->plan->node_count ||
	       no_sidecar(p, "servicing leaves no CPU for the sidecar to start");
}

/* ---- all ------------------------------------------------------------------------------------- */

static void reset(struct shim_plan *plan)
{
	plan->reason[0] = '\0';
	plan->node_count = 0;
	plan->sidecar_cpus = 0;
	plan->overrides = false;
	memset(plan->sidecar_starts, 1, sizeof(plan->sidecar_starts));
}

bool shim_plan_make(struct shim_plan *plan, const struct shim_machine *machine)
{
	struct planner p = {plan, machine};

	reset(plan);
	if (check_isolation(&p) && check_wanted(&p) && check_servicing(&p) && check_vnodes(&p) &&
	    check_apic(&p) && check_chunks(&p) && for_each_chunk(&p, add_chunk) && check_nodes(&p))
		return true;
	memory_give_back(machine->memory, MEMORY_SIDECAR_NODE);
	plan->node_count = 0;
	plan->sidecar_cpus = 0;
	plan->overrides = false;
	memset(plan->sidecar_starts, 0, sizeof(plan->sidecar_starts));
	return false;
}

bool shim_plan_boot_cpus(const struct shim_plan *plan, uint32_t cpu_count, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "boot_cpus=");
	const char *comma = "";
	uint32_t cpu;

	for (cpu = 0; cpu < cpu_count && used < size; cpu++) {
		if (plan->sidecar_starts[cpu])
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%u", comma, cpu);
		comma = ",";
	}
	if (used < size)
		used += (size_t)snprintf(text + used, size - used, " ");
	return used < size;
}

void shim_plan_params(const struct shim_plan *plan, struct sidecar_boot_params *params)
{
	uint32_t i;

	params->node_count = plan->node_count;
	for (i = 0; i < plan->node_count; i++) {
		params->nodes[i] = (struct sidecar_node_params){
			.memory_base = plan->nodes[i].memory,
			.memory_size = plan->nodes[i].memory_size,
			.base_vp = plan->nodes[i].base_cpu,
			.vp_count = plan->nodes[i].cpu_count,
		};
	}
	params->initial_state.specified = plan->overrides;
	for (i = 0; i < SIDECAR_MAX_CPU_OVERRIDES; i++)
		params->initial_state.sidecar_starts_cpu[i] = plan->sidecar_starts[i];
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "plan.h"

/* One call of plan_make. */
struct planner {
	struct plan *plan;
	const struct plan_machine *machine;
	const struct plan_options *options;
};

__attribute__((format(printf, 3, 4))) static int fail(struct planner *p, int error,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->plan->error, sizeof(p->plan->error), format, args);
	va_end(args);
	return -error;
}

__attribute__((format(printf, 2, 3))) static void note(struct planner *p, const char *format, ...)
{
	char text[PURE_TEXT_SIZE];
	va_list args;

	if (!p->plan->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->plan->note(p->plan->note_context, text);
}

/* ---- the text of cpus= ----------------------------------------------------------------------- */

/* Returns what follows the number; NULL when there is none, or one of more than nine digits. */
static const char *parse_number(const char *text, uint32_t *value)
{
	unsigned int digits = 0;

	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		if (digits == 9)
			return NULL;
		*value = *value * 10 + (uint32_t)(*text - '0');
	}
	return digits ? text : NULL;
}

static int want(struct planner *p, uint32_t cpu)
{
	const struct plan_machine *machine = p->machine;

	if (cpu == 0)
		return fail(p, EINVAL, "cpus= names CPU 0, which is always Linux's");
	if (cpu >= machine->cpu_count || cpu >= PLAN_MAX_CPUS || !machine->cpus[cpu].present)
		return fail(p, EINVAL, "cpus= names CPU %u, which is absent (possible CPUs: %u)",
			    cpu, machine->cpu_count);
	p->plan->wanted[cpu] = 1;
	return 0;
}

/* One item, N or N-M; *text moves behind it. */
static int parse_item(struct planner *p, const char **text)
{
	const char *item = *text;
	uint32_t first, last, cpu;
	int error = 0;

	*text = parse_number(item, &first);
	last = first;
	if (*text && **text == '-')
		*text = parse_number(*text + 1, &last);
	if (!*text || (**text != ',' && **text != '\0'))
		return fail(p, EINVAL, "cpus=%.80s: \"%.20s\" is not N or N-M", p->options->cpus,
			    item);
	if (last < first)
		return fail(p, EINVAL, "cpus=%.80s: the range %u-%u runs backwards",
			    p->options->cpus, first, last);
	for (cpu = first; cpu <= last && !error; cpu++)
		error = want(p, cpu);
	return error;
}

static int parse_list(struct planner *p)
{
	const char *text = p->options->cpus;
	int error;

	if (!text || !*text)
		return fail(p, EINVAL, "cpus= is empty; name the CPUs, for example cpus=1-3");
	for (;;) {
		error = parse_item(p, &text);
		if (error || *text == '\0')
			return error;
		text++;
	}
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool same_run(const struct planner *p, uint32_t cpu)
{
	return cpu < p->machine->cpu_count && cpu < PLAN_MAX_CPUS && p->plan->wanted[cpu] &&
	       p->machine->cpus[cpu].numa == p->machine->cpus[cpu - 1].numa;
}

/* CPUs of one node: first is its base. */
static int add_node(struct planner *p, uint32_t first, uint32_t count)
{
	const struct plan_cpu *base = &p->machine->cpus[first];
	struct plan *plan = p->plan;
	uint32_t cpu;

	if (count == 1) {
		note(p, "CPU %u would be a node of its own: left alone", first);
		return 0;
	}
	if (plan->node_count == PLAN_MAX_NODES)
		return fail(p, EINVAL, "cpus= with node_size=%u makes more than %u nodes",
			    p->options->node_size, PLAN_MAX_NODES);
	for (cpu = first + 1; cpu < first + count; cpu++) {
		if (p->machine->cpus[cpu].online)
			return fail(p, EBUSY,
				    "cpus= names CPU %u, which is online and so Linux's; "
				    "take it offline first",
				    cpu);
		plan->taken[cpu] = 1;
	}
	plan->sidecar_cpus += count - 1;
	plan->nodes[plan->node_count++] = (struct plan_node){
		.base_cpu = first,
		.cpu_count = count,
		.numa = base->numa,
		.bring_base_online = !base->online,
	};
	return 0;
}

/* Says why a CPU that cpus= names stays, or comes to be, Linux's. */
static void note_base(struct planner *p, uint32_t cpu, const char *why)
{
	note(p, "CPU %u becomes the base CPU of a node and %s Linux's: %s", cpu,
	     p->machine->cpus[cpu].online ? "stays" : "is brought up to be", why);
}

/* The base of the run cpu..last. */
static uint32_t find_base(struct planner *p, uint32_t cpu, uint32_t last)
{
	const struct plan_cpu *before = &p->machine->cpus[cpu - 1];

	if (before->numa == p->machine->cpus[cpu].numa && before->online &&
	    !p->plan->wanted[cpu - 1])
		return cpu - 1;
	if (cpu == last)
		return cpu;
	note_base(p, cpu,
		  before->numa != p->machine->cpus[cpu].numa
			  ? "the CPU before it is of another NUMA node"
			  : "the CPU before it is not online");
	return cpu;
}

/* CPUs first..last, first being a base; cut where node_size says. */
static int add_run(struct planner *p, uint32_t first, uint32_t last)
{
	uint32_t size = p->options->node_size;
	uint32_t start, count;
	int error = 0;

	for (start = first; start <= last && !error; start += count) {
		count = last - start + 1 < size ? last - start + 1 : size;
		if (start != first && count > 1)
			note_base(p, start, "node_size ends the node before it");
		error = add_node(p, start, count);
	}
	return error;
}

static int add_nodes(struct planner *p)
{
	uint32_t cpu = 1, last;
	int error = 0;

	for (; cpu < p->machine->cpu_count && cpu < PLAN_MAX_CPUS && !error; cpu++) {
		if (!p->plan->wanted[cpu])
			continue;
		for (last = cpu; same_run(p, last + 1); last++)
			;
		error = add_run(p, find_base(p, cpu, last), last);
		cpu = last;
	}
	return error;
}

/* ---- cores ----------------------------------------------------------------------------------- */

/* Whether a CPU that the sidecar does not get is in the core of cpu: *other. */
static bool linux_shares_core(const struct planner *p, uint32_t cpu, uint32_t *other)
{
	const struct plan_cpu *cpus = p->machine->cpus;
	uint32_t i;

	for (i = 0; i < p->machine->cpu_count && i < PLAN_MAX_CPUS; i++) {
		*other = i;
		if (cpus[i].present && cpus[i].core == cpus[cpu].core && !p->plan->taken[i])
			return true;
	}
	return false;
}

static int check_cores(struct planner *p)
{
	uint32_t cpu, other, count = 0, first = 0, first_other = 0;

	for (cpu = 0; cpu < p->machine->cpu_count && cpu < PLAN_MAX_CPUS; cpu++) {
		if (!p->plan->taken[cpu] || !linux_shares_core(p, cpu, &other))
			continue;
		if (count++ == 0) {
			first = cpu;
			first_other = other;
		}
	}
	if (count && p->options->strict)
		return fail(p, EINVAL,
			    "%u CPUs of cpus= share a core with Linux and strict=1; the first is "
			    "CPU %u, with CPU %u",
			    count, first, first_other);
	if (count)
		note(p, "%u sidecar CPUs share a core with Linux; the first is CPU %u, with CPU %u",
		     count, first, first_other);
	return 0;
}

static int check_options(struct planner *p)
{
	uint32_t size = p->options->node_size;

	if (size < 2 || size > PLAN_MAX_NODE_SIZE)
		return fail(p, EINVAL, "node_size=%u is not in 2..%u", size, PLAN_MAX_NODE_SIZE);
	return 0;
}

int plan_make(struct plan *plan, const struct plan_machine *machine,
	      const struct plan_options *options)
{
	struct planner p = {plan, machine, options};
	int error;

	plan->node_count = 0;
	plan->sidecar_cpus = 0;
	plan->error[0] = '\0';
	memset(plan->wanted, 0, sizeof(plan->wanted));
	memset(plan->taken, 0, sizeof(plan->taken));

	error = check_options(&p);
	if (!error)
		error = parse_list(&p);
	if (!error)
		error = add_nodes(&p);
	if (!error && !plan->node_count)
		error = fail(&p, EINVAL, "cpus=%.80s leaves no CPU for the sidecar", options->cpus);
	if (!error)
		error = check_cores(&p);
	return error;
}

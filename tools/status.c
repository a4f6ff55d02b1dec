// SPDX-License-Identifier: MIT
/* sidecarctl status: every sidecar CPU once, as a table or as JSON. */
#include "status.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include <sidecar/ioctl.h>

#include "json.h"

#define JSON_VERSION 1

/* What not every driver says; one table has a column for all of its CPUs, or for none. */
struct columns {
	bool guest_ns, foreign;
};

static struct columns columns_of(const struct snapshot *snapshot)
{
	struct columns columns = {snapshot->count > 0, snapshot->count > 0};

	for (size_t i = 0; i < snapshot->count; i++) {
		columns.guest_ns &= snapshot->cpus[i].has_guest_ns;
		columns.foreign &= snapshot->cpus[i].has_foreign;
	}
	return columns;
}

static void print_owner(FILE *out, const struct cpu *cpu)
{
	if (cpu->owner_pid)
		fprintf(out, " %8" PRId32, cpu->owner_pid);
	else
		fprintf(out, " %8s", "-");
}

static void print_row(FILE *out, const struct node *node, const struct cpu *cpu,
		      struct columns columns)
{
	fprintf(out, "%4" PRIu32 " %5" PRIu32 " %5" PRIu32 " %-8s", cpu->node, node->base_cpu,
		cpu->cpu, cpu->state);
	print_owner(out, cpu);
	fprintf(out, " %12" PRIu64 " %12" PRIu64 " %12" PRIu64, cpu->commands, cpu->entries,
		cpu->exits.total);
	if (columns.guest_ns)
		fprintf(out, " %12.3f", (double)cpu->guest_ns / 1e9);
	if (columns.foreign)
		fprintf(out, " %8" PRIu64, cpu->foreign.total);
	fprintf(out, "  %s\n", cpu->last_error[0] ? cpu->last_error : "-");
}

void status_print_table(FILE *out, const struct snapshot *snapshot)
{
	struct columns columns = columns_of(snapshot);

	fprintf(out, "NODE  BASE   CPU STATE       OWNER     COMMANDS      ENTRIES        EXITS");
	if (columns.guest_ns)
		fprintf(out, "      GUEST-S");
	if (columns.foreign)
		fprintf(out, "  FOREIGN");
	fprintf(out, "  LAST ERROR\n");
	for (size_t i = 0; i < snapshot->count; i++)
		print_row(out, nodes_find(&snapshot->nodes, snapshot->cpus[i].cpu),
			  &snapshot->cpus[i], columns);
}

static void print_json_kinds(struct json *json, const char *name, const struct cpu_counts *counts)
{
	json_begin_object(json, name);
	for (size_t i = 0; i < counts->kinds; i++)
		json_number(json, counts->by[i].name, counts->by[i].count);
	json_end_object(json);
}

static void print_json_cpu(struct json *json, const struct cpu *cpu)
{
	json_begin_object(json, NULL);
	json_number(json, "cpu", cpu->cpu);
	json_string(json, "state", cpu->state);
	if (cpu->owner_pid)
		json_number(json, "owner_pid", (uint64_t)cpu->owner_pid);
	else
		json_null(json, "owner_pid");
	json_number(json, "commands", cpu->commands);
	json_number(json, "entries", cpu->entries);
	json_number(json, "exits", cpu->exits.total);
	print_json_kinds(json, "exits_by", &cpu->exits);
	if (cpu->has_guest_ns)
		json_number(json, "guest_ns", cpu->guest_ns);
	if (cpu->has_foreign) {
		json_number(json, "foreign", cpu->foreign.total);
		print_json_kinds(json, "foreign_by", &cpu->foreign);
	}
	json_string(json, "last_error", cpu->last_error[0] ? cpu->last_error : NULL);
	json_end_object(json);
}

static void print_json_node(struct json *json, const struct snapshot *snapshot,
			    const struct node *node)
{
	char device[64];

	snprintf(device, sizeof(device), "/dev/" SIDECAR_DEVICE_PREFIX "%" PRIu32, node->index);
	json_begin_object(json, NULL);
	json_number(json, "node", node->index);
	json_string(json, "device", device);
	json_number(json, "base_cpu", node->base_cpu);
	json_begin_array(json, "cpus");
	for (size_t i = 0; i < snapshot->count; i++)
		if (snapshot->cpus[i].node == node->index)
			print_json_cpu(json, &snapshot->cpus[i]);
	json_end_array(json);
	json_end_object(json);
}

void status_print_json(FILE *out, const struct snapshot *snapshot)
{
	struct json json = {.out = out};

	json_begin_object(&json, NULL);
	json_number(&json, "version", JSON_VERSION);
	json_begin_array(&json, "nodes");
	for (size_t n = 0; n < snapshot->nodes.count; n++)
		print_json_node(&json, snapshot, &snapshot->nodes.list[n]);
	json_end_array(&json);
	json_end_object(&json);
	json_end(&json);
}

static int read_options(struct ctl *ctl, int argc, char **argv, bool *as_json)
{
	static const struct option names[] = {{"json", no_argument, NULL, 'j'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option != 'j')
			return ctl_usage(ctl);
		*as_json = true;
	}
	if (optind == argc)
		return CTL_OK;
	ctl_error(ctl, "'%s': no argument is expected", argv[optind]);
	return ctl_usage(ctl);
}

int status_command(struct ctl *ctl, int argc, char **argv)
{
	struct snapshot snapshot;
	bool as_json = false;
	int status = read_options(ctl, argc, argv, &as_json);

	status = status ? status : snapshot_read(ctl, &snapshot);
	if (status)
		return status;
	if (as_json)
		status_print_json(ctl->out, &snapshot);
	else
		status_print_table(ctl->out, &snapshot);
	snapshot_free(&snapshot);
	return CTL_OK;
}

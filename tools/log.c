// SPDX-License-Identifier: MIT
/* sidecarctl log: the sidecar kernel's own words, of some CPUs or of all. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"
#include "ctl.h"
#include "node.h"

#define FOLDER "/sys/kernel/debug/sidecar"

struct log_options {
	const char *file; /* in the CPU's folder */
	bool chosen;
	struct cpulist cpus;
};

static int read_options(struct ctl *ctl, int argc, char **argv, struct log_options *options)
{
	static const struct option names[] = {{"fault", no_argument, NULL, 'f'}, {0}};
	char error[CPULIST_ERROR_SIZE];
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option != 'f')
			return ctl_usage(ctl);
		options->file = "fault";
	}
	options->chosen = optind < argc;
	if (!options->chosen)
		return CTL_OK;
	if (optind + 1 < argc) {
		ctl_error(ctl, "'%s': one CPU list is enough", argv[optind + 1]);
		return ctl_usage(ctl);
	}
	if (!cpulist_parse(argv[optind], &options->cpus, error))
		return CTL_OK;
	ctl_error(ctl, "%s", error);
	return ctl_usage(ctl);
}

/* Each line begins with its CPU, so that many CPUs can be read, and sorted, as one text. */
static void copy_lines(FILE *from, uint32_t cpu, FILE *out)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, from)) > 0) {
		if (line[length - 1] == '\n')
			length--;
		fprintf(out, "cpu%" PRIu32 ": %.*s\n", cpu, (int)length, line);
	}
	free(line);
}

static int print_file(struct ctl *ctl, uint32_t node, uint32_t cpu, const char *name)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s" FOLDER "/node%" PRIu32 "/cpu%" PRIu32 "/%s", ctl->root,
		 node, cpu, name);
	file = fopen(path, "re");
	if (!file && errno == ENOENT) {
		ctl_error(ctl, "%s: it does not exist; is debugfs mounted at /sys/kernel/debug?",
			  path);
		return CTL_ABSENT;
	}
	if (!file)
		return ctl_errno(ctl, errno, path);
	copy_lines(file, cpu, ctl->out);
	fclose(file);
	return CTL_OK;
}

static int print_chosen(struct ctl *ctl, const struct nodes *nodes,
			const struct log_options *options)
{
	const struct node *node;
	uint32_t cpu;
	int status;

	for (cpu = cpulist_next(&options->cpus, 0); cpu < CPULIST_CPUS;
	     cpu = cpulist_next(&options->cpus, cpu + 1)) {
		node = nodes_find(nodes, cpu);
		if (!node || cpu == node->base_cpu) {
			ctl_error(ctl, "CPU %" PRIu32 ": %s", cpu,
				  node ? "it is the node's base CPU, which is Linux's" :
					 "no node has it");
			return CTL_FAILED;
		}
		status = print_file(ctl, node->index, cpu, options->file);
		if (status)
			return status;
	}
	return CTL_OK;
}

static void choose_all(const struct nodes *nodes, struct cpulist *cpus)
{
	for (size_t n = 0; n < nodes->count; n++)
		for (uint32_t i = 1; i < nodes->list[n].cpu_count; i++)
			cpulist_add(cpus, nodes->list[n].base_cpu + i);
}

int log_command(struct ctl *ctl, int argc, char **argv)
{
	struct log_options options = {.file = "log"};
	struct nodes nodes;
	int status = read_options(ctl, argc, argv, &options);

	status = status ? status : nodes_read(ctl, &nodes);
	if (status)
		return status;
	if (!options.chosen)
		choose_all(&nodes, &options.cpus);
	status = print_chosen(ctl, &nodes, &options);
	nodes_free(&nodes);
	return status;
}

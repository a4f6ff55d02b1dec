// SPDX-License-Identifier: MIT
#include "node.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sidecar/ioctl.h>

#include "cpulist.h"

#define CLASS "/sys/class/misc"

/* The number behind a prefix, if that is all there is. */
static bool number_of(const char *name, const char *prefix, uint32_t *number)
{
	size_t length = strlen(prefix);
	unsigned long value;
	char *end;

	if (strncmp(name, prefix, length) || name[length] < '0' || name[length] > '9')
		return false;
	value = strtoul(name + length, &end, 10);
	*number = (uint32_t)value;
	return !*end && value < CPULIST_CPUS;
}

static int is_node(const struct dirent *entry)
{
	uint32_t index;

	return number_of(entry->d_name, SIDECAR_DEVICE_PREFIX, &index);
}

static int is_cpu(const struct dirent *entry)
{
	uint32_t cpu;

	return number_of(entry->d_name, "cpu", &cpu) && cpu > 0;
}

/* The base CPU has no folder; it is the one below the first that has. */
static int read_node(struct ctl *ctl, const char *name, struct node *node)
{
	struct dirent **cpus;
	char path[PATH_MAX];
	uint32_t first, last;
	int count;

	snprintf(path, sizeof(path), "%s" CLASS "/%s", ctl->root, name);
	count = scandir(path, &cpus, is_cpu, versionsort);
	if (count < 0)
		return ctl_errno(ctl, errno, path);
	if (!count) {
		free(cpus);
		ctl_error(ctl, "%s: the node has no sidecar CPU", path);
		return CTL_FAILED;
	}
	number_of(cpus[0]->d_name, "cpu", &first);
	number_of(cpus[count - 1]->d_name, "cpu", &last);
	number_of(name, SIDECAR_DEVICE_PREFIX, &node->index);
	node->base_cpu = first - 1;
	node->cpu_count = last - first + 2;
	while (count)
		free(cpus[--count]);
	free(cpus);
	return CTL_OK;
}

static int read_nodes(struct ctl *ctl, struct dirent **names, size_t count, struct nodes *nodes)
{
	int status = CTL_OK;

	nodes->list = calloc(count, sizeof(*nodes->list));
	if (!nodes->list)
		return ctl_errno(ctl, ENOMEM, "the nodes");
	for (nodes->count = 0; nodes->count < count && !status; nodes->count++)
		status = read_node(ctl, names[nodes->count]->d_name, &nodes->list[nodes->count]);
	if (status)
		nodes_free(nodes);
	return status;
}

int nodes_read(struct ctl *ctl, struct nodes *nodes)
{
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int count, status;

	snprintf(path, sizeof(path), "%s" CLASS, ctl->root);
	count = scandir(path, &names, is_node, versionsort);
	if (count <= 0) {
		free(names);
		ctl_error(ctl, "no sidecar on this machine: %s/" SIDECAR_DEVICE_PREFIX "0 does "
			       "not exist; the module 'sidecar' makes it", path);
		return CTL_ABSENT;
	}
	status = read_nodes(ctl, names, (size_t)count, nodes);
	while (count)
		free(names[--count]);
	free(names);
	return status;
}

void nodes_free(struct nodes *nodes)
{
	free(nodes->list);
	nodes->list = NULL;
	nodes->count = 0;
}

const struct node *nodes_find(const struct nodes *nodes, uint32_t cpu)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (cpu >= nodes->list[i].base_cpu &&
		    cpu - nodes->list[i].base_cpu < nodes->list[i].cpu_count)
			return &nodes->list[i];
	return NULL;
}

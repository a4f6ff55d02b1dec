// SPDX-License-Identifier: MIT
#include "cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sidecar/ioctl.h>

/* Where the files of a CPU are, and who is told when one of them is not as it must be. */
struct folder {
	struct ctl *ctl;
	char path[PATH_MAX];
};

#define FILE_SIZE 4096 /* what a sysfs file has at most */

static int read_text(const char *path, char *text)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (file < 0)
		return errno;
	got = read(file, text, FILE_SIZE - 1);
	if (got < 0) {
		got = errno;
		close(file);
		return (int)got;
	}
	close(file);
	text[got] = '\0';
	return 0;
}

static int read_attribute(struct folder *folder, const char *name, char *text)
{
	char path[PATH_MAX + 32];
	int error;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	error = read_text(path, text);
	return error ? ctl_errno(folder->ctl, error, path) : CTL_OK;
}

static int read_line(struct folder *folder, const char *name, char *text)
{
	int status = read_attribute(folder, name, text);

	if (!status)
		text[strcspn(text, "\n")] = '\0';
	return status;
}

static bool parse_count(const char *text, uint64_t *count)
{
	char *end;

	errno = 0;
	*count = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static int strange(struct folder *folder, const char *name, const char *text)
{
	ctl_error(folder->ctl, "%s/%s: '%s' is not what it can hold", folder->path, name, text);
	return CTL_FAILED;
}

static int read_count(struct folder *folder, const char *name, uint64_t *count)
{
	char text[FILE_SIZE];
	int status = read_line(folder, name, text);

	if (status)
		return status;
	return parse_count(text, count) ? CTL_OK : strange(folder, name, text);
}

static int read_owner(struct folder *folder, int32_t *pid)
{
	char text[FILE_SIZE];
	uint64_t number = 0;
	int status = read_line(folder, "owner", text);

	if (status)
		return status;
	if (strcmp(text, "none") && (!parse_count(text, &number) || number > INT32_MAX))
		return strange(folder, "owner", text);
	*pid = (int32_t)number;
	return CTL_OK;
}

/* "none", or a text. */
static int read_error(struct folder *folder, struct cpu *cpu)
{
	char text[FILE_SIZE];
	int status = read_line(folder, "last_error", text);

	if (!status && strcmp(text, "none"))
		snprintf(cpu->last_error, sizeof(cpu->last_error), "%.255s", text);
	return status;
}

/* A line is "name count"; the last one is the total. */
static bool parse_counts(char *text, struct cpu_counts *counts)
{
	struct cpu_count kind;
	char *line, *rest = text, *blank;

	while ((line = strsep(&rest, "\n")) && *line) {
		blank = strchr(line, ' ');
		if (!blank || blank == line || blank - line >= (ptrdiff_t)sizeof(kind.name) ||
		    !parse_count(blank + 1, &kind.count))
			return false;
		*blank = '\0';
		memcpy(kind.name, line, (size_t)(blank - line) + 1);
		if (!strcmp(kind.name, "total"))
			counts->total = kind.count;
		else if (counts->kinds < CPU_COUNT_KINDS)
			counts->by[counts->kinds++] = kind;
	}
	return true;
}

static int read_counts(struct folder *folder, const char *name, struct cpu_counts *counts)
{
	char text[FILE_SIZE];
	int status = read_attribute(folder, name, text);

	if (status)
		return status;
	return parse_counts(text, counts) ? CTL_OK : strange(folder, name, text);
}

static bool has_file(const struct folder *folder, const char *name)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	return !access(path, F_OK);
}

static int read_guest_ns(struct folder *folder, struct cpu *cpu)
{
	cpu->has_guest_ns = has_file(folder, "guest_ns");
	return cpu->has_guest_ns ? read_count(folder, "guest_ns", &cpu->guest_ns) : CTL_OK;
}

static int read_foreign(struct folder *folder, struct cpu *cpu)
{
	cpu->has_foreign = has_file(folder, "foreign_interrupts");
	return cpu->has_foreign ? read_counts(folder, "foreign_interrupts", &cpu->foreign) : CTL_OK;
}

int cpu_read(struct ctl *ctl, uint32_t node, uint32_t number, struct cpu *cpu)
{
	struct folder folder = {.ctl = ctl};
	char state[FILE_SIZE];
	int status;

	memset(cpu, 0, sizeof(*cpu));
	cpu->node = node;
	cpu->cpu = number;
	snprintf(folder.path, sizeof(folder.path),
		 "%s/sys/class/misc/" SIDECAR_DEVICE_PREFIX "%u/cpu%u", ctl->root, node, number);
	status = read_line(&folder, "state", state);
	if (status)
		return status;
	snprintf(cpu->state, sizeof(cpu->state), "%.15s", state);
	status = read_owner(&folder, &cpu->owner_pid);
	status = status ? status : read_count(&folder, "commands", &cpu->commands);
	status = status ? status : read_count(&folder, "entries", &cpu->entries);
	status = status ? status : read_counts(&folder, "exits", &cpu->exits);
	status = status ? status : read_guest_ns(&folder, cpu);
	status = status ? status : read_foreign(&folder, cpu);
	return status ? status : read_error(&folder, cpu);
}

static int read_cpus(struct ctl *ctl, struct snapshot *snapshot)
{
	const struct node *node;
	int status;

	for (size_t n = 0; n < snapshot->nodes.count; n++) {
		node = &snapshot->nodes.list[n];
		for (uint32_t i = 1; i < node->cpu_count; i++) {
			status = cpu_read(ctl, node->index, node->base_cpu + i,
					  &snapshot->cpus[snapshot->count++]);
			if (status)
				return status;
		}
	}
	return CTL_OK;
}

int snapshot_read(struct ctl *ctl, struct snapshot *snapshot)
{
	size_t count = 0;
	int status;

	memset(snapshot, 0, sizeof(*snapshot));
	status = nodes_read(ctl, &snapshot->nodes);
	if (status)
		return status;
	for (size_t n = 0; n < snapshot->nodes.count; n++)
		count += snapshot->nodes.list[n].cpu_count - 1;
	snapshot->cpus = calloc(count, sizeof(*snapshot->cpus));
	status = snapshot->cpus ? read_cpus(ctl, snapshot) : ctl_errno(ctl, ENOMEM, "the CPUs");
	if (status)
		snapshot_free(snapshot);
	return status;
}

void snapshot_free(struct snapshot *snapshot)
{
	nodes_free(&snapshot->nodes);
	free(snapshot->cpus);
	snapshot->cpus = NULL;
	snapshot->count = 0;
}

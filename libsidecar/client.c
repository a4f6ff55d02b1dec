// SPDX-License-Identifier: MIT
/* The client: every node of the machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEFAULT_DEVICE_PREFIX "/dev/" SIDECAR_DEVICE_PREFIX
#define DEFAULT_CPU_SYSFS_PATH "/sys/devices/system/cpu"

/* A driver that never says ENOENT must not keep us here for ever. */
#define MAX_NODE_FILES 1024u

/* What a caller has whose header knows of no log. */
#define FIRST_OPTIONS_SIZE offsetof(struct sidecar_options, log)

#define STRING(x) STRING_OF(x)
#define STRING_OF(x) #x

uint32_t sidecar_version(void)
{
	return SIDECAR_VERSION_NUMBER;
}

const char *sidecar_version_string(void)
{
	return STRING(SIDECAR_VERSION_MAJOR) "." STRING(SIDECAR_VERSION_MINOR) "." STRING(
		SIDECAR_VERSION_PATCH);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct node *one = a;
	const struct node *other = b;

	if (one->info.base_cpu != other->info.base_cpu)
		return one->info.base_cpu < other->info.base_cpu ? -1 : 1;
	return 0;
}

static int add_node(struct sidecar *client, const struct node *node)
{
	size_t size = (client->node_count + 1) * sizeof(*node);
	struct node *nodes = realloc(client->nodes, size);

	if (!nodes)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM,
				    "no memory for %u nodes", client->node_count + 1);
	nodes[client->node_count++] = *node;
	client->nodes = nodes;
	return 0;
}

/* Nodes are dense from 0: the first index without a device ends the search. */
static int find_nodes(struct sidecar *client)
{
	struct node node;
	uint32_t index;
	int error;

	for (index = 0; index < MAX_NODE_FILES; index++) {
		error = node_probe(client, index, &node);
		if (error == -ENOENT)
			break;
		if (error)
			return error;
		error = add_node(client, &node);
		if (error) {
			client->driver->node_close(client->context, node.handle);
			return error;
		}
	}
	if (client->node_count)
		qsort(client->nodes, client->node_count, sizeof(*client->nodes), compare_nodes);
	return 0;
}

static void free_client(struct sidecar *client)
{
	uint32_t i;

	for (i = 0; i < client->node_count; i++)
		client->driver->node_close(client->context, client->nodes[i].handle);
	free(client->nodes);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

static int fail_open(const struct sidecar_options *options, const struct sidecar_error *error)
{
	if (options->error)
		*options->error = *error;
	return error->code;
}

/* The error's place can be trusted only where a caller of this version put it. */
static bool has_error_place(const struct sidecar_options *given)
{
	return given->size >= offsetof(struct sidecar_options, error) + sizeof(given->error);
}

static int copy_options(const struct sidecar_options *given, struct sidecar_options *options)
{
	struct sidecar_error error;

	memset(options, 0, sizeof(*options));
	if (!given)
		return 0;
	if (given->size != sizeof(*options) && given->size != FIRST_OPTIONS_SIZE) {
		error_set(&error, SIDECAR_ERROR_ERRNO, -EINVAL,
			  "sidecar_options.size is %zu, this library knows %zu", given->size,
			  sizeof(*options));
		if (has_error_place(given) && given->error)
			*given->error = error;
		return error.code;
	}
	memcpy(options, given, given->size);
	return 0;
}

int sidecar_open_with(const struct sidecar_options *given, const struct sidecar_driver *driver,
		      void *context, struct sidecar **out)
{
	struct sidecar_options options;
	struct sidecar_error failure;
	struct sidecar *client;
	int error;

	*out = NULL;
	error = copy_options(given, &options);
	if (error)
		return error;
	client = calloc(1, sizeof(*client));
	if (!client) {
		error_set(&failure, SIDECAR_ERROR_ERRNO, -ENOMEM, "no memory for the client");
		return fail_open(&options, &failure);
	}
	pthread_mutex_init(&client->lock, NULL);
	client->error.size = sizeof(client->error);
	client->error.index = SIDECAR_NO_INDEX;
	client->driver = driver;
	client->context = context;
	client->timeout_ns = options.timeout_ns ? options.timeout_ns : SIDECAR_DEFAULT_TIMEOUT_NS;
	client->log = options.log;
	client->log_context = options.log_context;
	if (driver == &driver_ioctl) {
		client->ioctl_context = *(struct driver_ioctl_context *)context;
		client->context = &client->ioctl_context;
	}
	error = find_nodes(client);
	if (error) {
		failure = client->error;
		free_client(client);
		return fail_open(&options, &failure);
	}
	if (client->node_count == 0) {
		free_client(client);
		return SIDECAR_ABSENT;
	}
	trace_log(client, SIDECAR_LOG_INFO, "libsidecar %s: %u nodes", sidecar_version_string(),
		  client->node_count);
	*out = client;
	return 0;
}

static int copy_path(char *to, size_t size, const char *given, const char *otherwise,
		     struct sidecar_error *error)
{
	const char *path = given ? given : otherwise;

	if (strlen(path) < size) {
		strcpy(to, path);
		return 0;
	}
	return error_set(error, SIDECAR_ERROR_ERRNO, -ENAMETOOLONG,
			 "a path of %zu bytes in the options, the limit is %zu", strlen(path),
			 size - 1);
}

int sidecar_open(const struct sidecar_options *given, struct sidecar **client)
{
	struct driver_ioctl_context context;
	struct sidecar_options options;
	struct sidecar_error failure;
	int error;

	*client = NULL;
	error = copy_options(given, &options);
	if (error)
		return error;
	error = copy_path(context.device_prefix, sizeof(context.device_prefix),
			  options.device_prefix, DEFAULT_DEVICE_PREFIX, &failure);
	if (!error)
		error = copy_path(context.cpu_sysfs_path, sizeof(context.cpu_sysfs_path),
				  options.cpu_sysfs_path, DEFAULT_CPU_SYSFS_PATH, &failure);
	if (error)
		return fail_open(&options, &failure);
	return sidecar_open_with(given, &driver_ioctl, &context, client);
}

int sidecar_close(struct sidecar *client)
{
	unsigned int partitions, vps, queues;

	if (!client)
		return 0;
	pthread_mutex_lock(&client->lock);
	partitions = client->partitions;
	vps = client->vps;
	queues = client->queues;
	pthread_mutex_unlock(&client->lock);
	if (partitions || vps || queues)
		return client_error(client, SIDECAR_ERROR_ERRNO, -EBUSY,
				    "%u partitions, %u VPs and %u queues still exist", partitions,
				    vps, queues);
	free_client(client);
	return 0;
}

uint32_t sidecar_node_count(const struct sidecar *client)
{
	return client->node_count;
}

int sidecar_node_info(struct sidecar *client, uint32_t i, struct sidecar_node_info *info)
{
	if (i >= client->node_count)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT,
				    "node %u asked for, there are %u", i, client->node_count);
	*info = client->nodes[i].info;
	return 0;
}

int sidecar_cpu_lookup(struct sidecar *client, uint32_t cpu, struct sidecar_node_info *info)
{
	const struct node *node = node_of_cpu(client, cpu);

	if (!node)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT, "CPU %u is in no node",
				    cpu);
	if (info)
		*info = node->info;
	return 0;
}

/* The question goes through a file that owns nothing, so another file of ours looks foreign. */
static bool is_ours(struct sidecar *client, const struct node *node, uint32_t cpu)
{
	struct node_file *file;
	bool found = false;

	pthread_mutex_lock(&client->lock);
	for (file = client->files; file && !found; file = file->next) {
		if (file->node != node)
			continue;
		pthread_mutex_lock(&file->lock);
		found = file->slots[cpu - node->info.base_cpu] != NULL;
		pthread_mutex_unlock(&file->lock);
	}
	pthread_mutex_unlock(&client->lock);
	return found;
}

int sidecar_cpu_info(struct sidecar *client, uint32_t cpu, struct sidecar_cpu_info *info)
{
	const struct node *node = node_of_cpu(client, cpu);
	struct sidecar_ioctl_cpu answer = { .size = sizeof(answer), .cpu = cpu };
	int error;

	if (!node)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOENT, "CPU %u is in no node",
				    cpu);
	error = client->driver->cpu_info(client->context, node->handle, &answer);
	if (error == -ENOTTY)
		error = -ENOTSUP;
	if (error)
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "the driver says nothing about CPU %u: %s", cpu,
				    errno_text(error));
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->cpu = cpu;
	info->state = answer.state;
	info->owned = answer.owned == 2 && is_ours(client, node, cpu) ? 1 : answer.owned;
	info->entries = answer.entries;
	info->exits = answer.exits;
	return 0;
}

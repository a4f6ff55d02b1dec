// SPDX-License-Identifier: MIT
/* Partitions: the memory that a guest sees. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "internal.h"

#define MAX_GPA (UINT64_C(1) << 48)
#define MAP_FLAGS (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE)

static const struct node *node_with_partitions(const struct sidecar *client)
{
	uint32_t i;

	for (i = 0; i < client->node_count; i++)
		if (client->nodes[i].info.capabilities & SIDECAR_CAP_PARTITIONS)
			return &client->nodes[i];
	return NULL;
}

static int create_handle(struct sidecar *client, int *handle)
{
	const struct node *node = node_with_partitions(client);

	*handle = -1;
	if (!node)
		return 0;
	*handle = client->driver->partition_create(client->context, node->handle);
	if (*handle < 0)
		return client_error(client, SIDECAR_ERROR_ERRNO, *handle,
				    "the driver makes no partition: %s", errno_text(*handle));
	return 0;
}

int sidecar_partition_create(struct sidecar *client, struct sidecar_partition **out)
{
	struct sidecar_partition *partition;
	int error;

	*out = NULL;
	partition = calloc(1, sizeof(*partition));
	if (!partition)
		return client_error(client, SIDECAR_ERROR_ERRNO, -ENOMEM,
				    "no memory for a partition");
	error = create_handle(client, &partition->handle);
	if (error) {
		free(partition);
		return error;
	}
	partition->client = client;
	partition->error.size = sizeof(partition->error);
	partition->error.index = SIDECAR_NO_INDEX;
	pthread_mutex_init(&partition->lock, NULL);
	pthread_mutex_lock(&client->lock);
	client->partitions++;
	pthread_mutex_unlock(&client->lock);
	*out = partition;
	return 0;
}

int sidecar_partition_close(struct sidecar_partition *partition)
{
	struct sidecar *client;
	unsigned int vps;

	if (!partition)
		return 0;
	client = partition->client;
	pthread_mutex_lock(&client->lock);
	vps = partition->vps;
	if (!vps)
		client->partitions--;
	pthread_mutex_unlock(&client->lock);
	if (vps)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -EBUSY,
				       "%u VPs are in the partition", vps);
	if (partition->handle >= 0)
		client->driver->partition_close(client->context, partition->handle);
	pthread_mutex_destroy(&partition->lock);
	free(partition);
	return 0;
}

static int check_range(struct sidecar_partition *partition, const char *what, uint64_t gpa,
		       uint64_t user, uint64_t length)
{
	if (partition->handle < 0)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -ENOTSUP,
				       "%s: the driver has no partitions, this one is the whole "
				       "guest", what);
	if (length == 0)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -EINVAL,
				       "%s: an empty range at GPA 0x%" PRIx64, what, gpa);
	if ((gpa | user | length) % SIDECAR_PAGE_SIZE)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -EINVAL,
				       "%s: GPA 0x%" PRIx64 ", memory 0x%" PRIx64
				       ", length 0x%" PRIx64 " are not all multiples of %u",
				       what, gpa, user, length, SIDECAR_PAGE_SIZE);
	if (gpa >= MAX_GPA || length > MAX_GPA - gpa)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -EINVAL,
				       "%s: GPA 0x%" PRIx64 ", length 0x%" PRIx64
				       " end beyond the limit 0x%" PRIx64,
				       what, gpa, length, MAX_GPA);
	return 0;
}

/* The driver's ENOMEM is nearly always the limit: name it, and the need. */
static int pin_error(struct sidecar_partition *partition, const struct sidecar_ioctl_map *map)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -ENOMEM,
				       "map: no memory to pin %" PRIu64 " bytes at GPA 0x%" PRIx64,
				       (uint64_t)map->length, (uint64_t)map->gpa);
	return partition_error(partition, SIDECAR_ERROR_ERRNO, -ENOMEM,
			       "map: cannot pin %" PRIu64 " bytes at GPA 0x%" PRIx64
			       ": RLIMIT_MEMLOCK is %" PRIu64 " bytes, this range alone needs %"
			       PRIu64 " besides what is pinned already",
			       (uint64_t)map->length, (uint64_t)map->gpa,
			       (uint64_t)limit.rlim_cur, (uint64_t)map->length);
}

int sidecar_partition_map(struct sidecar_partition *partition, uint64_t gpa, void *memory,
			  uint64_t length, uint32_t flags)
{
	struct sidecar_ioctl_map map = {
		.size = sizeof(map),
		.flags = flags,
		.gpa = gpa,
		.user = (uintptr_t)memory,
		.length = length,
	};
	struct sidecar *client = partition->client;
	int error;

	error = check_range(partition, "map", gpa, (uintptr_t)memory, length);
	if (error)
		return error;
	if (flags == 0 || flags & ~MAP_FLAGS)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, -EINVAL,
				       "map: flags 0x%x, they are some of 0x%x", flags, MAP_FLAGS);
	error = client->driver->partition_map(client->context, partition->handle, &map);
	if (error == -ENOMEM)
		return pin_error(partition, &map);
	if (error)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, error,
				       "map: GPA 0x%" PRIx64 ", memory %p, length 0x%" PRIx64
				       ": %s", gpa, memory, length,
				       error == -EEXIST ? "overlaps what is mapped" :
				       error == -EFAULT ? "not memory of this process" :
							  errno_text(error));
	return 0;
}

int sidecar_partition_unmap(struct sidecar_partition *partition, uint64_t gpa, uint64_t length)
{
	struct sidecar_ioctl_unmap unmap = {
		.size = sizeof(unmap),
		.gpa = gpa,
		.length = length,
	};
	struct sidecar *client = partition->client;
	int error;

	error = check_range(partition, "unmap", gpa, 0, length);
	if (error)
		return error;
	error = client->driver->partition_unmap(client->context, partition->handle, &unmap);
	if (error)
		return partition_error(partition, SIDECAR_ERROR_ERRNO, error,
				       "unmap: GPA 0x%" PRIx64 ", length 0x%" PRIx64 ": %s", gpa,
				       length,
				       error == -ENOENT ? "not a whole range as it was mapped" :
							  errno_text(error));
	return 0;
}

// SPDX-License-Identifier: MIT
/* Nodes: what a device says of itself, its open files, and the way of completions to their VPs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* How often in a row a read may fail with EFAULT, which leaves nothing to wait for. */
#define MAX_BAD_READS 16u

struct node *node_of_cpu(struct sidecar *client, uint32_t cpu)
{
	struct sidecar_node_info *info;
	uint32_t i;

	for (i = 0; i < client->node_count; i++) {
		info = &client->nodes[i].info;
		if (cpu >= info->base_cpu && cpu - info->base_cpu < info->cpu_count)
			return &client->nodes[i];
	}
	return NULL;
}

static int check_info(struct sidecar *client, uint32_t index,
		      const struct sidecar_node_ioctl_info *info)
{
	if (info->cpu_count == 0 || info->cpu_count > SIDECAR_CONTROL_MAX_CPUS ||
	    info->base_cpu > UINT32_MAX - info->cpu_count)
		return client_error(client, SIDECAR_ERROR_PROTOCOL, -EPROTO,
				    "node %u claims %u CPUs from CPU %u, a node has 1 to %u", index,
				    info->cpu_count, info->base_cpu, SIDECAR_CONTROL_MAX_CPUS);
	if (info->per_cpu_shmem < SIDECAR_PER_CPU_SHMEM || info->per_cpu_shmem % SIDECAR_PAGE_SIZE)
		return client_error(client, SIDECAR_ERROR_PROTOCOL, -EPROTO,
				    "node %u shares %u bytes per CPU, %u in whole pages are needed",
				    index, info->per_cpu_shmem, SIDECAR_PER_CPU_SHMEM);
	return 0;
}

static int ask_node(struct sidecar *client, uint32_t index, struct node *node)
{
	struct sidecar_ioctl_caps caps = { .size = sizeof(caps) };
	struct sidecar_node_ioctl_info info;
	int error;

	error = client->driver->node_info(client->context, node->handle, &info);
	if (error)
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "node %u does not say what it is: %s", index,
				    errno_text(error));
	error = check_info(client, index, &info);
	if (error)
		return error;
	/* The original driver does not know the question: no extensions then. */
	error = client->driver->node_caps(client->context, node->handle, &caps);
	if (error && error != -ENOTTY && error != -EINVAL)
		return client_error(client, SIDECAR_ERROR_ERRNO, error,
				    "node %u does not name its extensions: %s", index,
				    errno_text(error));
	node->per_cpu_shmem = info.per_cpu_shmem;
	node->info.size = sizeof(node->info);
	node->info.index = index;
	node->info.base_cpu = info.base_cpu;
	node->info.cpu_count = info.cpu_count;
	node->info.numa_node = memory_node_of(info.base_cpu);
	node->info.capabilities = error ? 0 : caps.capabilities;
	node->info.backend = error ? 0 : caps.backend;
	return 0;
}

int node_probe(struct sidecar *client, uint32_t index, struct node *node)
{
	int error;

	memset(node, 0, sizeof(*node));
	node->handle = client->driver->node_open(client->context, index);
	if (node->handle == -ENOENT)
		return -ENOENT;
	if (node->handle < 0)
		return client_error(client, SIDECAR_ERROR_ERRNO, node->handle,
				    "cannot open node %u: %s", index, errno_text(node->handle));
	error = ask_node(client, index, node);
	if (error)
		client->driver->node_close(client->context, node->handle);
	/* A driver's ENOENT here is not the end of the nodes. */
	return error == -ENOENT ? -EIO : error;
}

/* Under the client's lock, which client_error() takes. */
static int file_error(struct sidecar *client, const struct node *node, int code, const char *what)
{
	return error_set(&client->error, SIDECAR_ERROR_ERRNO, code, "node %u: %s: %s",
			 node->info.index, what, errno_text(code));
}

/* The device may have changed since the client asked it. */
static int check_same(struct sidecar *client, const struct node *node, int handle)
{
	struct sidecar_node_ioctl_info info;
	int error;

	error = client->driver->node_info(client->context, handle, &info);
	if (error)
		return file_error(client, node, error, "does not say what it is");
	if (info.base_cpu == node->info.base_cpu && info.cpu_count == node->info.cpu_count &&
	    info.per_cpu_shmem == node->per_cpu_shmem)
		return 0;
	return file_error(client, node, -ESTALE, "has other CPUs than when the client was opened");
}

/* RUN needs a driver that bounds commands and whose CANCEL is sticky. */
static void choose_transports(struct node_file *file)
{
	uint64_t capabilities = file->node->info.capabilities;
	const uint64_t call = SIDECAR_CAP_CANCEL | SIDECAR_CAP_OWNERSHIP;

	file->blocking = (capabilities & call) == call ? &transport_call : &transport_poll;
	file->queued = capabilities & SIDECAR_CAP_URING_CMD ? &transport_uring : &transport_poll;
}

static int fill_file(struct node_file *file)
{
	struct sidecar *client = file->client;
	const struct sidecar_driver *driver = client->driver;
	const struct node *node = file->node;
	int error;

	error = check_same(client, node, file->handle);
	if (error)
		return error;
	if (file->partition && file->partition->handle >= 0) {
		error = driver->partition_attach(client->context, file->handle,
						 file->partition->handle);
		if (error)
			return file_error(client, node, error, "does not take the partition");
	}
	choose_transports(file);
	file->poll_fd = driver->poll_fd(client->context, file->handle);
	if (file->poll_fd < 0)
		return file_error(client, node, file->poll_fd, "cannot be polled");
	file->slots = calloc(node->info.cpu_count, sizeof(*file->slots));
	if (!file->slots)
		return file_error(client, node, -ENOMEM, "its VPs");
	file->length = (size_t)node->info.cpu_count * node->per_cpu_shmem;
	error = driver->node_map(client->context, file->handle, file->length, &file->memory);
	if (error)
		return file_error(client, node, error, "cannot map its shared memory");
	return 0;
}

static void free_file(struct node_file *file)
{
	struct sidecar *client = file->client;

	if (file->memory)
		client->driver->node_unmap(client->context, file->memory, file->length);
	client->driver->node_close(client->context, file->handle);
	pthread_mutex_destroy(&file->lock);
	free(file->slots);
	free(file);
}

static int open_file(struct sidecar *client, struct node *node,
		     struct sidecar_partition *partition, struct node_file **out)
{
	struct node_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return file_error(client, node, -ENOMEM, "an open file");
	file->handle = client->driver->node_open(client->context, node->info.index);
	if (file->handle < 0) {
		error = file_error(client, node, file->handle, "cannot be opened");
		free(file);
		return error;
	}
	file->client = client;
	file->node = node;
	file->partition = partition;
	pthread_mutex_init(&file->lock, NULL);
	error = fill_file(file);
	if (error) {
		free_file(file);
		return error;
	}
	file->next = client->files;
	client->files = file;
	*out = file;
	return 0;
}

int node_file_get(struct sidecar *client, struct node *node, struct sidecar_partition *partition,
		  struct node_file **out)
{
	struct node_file *file;
	int error;

	if (!(node->info.capabilities & SIDECAR_CAP_OWNERSHIP))
		partition = NULL;
	for (file = client->files; file; file = file->next)
		if (file->node == node && file->partition == partition)
			break;
	if (!file) {
		error = open_file(client, node, partition, &file);
		if (error)
			return error;
	}
	file->users++;
	*out = file;
	return 0;
}

void node_file_put(struct node_file *file)
{
	struct node_file **link = &file->client->files;

	if (--file->users)
		return;
	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	free_file(file);
}

bool node_file_set_slot(struct node_file *file, uint32_t cpu, struct sidecar_vp *vp)
{
	struct sidecar_vp **slot = &file->slots[cpu - file->node->info.base_cpu];
	bool taken;

	pthread_mutex_lock(&file->lock);
	taken = *slot != NULL;
	if (!taken)
		*slot = vp;
	pthread_mutex_unlock(&file->lock);
	return !taken;
}

void node_file_clear_slot(struct node_file *file, uint32_t cpu)
{
	pthread_mutex_lock(&file->lock);
	file->slots[cpu - file->node->info.base_cpu] = NULL;
	pthread_mutex_unlock(&file->lock);
}

/* Under the file's lock. False: there was nothing in flight. */
static bool finish(struct sidecar_queue *queue, const struct sidecar_vp *self,
		   struct sidecar_vp *vp, int state)
{
	if (!vp_change_state(vp, VP_RUNNING, state) && !vp_change_state(vp, VP_STARTED, state))
		return false;
	if (queue && vp_waiter(vp) == queue)
		queue_ready(queue, vp);
	else if (vp != self)
		vp_wake(vp);
	return true;
}

/*
 * Under the file's lock. A completion of a VP that has nothing in flight is not ours to judge: the
 * original driver makes some up, and one may come after its VP counts as failed.
 */
static void route(struct node_file *file, struct sidecar_queue *queue,
		  const struct sidecar_vp *self, uint32_t cpu)
{
	uint32_t slot = cpu - file->node->info.base_cpu;

	if (slot < file->node->info.cpu_count && file->slots[slot])
		finish(queue, self, file->slots[slot], VP_FINISHED);
}

static bool has_failed(const struct node_file *file, uint32_t cpu)
{
	struct sidecar *client = file->client;
	struct sidecar_ioctl_cpu answer = { .size = sizeof(answer), .cpu = cpu };

	return !client->driver->cpu_info(client->context, file->handle, &answer) &&
	       answer.state == SIDECAR_CPU_STATE_FAILED;
}

/*
 * Under the file's lock. read() has answered ETIMEDOUT: some CPU will not complete any more, and
 * its number is not said. Fails when none of ours is found.
 */
static int route_failed(struct node_file *file, struct sidecar_queue *queue,
			const struct sidecar_vp *self)
{
	struct sidecar_vp *vp;
	bool found = false;
	uint32_t i;

	for (i = 0; i < file->node->info.cpu_count; i++) {
		vp = file->slots[i];
		if (vp && is_in_flight(vp_state(vp)) && has_failed(file, vp->cpu))
			found |= finish(queue, self, vp, VP_LOST);
	}
	return found ? 0 : -ETIMEDOUT;
}

static int read_one(struct node_file *file, struct sidecar_queue *queue,
		    const struct sidecar_vp *self)
{
	struct sidecar *client = file->client;
	uint32_t cpu;
	int error;

	do
		error = client->driver->read_completion(client->context, file->handle, &cpu);
	while (error == -EINTR);
	if (error == -ETIMEDOUT)
		return route_failed(file, queue, self);
	if (!error)
		route(file, queue, self, cpu);
	return error;
}

/*
 * Under the file's lock. read() has answered EFAULT. Our driver keeps the completion then, the
 * original does not, nor does it say whose it was: so it counts as everybody's, and their pages
 * tell who has ended and who has to wait on.
 */
static void route_lost(struct node_file *file, struct sidecar_queue *queue,
		       const struct sidecar_vp *self)
{
	uint32_t i;

	if (file->node->info.capabilities & SIDECAR_CAP_OWNERSHIP)
		return;
	for (i = 0; i < file->node->info.cpu_count; i++)
		if (file->slots[i])
			finish(queue, self, file->slots[i], VP_FINISHED);
}

int node_file_drain(struct node_file *file, struct sidecar_queue *queue, struct sidecar_vp *vp)
{
	unsigned int bad_reads = 0;
	int error;

	pthread_mutex_lock(&file->lock);
	do {
		error = read_one(file, queue, vp);
		bad_reads = error == -EFAULT ? bad_reads + 1 : 0;
		if (bad_reads && bad_reads <= MAX_BAD_READS) {
			route_lost(file, queue, vp);
			error = 0;
		}
	} while (!error && !(vp && is_finished(vp_state(vp))));
	pthread_mutex_unlock(&file->lock);
	return error == -EAGAIN ? 0 : error;
}

// SPDX-License-Identifier: MIT
/*
 * Prints every node and what the driver knows of its CPUs. Exit status: 0; 1 something failed;
 * 3 no sidecar on this machine, which is no failure.
 */
#include <stdio.h>

#include <sidecar/sidecar.h>

#define EXIT_ABSENT 3

static void print_capabilities(uint64_t capabilities)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{SIDECAR_CAP_PARTITIONS, "partitions"},
		{SIDECAR_CAP_CANCEL, "cancel"},
		{SIDECAR_CAP_OWNERSHIP, "ownership"},
		{SIDECAR_CAP_URING_CMD, "uring-cmd"},
		{SIDECAR_CAP_MOVE, "move"},
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (capabilities & names[i].bit)
			printf(" %s", names[i].name);
}

static void print_cpu(struct sidecar *client, uint32_t cpu)
{
	static const char *const owners[] = {"nobody's", "ours", "another's"};
	struct sidecar_cpu_info info;

	if (sidecar_cpu_info(client, cpu, &info)) {
		printf("  cpu %u: %s\n", cpu, sidecar_error(client)->text);
		return;
	}
	printf("  cpu %u: %s, %s, entries %llu, exits %llu\n", cpu,
	       sidecar_cpu_state_name(info.state),
	       info.owned < 3 ? owners[info.owned] : "unknown",
	       (unsigned long long)info.entries, (unsigned long long)info.exits);
}

static void print_node(struct sidecar *client, const struct sidecar_node_info *node)
{
	printf("node %u: cpus %u-%u, base cpu %u, backend %s, capabilities", node->index,
	       node->base_cpu, node->base_cpu + node->cpu_count - 1, node->base_cpu,
	       sidecar_backend_name(node->backend));
	print_capabilities(node->capabilities);
	putchar('\n');
	for (uint32_t i = 1; i < node->cpu_count; i++)
		print_cpu(client, node->base_cpu + i);
}

int main(void)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar_node_info node;
	struct sidecar *client;
	int result = sidecar_open(&options, &client);

	if (result == SIDECAR_ABSENT) {
		printf("no sidecar on this machine\n");
		return EXIT_ABSENT;
	}
	if (result) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	printf("libsidecar %s, nodes: %u\n", sidecar_version_string(), sidecar_node_count(client));
	for (uint32_t i = 0; !sidecar_node_info(client, i, &node); i++)
		print_node(client, &node);
	return sidecar_close(client) ? 1 : 0;
}

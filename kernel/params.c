// SPDX-License-Identifier: MIT
#include "params.h"

#include "console/format.h"

/* The architecture's limit of physical addresses. */
#define PHYSICAL_END (1ull << 52)

typedef struct sidecar_command_error error_t;

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool check_cpus(const struct sidecar_node_params *node, uint32_t n, error_t *error)
{
	if (node->vp_count < 2 || node->vp_count > SIDECAR_CONTROL_MAX_CPUS) {
		error_format(error, "node %u: %u CPUs, the limits are 2 and %u", n, node->vp_count,
			     SIDECAR_CONTROL_MAX_CPUS);
		return false;
	}
	if (node->base_vp > UINT32_MAX - node->vp_count) {
		error_format(error, "node %u: base VP %u and %u CPUs, the last VP is beyond %u", n,
			     node->base_vp, node->vp_count, UINT32_MAX);
		return false;
	}
	return true;
}

static bool check_memory(const struct sidecar_node_params *node, uint32_t n, uint64_t image,
			 error_t *error)
{
	uint64_t base = node->memory_base, size = node->memory_size;
	uint64_t required = SIDECAR_REQUIRED_MEMORY(node->vp_count);

	if (base % SIDECAR_PAGE_SIZE) {
		error_format(error, "node %u: memory at 0x%lx is not page aligned", n, base);
		return false;
	}
	if (size < required) {
		error_format(error, "node %u: 0x%lx bytes of memory, %u CPUs need 0x%lx", n, size,
			     node->vp_count, required);
		return false;
	}
	if (base >= PHYSICAL_END || size > PHYSICAL_END - base) {
		error_format(error, "node %u: memory at 0x%lx, 0x%lx bytes, ends beyond 0x%lx", n,
			     base, size, (uint64_t)PHYSICAL_END);
		return false;
	}
	if (overlap(base, required, image, SIDECAR_IMAGE_MAX_SIZE)) {
		error_format(error, "node %u: memory at 0x%lx overlaps the kernel at 0x%lx", n,
			     base, image);
		return false;
	}
	return true;
}

static bool check_overlap(const struct sidecar_node_params *nodes, uint32_t n, error_t *error)
{
	const struct sidecar_node_params *a = &nodes[n];

	for (uint32_t i = 0; i < n; i++) {
		const struct sidecar_node_params *b = &nodes[i];

		if (overlap(a->base_vp, a->vp_count, b->base_vp, b->vp_count)) {
			error_format(error, "nodes %u and %u: both have VP %u", i, n,
				     a->base_vp > b->base_vp ? a->base_vp : b->base_vp);
			return false;
		}
		if (overlap(a->memory_base, a->memory_size, b->memory_base, b->memory_size)) {
			error_format(error, "nodes %u and %u: memory at 0x%lx and 0x%lx overlaps",
				     i, n, b->memory_base, a->memory_base);
			return false;
		}
	}
	return true;
}

static bool check_starts(const struct sidecar_boot_params *params, uint32_t n, error_t *error)
{
	const struct sidecar_node_params *node = &params->nodes[n];
	uint32_t starts = 0;

	if (params->initial_state.specified &&
	    node->base_vp + node->vp_count > SIDECAR_MAX_CPU_OVERRIDES) {
		error_format(error, "node %u: VP %u is beyond the %u of the per-CPU state", n,
			     node->base_vp + node->vp_count - 1, SIDECAR_MAX_CPU_OVERRIDES);
		return false;
	}
	if (params->initial_state.specified &&
	    params->initial_state.sidecar_starts_cpu[node->base_vp]) {
		error_format(error, "node %u: its base VP %u is Linux's, not to be started here", n,
			     node->base_vp);
		return false;
	}
	for (uint32_t i = 1; i < node->vp_count; i++)
		starts += params_starts(params, node, i);
	if (!starts)
		error_format(error, "node %u: no CPU to start among VPs %u to %u", n, node->base_vp,
			     node->base_vp + node->vp_count - 1);
	return starts;
}

bool params_check(const struct sidecar_boot_params *params, uint64_t image, error_t *error)
{
	if (!params->node_count || params->node_count > SIDECAR_MAX_NODES) {
		error_format(error, "%u nodes, the limits are 1 and %u", params->node_count,
			     SIDECAR_MAX_NODES);
		return false;
	}
	for (uint32_t n = 0; n < params->node_count; n++)
		if (!check_cpus(&params->nodes[n], n, error) ||
		    !check_memory(&params->nodes[n], n, image, error) ||
		    !check_overlap(params->nodes, n, error) || !check_starts(params, n, error))
			return false;
	return true;
}

bool params_starts(const struct sidecar_boot_params *params, const struct sidecar_node_params *node,
		   uint32_t index)
{
	if (index == 0) /* the base VP is Linux's */
		return false;
	return !params->initial_state.specified ||
	       params->initial_state.sidecar_starts_cpu[node->base_vp + index];
}

// SPDX-License-Identifier: MIT
#include "node.h"

#include "mm/layout.h"
#include "mm/node_memory.h"
#include "mm/tables.h"
#include "mm/window.h"
#include "params.h"
#include "smp/smp.h"

static void clear_memory(const struct sidecar_node_params *node)
{
	uint64_t size = SIDECAR_REQUIRED_MEMORY(node->vp_count);

	for (uint64_t offset = 0; offset < size; offset += SIDECAR_PAGE_SIZE)
		page_clear(phys(node->memory_base + offset));
}

static void fill_control_page(const struct boot *boot, uint32_t n)
{
	const struct sidecar_node_params *node = &boot->params.nodes[n];
	struct sidecar_control_page *control;

	control = window_open(NULL, WINDOW_PAGE, node_control_page(node), true);
	control->index = n;
	control->base_cpu = node->base_vp;
	control->cpu_count = node->vp_count;
	control->request_vector = SIDECAR_REQUEST_VECTOR;
	for (uint32_t i = 0; i < node->vp_count; i++)
		control->cpu_status[i] = params_starts(&boot->params, node, i)
						 ? SIDECAR_STATUS_RUN
						 : SIDECAR_STATUS_REMOVED;
	window_close(NULL, WINDOW_PAGE);
}

/* struct cpu is the beginning of the CPU's globals page. */
static void fill_cpu(const struct sidecar_node_params *node, uint32_t index)
{
	phys_t globals = node_private_page(node, index, PRIVATE_GLOBALS);
	struct cpu *cpu = window_open(NULL, WINDOW_PAGE, globals, true);

	cpu->vp_index = node->base_vp + index;
	cpu->node_index = index;
	cpu->control = (void *)SLOT_VA(SLOT_CONTROL);
	cpu->command = (void *)SLOT_VA(SLOT_COMMAND);
	cpu->register_page = (void *)SLOT_VA(SLOT_REGISTER_PAGE);
	cpu->state = (void *)SLOT_VA(SLOT_STATE);
	cpu->backend_pages = node_private_page(node, index, PRIVATE_BACKEND);
	cpu->backend_memory = (void *)SLOT_VA(SLOT_BACKEND);
	window_close(NULL, WINDOW_PAGE);
}

static void fill_output(const struct boot *boot, uint32_t n)
{
	const struct sidecar_node_params *node = &boot->params.nodes[n];
	struct sidecar_node_output *output = &boot->output->nodes[n];

	output->control_page = node_control_page(node).value;
	output->shmem_pages_base = node_shared_page(node, 0, SHARED_COMMAND).value;
	output->shmem_pages_size = (uint64_t)node->vp_count * SIDECAR_PER_CPU_SHMEM;
}

static void node_prepare(const struct boot *boot, uint32_t n, uint32_t first_ordinal)
{
	const struct sidecar_node_params *node = &boot->params.nodes[n];

	clear_memory(node);
	fill_control_page(boot, n);
	fill_output(boot, n);
	for (uint32_t i = 0; i < node->vp_count; i++) {
		if (params_starts(&boot->params, node, i)) {
			cpu_tables_fill(node, i, boot->image_table);
			fill_cpu(node, i);
		}
		smp_prepare_cpu(boot, node, i, first_ordinal + i);
	}
}

void nodes_prepare(const struct boot *boot)
{
	uint32_t ordinal = 0;

	for (uint32_t n = 0; n < boot->params.node_count; n++) {
		node_prepare(boot, n, ordinal);
		ordinal += boot->params.nodes[n].vp_count;
	}
}

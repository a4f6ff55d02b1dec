// SPDX-License-Identifier: MIT
#include "node.h"

#include "mm/layout.h"
#include "mm/node_memory.h"
#include "mm/tables.h"
#include "mm/window.h"
#include "params.h"

/* The pages that forget (main.c) clears, each time that the CPU begins. */
static void clear_forgotten(const struct sidecar_node_params *node, uint32_t index)
{
	for (unsigned int page = 0; page < SHARED_COUNT; page++)
		page_clear(node_shared_page(node, index, page));
	for (unsigned int page = 0; page < BACKEND_PRIVATE_PAGES; page++)
		page_clear(node_private_page(node, index, PRIVATE_BACKEND + page));
}

static void clear_others(const struct sidecar_node_params *node, uint32_t index)
{
	for (unsigned int page = 0; page < PRIVATE_BACKEND; page++)
		page_clear(node_private_page(node, index, page));
	page_clear(node_private_page(node, index, PRIVATE_STATE));
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
	cpu->register_page_at = node_shared_page(node, index, SHARED_REGISTER_PAGE);
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

void nodes_prepare(const struct boot *boot)
{
	for (uint32_t n = 0; n < boot->params.node_count; n++) {
		page_clear(node_control_page(&boot->params.nodes[n]));
		fill_control_page(boot, n);
		fill_output(boot, n);
	}
}

void node_prepare_cpu(const struct boot *boot, const struct sidecar_node_params *node,
		      uint32_t index)
{
	clear_others(node, index);
	if (!params_starts(&boot->params, node, index)) {
		clear_forgotten(node, index);
		return;
	}
	cpu_tables_fill(node, index, boot->image_table);
	fill_cpu(node, index);
}

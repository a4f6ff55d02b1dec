// SPDX-License-Identifier: MIT
#include "extension.h"

#include "arch/x86/pte.h"
#include "console/format.h"
#include "mm/layout.h"
#include "mm/node_memory.h"
#include "mm/window.h"
#include "params.h"

/* The SIPI trampoline reads the extension through tables of the first 4 GiB. */
#define EXTENSION_END (1ull << 32)

typedef struct sidecar_command_error error_t;

static struct sidecar_extension *open_header(const struct sidecar_boot_params *params)
{
	return window_open(NULL, WINDOW_EXTENSION, phys(params->extension), true);
}

/* 64 bytes at a multiple of 64: never in two pages. */
static struct sidecar_extension_cpu *open_cpu(const struct sidecar_boot_params *params,
					      uint32_t ordinal)
{
	uint64_t offset = sizeof(struct sidecar_extension) +
			  (uint64_t)ordinal * sizeof(struct sidecar_extension_cpu);

	return window_open(NULL, WINDOW_EXTENSION, phys(params->extension + offset), true);
}

static uint64_t count_cpus(const struct sidecar_boot_params *params)
{
	uint64_t count = 0;

	for (uint32_t n = 0; n < params->node_count; n++)
		count += params->nodes[n].vp_count;
	return count;
}

bool extension_given(const struct sidecar_boot_params *params)
{
	return params->extension_magic == SIDECAR_EXTENSION_MAGIC;
}

static bool check_place(const struct sidecar_boot_params *params, error_t *error)
{
	uint64_t size = sizeof(struct sidecar_extension) +
			count_cpus(params) * sizeof(struct sidecar_extension_cpu);

	if (params->extension % SIDECAR_PAGE_SIZE) {
		error_format(error, "extension at 0x%lx is not page aligned", params->extension);
		return false;
	}
	if (params->extension >= EXTENSION_END || size > EXTENSION_END - params->extension) {
		error_format(error, "extension at 0x%lx, 0x%lx bytes, ends beyond 0x%lx",
			     params->extension, size, (uint64_t)EXTENSION_END);
		return false;
	}
	return true;
}

static bool check_header(const struct sidecar_extension *header, uint32_t flags, uint64_t cpu_count,
			 error_t *error)
{
	if (header->magic != SIDECAR_EXTENSION_MAGIC) {
		error_format(error, "extension has magic 0x%lx, not 0x%lx", header->magic,
			     (uint64_t)SIDECAR_EXTENSION_MAGIC);
		return false;
	}
	if (header->version != SIDECAR_EXTENSION_VERSION) {
		error_format(error, "extension has version %u, this kernel knows %u",
			     header->version, SIDECAR_EXTENSION_VERSION);
		return false;
	}
	if (header->flags != flags) {
		error_format(error, "extension has flags 0x%x, this kernel needs 0x%x",
			     header->flags, flags);
		return false;
	}
	if (header->cpu_count != cpu_count) {
		error_format(error, "extension has %u CPUs, the nodes have %lu", header->cpu_count,
			     cpu_count);
		return false;
	}
	return true;
}

static bool check_cpu(const struct sidecar_extension_cpu *cpu, uint32_t vp_index, bool starts,
		      error_t *error)
{
	if (cpu->vp_index != vp_index) {
		error_format(error, "extension has VP %u where VP %u belongs", cpu->vp_index,
			     vp_index);
		return false;
	}
	if (starts && cpu->apic_id == SIDECAR_NO_APIC_ID) {
		error_format(error, "extension has no APIC ID (0x%x) for VP %u", cpu->apic_id,
			     vp_index);
		return false;
	}
	return true;
}

static bool check_cpus(const struct sidecar_boot_params *params, error_t *error)
{
	uint32_t ordinal = 0;
	bool good = true;

	for (uint32_t n = 0; n < params->node_count; n++) {
		const struct sidecar_node_params *node = &params->nodes[n];

		for (uint32_t i = 0; i < node->vp_count && good; i++)
			good = check_cpu(open_cpu(params, ordinal++), node->base_vp + i,
					 params_starts(params, node, i), error);
	}
	window_close(NULL, WINDOW_EXTENSION);
	return good;
}

bool extension_check(const struct sidecar_boot_params *params, uint32_t flags, error_t *error)
{
	bool good;

	if (!check_place(params, error))
		return false;
	good = check_header(open_header(params), flags, count_cpus(params), error);
	window_close(NULL, WINDOW_EXTENSION);
	return good && check_cpus(params, error);
}

/* ordinal counts the CPUs of all nodes in order, bases included. */
static void fill_cpu(const struct boot *boot, const struct sidecar_node_params *node,
		     uint32_t index, uint32_t ordinal, uint64_t entry)
{
	struct sidecar_extension_cpu *cpu = open_cpu(&boot->params, ordinal);
	bool starts = params_starts(&boot->params, node, index);

	cpu->cr3 = starts ? node_private_page(node, index, PRIVATE_PML4).value : 0;
	cpu->entry = starts ? entry : 0;
	cpu->stack = starts ? STACK_END_VA : 0;
	cpu->state_page = starts ? node_private_page(node, index, PRIVATE_STATE).value : 0;
	window_close(NULL, WINDOW_EXTENSION);
}

void extension_fill(const struct boot *boot, uint64_t entry)
{
	uint32_t ordinal = 0;

	for (uint32_t n = 0; n < boot->params.node_count; n++)
		for (uint32_t i = 0; i < boot->params.nodes[n].vp_count; i++)
			fill_cpu(boot, &boot->params.nodes[n], i, ordinal++, entry);
	open_header(&boot->params)->boot_pml4e = pte_table(boot->high_root.value);
	window_close(NULL, WINDOW_EXTENSION);
}

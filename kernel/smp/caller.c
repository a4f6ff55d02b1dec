// SPDX-License-Identifier: MIT
/* The caller of the entry function starts the CPUs; the extension says who is who. */
#include "smp.h"

#include "console/format.h"
#include "extension.h"
#include "node.h"

bool smp_check(const struct sidecar_boot_params *params, struct sidecar_command_error *error)
{
	if (extension_given(params))
		return extension_check(params, SIDECAR_EXTENSION_CALLER_STARTS_CPUS, error);
	error_format(error,
		     "no extension (magic 0x%lx, not 0x%lx): this kernel cannot start CPUs without "
		     "its caller",
		     params->extension_magic, (uint64_t)SIDECAR_EXTENSION_MAGIC);
	return false;
}

bool smp_start(const struct boot *boot, struct sidecar_command_error *error)
{
	(void)error;
	for (uint32_t n = 0; n < boot->params.node_count; n++) {
		const struct sidecar_node_params *node = &boot->params.nodes[n];

		for (uint32_t i = 0; i < node->vp_count; i++)
			node_prepare_cpu(boot, node, i);
	}
	extension_fill(boot, smp_entry());
	return true;
}

void smp_join(struct cpu *cpu)
{
	(void)cpu; /* each finds its own way */
}

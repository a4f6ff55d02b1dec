/* SPDX-License-Identifier: MIT */
/* The parameters of the entry function: what is wrong with them, and what they ask for. */
#ifndef PARAMS_H
#define PARAMS_H

#include <stdbool.h>

#include <sidecar/abi.h>

/* params is a private copy; image is the PA of this kernel. False with a text in *error. */
bool params_check(const struct sidecar_boot_params *params, uint64_t image,
		  struct sidecar_command_error *error);

/* Whether the sidecar starts the CPU at this index of a node. */
bool params_starts(const struct sidecar_boot_params *params, const struct sidecar_node_params *node,
		   uint32_t index);

#endif

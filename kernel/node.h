/* SPDX-License-Identifier: MIT */
#ifndef NODE_H
#define NODE_H

#include "boot.h"

/*
 * Both turn the memory of nodes into pages. The parameters have passed every check, so they cannot
 * fail. First all control pages, and where everything is, in the output.
 */
void nodes_prepare(const struct boot *boot);

/*
 * Then, CPU by CPU, bases included, in any order and by any CPU: its pages are cleared, and its
 * page tables and struct cpu filled when it is to be started. Such a CPU clears the pages that it
 * shares, and its backend's, before its first IDLE itself (main.c).
 */
void node_prepare_cpu(const struct boot *boot, const struct sidecar_node_params *node,
		      uint32_t index);

#endif

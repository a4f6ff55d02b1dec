/* SPDX-License-Identifier: MIT */
#ifndef NODE_H
#define NODE_H

#include "boot.h"

/*
 * Carves and fills the memory of every node: page tables, struct cpu, control page; says where it
 * all is in the output. The parameters have passed every check, so this cannot fail.
 */
void nodes_prepare(const struct boot *boot);

#endif

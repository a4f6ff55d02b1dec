/* SPDX-License-Identifier: MIT */
/* The nodes of this machine, as sysfs shows them: no device is opened. */
#ifndef NODE_H
#define NODE_H

#include <stddef.h>
#include <stdint.h>

#include "ctl.h"

struct node {
	uint32_t index; /* the device's */
	uint32_t base_cpu;
	uint32_t cpu_count; /* the base CPU included */
};

struct nodes {
	struct node *list; /* in the order of their indices */
	size_t count;	   /* at least 1 */
};

/* Returns CTL_OK, with nodes to be freed with nodes_free(), or an exit status. */
int nodes_read(struct ctl *ctl, struct nodes *nodes);
void nodes_free(struct nodes *nodes);

/* NULL: no node has the CPU. */
const struct node *nodes_find(const struct nodes *nodes, uint32_t cpu);

#endif

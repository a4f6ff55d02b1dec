/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs that a boot shim has started before Linux. Its handover says which and where; nothing is
 * allocated for them here, and nothing is freed.
 */
#ifndef SCDRV_ADOPT_H
#define SCDRV_ADOPT_H

#include "driver.h"
#include "plan.h"

/*
 * address is the parameter handover=, or 0: then Linux's command line is asked. Afterwards
 * scdrv_adopting says whether there is a handover to adopt.
 */
int scdrv_adopt_init(u64 address);
void scdrv_adopt_exit(void);
bool scdrv_adopting(void);

u32 scdrv_adopt_backend(void);

/* The nodes of the handover, each of whose CPUs Linux must know by the same number. */
int scdrv_adopt_plan(struct plan *plan, const struct plan_machine *machine);

int scdrv_adopt_image(void);
void scdrv_adopt_image_free(void);
int scdrv_adopt_memory(struct scdrv_node *node);
void scdrv_adopt_memory_free(struct scdrv_node *node);

/* Whether Linux has to start this CPU itself: a base CPU, or one of no node. */
bool scdrv_adopt_is_linux(u32 cpu);

/*
 * Each CPU answers, or is sent through the trampoline once more. A CPU that is Linux's by now, or
 * that the shim has left to Linux, is not the sidecar's.
 */
int scdrv_adopt_start(void);

#endif

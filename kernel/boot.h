/* SPDX-License-Identifier: MIT */
/* What the entry function knows while it runs. */
#ifndef BOOT_H
#define BOOT_H

#include <sidecar/abi.h>

#include "cpu.h"

struct boot {
	struct sidecar_boot_params params; /* a copy: the caller cannot change it any more */
	struct sidecar_boot_output *output;
	phys_t image;
	phys_t image_table;
	phys_t high_root; /* PA of the boot tables' level 3, which leads to all of IMAGE_VA */
};

#endif

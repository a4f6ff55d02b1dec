/* SPDX-License-Identifier: MIT */
/* What a PVH loader tells its image: QEMU tells L0, L0 tells VTL2. The layout is Xen's. */
#ifndef START_INFO_H
#define START_INFO_H

#include <stdint.h>

#define START_INFO_MAGIC 0x336ec578u
#define PVH_NOTE_TYPE 18u
#define MEMORY_RAM 1u
#define MEMORY_RESERVED 2u

struct start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, memory;
	uint32_t memory_count, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info version 1");

struct start_module {
	uint64_t base, size, command_line, reserved;
};

struct start_memory {
	uint64_t base, size;
	uint32_t type, reserved;
};

#endif

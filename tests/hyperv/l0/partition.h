/* SPDX-License-Identifier: MIT */
/* What all VPs have in common, and the switches of the run. */
#ifndef L0_PARTITION_H
#define L0_PARTITION_H

#include "cpu.h"

struct partition {
	uint64_t guest_os_id;	/* VTL2's */
	uint64_t hypercall_msr; /* VTL2's */
	uint64_t reference_tsc; /* MSR */
	uint64_t vsm_config;	/* VsmPartitionConfig */
	bool dr6_shared;
	uint16_t call_offset; /* of the VTL call code in the hypercall page */
	uint16_t return_offset;
};

extern struct partition partition;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the boot shim leaves for the driver: CPUs that run the sidecar kernel already, and where
 * their memory is. The shim writes it, then Linux boots, then the driver reads it; nobody else.
 *
 * Linux's command line has the physical address as sidecar.handover=0x...; the driver takes the
 * same number as its parameter handover=. All memory that is named here is reserved in the e820
 * map (type 2), so Linux neither uses nor frees it.
 */
#ifndef SIDECAR_HANDOVER_H
#define SIDECAR_HANDOVER_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIDECAR_HANDOVER_MAGIC 0x31444e4148434453ull /* "SDCHAND1" */
#define SIDECAR_HANDOVER_VERSION 1u
#define SIDECAR_HANDOVER_MAX_CPUS 2048u

struct sidecar_handover_node {
	uint64_t memory; /* PA of all its memory, page aligned */
	uint64_t memory_size;
	uint64_t control_page;	   /* PA, inside memory */
	uint64_t shmem_pages_base; /* PA, inside memory */
	uint64_t shmem_pages_size; /* bytes: cpu_count * SIDECAR_PER_CPU_SHMEM */
	uint32_t base_cpu;	   /* Linux CPU number, which is the VP index */
	uint32_t cpu_count;	   /* the base CPU included */
	uint64_t reserved[2];
};
SIDECAR_ASSERT_SIZE(struct sidecar_handover_node, 64);
SIDECAR_ASSERT_OFFSET(struct sidecar_handover_node, shmem_pages_base, 0x18);
SIDECAR_ASSERT_OFFSET(struct sidecar_handover_node, base_cpu, 0x28);

/* Physically contiguous, page aligned, below 4 GiB. */
struct sidecar_handover {
	uint64_t magic; /* SIDECAR_HANDOVER_MAGIC */
	uint32_t version;
	uint32_t size; /* bytes, the nodes included */
	uint32_t backend; /* SIDECAR_BACKEND_* */
	uint32_t node_count;
	uint32_t cpu_count;    /* sum of the nodes' cpu_count */
	uint32_t sidecar_cpus; /* of these the sidecar has */
	uint64_t image;	       /* PA, SIDECAR_IMAGE_MAX_SIZE bytes at a multiple of the same */
	uint32_t image_size;   /* of that used */
	uint32_t trampoline;   /* offset from image; 0 with size 0: the image has none */
	uint32_t trampoline_size;
	uint32_t reserved0;
	/*
	 * PA of struct sidecar_extension, cpu_count entries behind it in the order of the nodes.
	 * apic_id is always valid; all that the kernel writes is 0 if it knows no extension.
	 */
	uint64_t extension;
	uint64_t time_start; /* of the entry function and the start of the CPUs, units of 100 ns */
	uint64_t time_end;
	uint64_t reserved1[6];
	/* CPUs that Linux has to start, one bit a CPU: base CPUs, and those of no node. */
	uint8_t boot_cpus[SIDECAR_HANDOVER_MAX_CPUS / 8];
	/* struct sidecar_handover_node, node_count times */
};
SIDECAR_ASSERT_SIZE(struct sidecar_handover, 0x180);
SIDECAR_ASSERT_OFFSET(struct sidecar_handover, image, 0x20);
SIDECAR_ASSERT_OFFSET(struct sidecar_handover, extension, 0x38);
SIDECAR_ASSERT_OFFSET(struct sidecar_handover, boot_cpus, 0x80);

#ifdef __cplusplus
}
#endif

#endif

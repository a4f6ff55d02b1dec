/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, by the pages that their input and output take. Each CPU has a page of its own for
 * both, one half each, so that neither crosses a page.
 */
#ifndef HYPERV_HYPERCALL_H
#define HYPERV_HYPERCALL_H

#include "cpu.h"

#define HYPERV_HALF_PAGE (SIDECAR_PAGE_SIZE / 2)

struct hyperv_buffers {
	uint8_t input[HYPERV_HALF_PAGE] __attribute__((aligned(4096)));
	uint8_t output[HYPERV_HALF_PAGE];
};

/* The two backend pages of a CPU. */
struct hyperv_pages {
	/* An overlay from the first RUN_VP on. */
	struct hv_vp_assist_page assist __attribute__((aligned(4096)));
	struct hyperv_buffers buffers __attribute__((aligned(4096)));
};
_Static_assert(sizeof(struct hyperv_pages) == BACKEND_PRIVATE_PAGES * SIDECAR_PAGE_SIZE, "pages");

static inline struct hyperv_pages *hyperv_pages(struct cpu *cpu)
{
	return cpu->backend_memory;
}

/* Whose buffers a call uses: the boot CPU, which has no struct cpu here, has a page in the image.
 */
struct hyperv_caller {
	struct hyperv_buffers *buffers;
	phys_t at;
};

/* cpu is NULL on the boot CPU, once it is known where the image is. */
struct hyperv_caller hyperv_caller(struct cpu *cpu);
void hyperv_set_boot_caller(phys_t image);

/* A call whose input, if any, is in the buffers already. Returns HV_STATUS_*. */
uint16_t hyperv_simple_call(const struct hyperv_caller *caller, uint16_t code);

/*
 * Registers of this VP in the VTL that vtl (HV_VTL_*) names, at most SIDECAR_MAX_REGISTERS, in one
 * call if the hypervisor does not divide it. *done is the number that succeeded before the one
 * whose HV_STATUS_* is returned.
 */
uint16_t hyperv_get_registers(const struct hyperv_caller *caller, uint8_t vtl,
			      struct hv_register_assoc *regs, unsigned int count,
			      unsigned int *done);
uint16_t hyperv_set_registers(const struct hyperv_caller *caller, uint8_t vtl,
			      const struct hv_register_assoc *regs, unsigned int count,
			      unsigned int *done);

/* One register of this VP and VTL. */
uint16_t hyperv_get_own(const struct hyperv_caller *caller, uint32_t name, uint64_t *value);
uint16_t hyperv_set_own(const struct hyperv_caller *caller, uint32_t name, uint64_t value);

#endif

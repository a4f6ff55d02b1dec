/* SPDX-License-Identifier: MIT */
/*
 * The privileged part: everything of this backend that a program in user mode could not do. The
 * rest of it is built for the host as well, over a fake of this header.
 */
#ifndef HYPERV_HARDWARE_H
#define HYPERV_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "backend_cpu.h"
#include "cpu.h"

#define MSR_TIME_REF_COUNT 0x40000020u
#define MSR_VP_ASSIST_PAGE 0x40000073u
#define MSR_CRASH_P0 0x40000100u /* to P4 */
#define MSR_CRASH_CTL 0x40000105u

/* entry.S */
extern const uint8_t hyperv_hypercall_page[];
extern const uint8_t hyperv_vp_start[];
extern const uint8_t hyperv_vp_entry[];
uint64_t hyperv_hypercall(uint64_t control, uint64_t input, uint64_t output);
void hyperv_vtl_return(struct hyperv_guest *guest, uint64_t code);

/* False: the processor, or the hypervisor in its place, has answered #GP. */
bool hyperv_rdmsr(uint32_t msr, uint64_t *value);
bool hyperv_wrmsr(uint32_t msr, uint64_t value);

/* DR0 to DR3, and DR6. The value of DR6 fits in 32 bits. */
uint64_t hyperv_get_dr(unsigned int number);
void hyperv_set_dr(unsigned int number, uint64_t value);

/* x87, SSE and CR2 of the guest. False: FXRSTOR has refused the image. */
bool hyperv_load(const struct hyperv_guest *guest);
void hyperv_store(struct hyperv_guest *guest);

/* Of this processor, for checks before hyperv_load. */
uint32_t hyperv_mxcsr_mask(void);

/* Where a table register of a new VP points: code and data of 64-bit mode, reports of faults. */
void hyperv_boot_tables(struct hv_table *gdt, struct hv_table *idt);

/* With interrupts off. */
_Noreturn void hyperv_halt(void);

/* PA of a part of the image. */
phys_t hyperv_image_at(phys_t image, const void *part);

#endif

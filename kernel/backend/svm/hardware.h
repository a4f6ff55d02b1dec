/* SPDX-License-Identifier: MIT */
/*
 * The privileged part: everything of this backend that a program in user mode could not do. The
 * rest of it is built for the host as well, over a fake of this header.
 */
#ifndef SVM_HARDWARE_H
#define SVM_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

/* What this machine's processors can do; filled once, by svm_hardware_probe. */
struct svm_host {
	struct svm_features features; /* for guests */
	bool nrip_save;
	bool flush_by_asid;
	bool ibpb;
	bool xsave;
	bool avx;
	bool tsc_aux;
};

extern struct svm_host svm_host;

/* False with a text when this processor cannot run guests. */
bool svm_hardware_probe(struct sidecar_command_error *error);

/* Virtualization on and off, for this CPU. */
void svm_hardware_start(struct cpu *cpu);
void svm_hardware_stop(void);

/* The guest registers that entry.S does not switch: x87 and SSE, DR0-3, XCR0, TSC_AUX. */
void svm_hardware_load(struct cpu *cpu);
void svm_hardware_store(struct cpu *cpu);

/* The one of them that a guest changes by an intercepted instruction. */
void svm_hardware_load_tsc_aux(const struct svm_vp *vp);

/* Leaves nothing of the last owner in registers and branch predictors. */
void svm_hardware_scrub(void);

/* entry.S */
void svm_enter(struct svm_guest *guest, uint64_t vmcb_pa);

/* The machine check that ended the guest is this CPU's own. */
void svm_machine_check(void);

/* PA of a page of the image, by the CPU's own tables. */
phys_t svm_image_page(struct cpu *cpu, const void *page);

#endif

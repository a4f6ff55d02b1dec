/* SPDX-License-Identifier: MIT */
/*
 * The register page: what a VMM looks at and changes after most intercepts, without a command. It
 * is user mode's while the VP is stopped, so each field is read once. Pure.
 */
#ifndef SVM_REGISTER_PAGE_H
#define SVM_REGISTER_PAGE_H

#include "vp.h"

/*
 * Takes the dirty fields of a valid page, all or, when one is refused, none: then false. RSP, RIP,
 * RFLAGS, segments and XMM0-5; control registers cannot be set here.
 */
bool svm_register_page_take(const struct hv_register_page *page, struct svm_vp *vp,
			    struct sidecar_cpu_context *context, struct hv_fx_state *fx);

/* The registers of the VP that has just stopped. gps is in SIDECAR_GP_* order. */
void svm_register_page_fill(struct hv_register_page *page, const struct svm_vp *vp,
			    const uint64_t *gps, const struct hv_fx_state *fx);

#endif

/* SPDX-License-Identifier: MIT */
/* What the hypervisor has said about itself at boot; the same for all CPUs. */
#ifndef HYPERV_H
#define HYPERV_H

#include <stdbool.h>
#include <stdint.h>

struct hyperv_host {
	uint64_t return_code; /* VA of the VTL return code in hyperv_hypercall_page */
	bool dr6_shared;
};

extern struct hyperv_host hyperv_host;

#endif

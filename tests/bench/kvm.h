/* SPDX-License-Identifier: MIT */
/* The smallest VMM for /dev/kvm: one VCPU that runs the guest of guest.h. */
#ifndef BENCH_KVM_H
#define BENCH_KVM_H

#include <stdbool.h>
#include <stddef.h>

struct kvm_run;

struct kvm_guest {
	int vcpu;
	struct kvm_run *run;
};

/* False, with a text on stderr, if there is no KVM. The process's end frees everything. */
bool kvm_guest_open(struct kvm_guest *guest, void *page);

/* Runs the guest to its next write to GUEST_PORT; false for any other exit. */
bool kvm_guest_exit(struct kvm_guest *guest);

#endif

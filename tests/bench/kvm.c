// SPDX-License-Identifier: MIT
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "guest.h"

static bool failed(const char *what)
{
	fprintf(stderr, "KVM: %s: %s\n", what, strerror(errno));
	return false;
}

static bool give_memory(int vm, void *page)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GUEST_PAGE_GPA,
		.memory_size = GUEST_PAGE_SIZE,
		.userspace_addr = (uintptr_t)page,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

bool kvm_guest_open(struct kvm_guest *guest, void *page)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, size;

	if (kvm < 0)
		return failed("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return failed("KVM_CREATE_VM");
	if (!give_memory(vm, page))
		return failed("KVM_SET_USER_MEMORY_REGION");
	guest->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (guest->vcpu < 0)
		return failed("KVM_CREATE_VCPU");
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(*guest->run))
		return failed("KVM_GET_VCPU_MMAP_SIZE");
	guest->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
	if (guest->run == MAP_FAILED)
		return failed("mmap of the VCPU");
	return true;
}

bool kvm_guest_exit(struct kvm_guest *guest)
{
	if (ioctl(guest->vcpu, KVM_RUN, 0) != 0)
		return failed("KVM_RUN");
	if (guest->run->exit_reason == KVM_EXIT_IO && guest->run->io.port == GUEST_PORT)
		return true;
	fprintf(stderr, "KVM: exit reason %u, wanted %u\n", guest->run->exit_reason, KVM_EXIT_IO);
	return false;
}

// SPDX-License-Identifier: MIT
/*
 * The hooks of backend.h for a Hyper-V VTL, where the guest is the lower VTL of this very VP; the
 * larger ones are in start.c, run.c, registers.c, translate.c and crash.c.
 */
#include "hyperv.h"

#include "arch.h"
#include "backend.h"
#include "boot.h"
#include "console/format.h"
#include "hardware.h"
#include "hypercall.h"
#include "mm/window.h"
#include "overlays.h"
#include "shm.h"

struct hyperv_host hyperv_host;

static bool copy_hypercall_page(const struct boot *boot, struct sidecar_command_error *error)
{
	uint64_t page = boot->params.hypercall_page;
	phys_t copy = hyperv_image_at(boot->image, hyperv_hypercall_page);

	if (!page || page % SIDECAR_PAGE_SIZE) {
		error_format(error, "hypercall page at 0x%lx is not a page", page);
		return false;
	}
	__builtin_memcpy(window_open(NULL, WINDOW_TABLE, copy, true),
			 window_open(NULL, WINDOW_PAGE, phys(page), false), SIDECAR_PAGE_SIZE);
	window_close(NULL, WINDOW_TABLE);
	window_close(NULL, WINDOW_PAGE);
	return true;
}

static bool read_vsm(uint32_t name, const char *what, uint64_t *value,
		     struct sidecar_command_error *error)
{
	const struct hyperv_caller caller = hyperv_caller(NULL);
	uint16_t status = hyperv_get_own(&caller, name, value);

	if (status != HV_STATUS_SUCCESS)
		error_format(error, "%s (0x%x) cannot be read: hypervisor status 0x%x", what, name,
			     status);
	return status == HV_STATUS_SUCCESS;
}

bool backend_boot(const struct boot *boot, struct sidecar_command_error *error)
{
	uint64_t offsets, capabilities;

	if (!copy_hypercall_page(boot, error))
		return false;
	hyperv_set_boot_caller(boot->image);
	if (!read_vsm(HV_REGISTER_VSM_CODE_PAGE_OFFSETS, "VsmCodePageOffsets", &offsets, error) ||
	    !read_vsm(HV_REGISTER_VSM_CAPABILITIES, "VsmCapabilities", &capabilities, error))
		return false;
	hyperv_host.return_code = (uint64_t)hyperv_hypercall_page +
				  ((offsets & HV_VSM_CODE_PAGE_RETURN_OFFSET_MASK) >>
				   HV_VSM_CODE_PAGE_RETURN_OFFSET_SHIFT);
	hyperv_host.dr6_shared = capabilities & HV_VSM_CAPABILITY_DR6_SHARED;
	return true;
}

uint64_t backend_time(void)
{
	uint64_t now;

	return hyperv_rdmsr(MSR_TIME_REF_COUNT, &now) ? now : 0;
}

void backend_cpu_start(struct cpu *cpu)
{
	cpu->backend.mxcsr_mask = hyperv_mxcsr_mask();
}

void backend_cpu_stop(struct cpu *cpu)
{
	hyperv_overlays_unmap(cpu);
}

/* Halted, so that it costs nothing: the hypervisor starts it elsewhere whatever it does. */
_Noreturn void backend_park(struct cpu *cpu)
{
	(void)cpu;
	hyperv_halt();
}

/* A VP's state is the hypervisor's: an owner cannot be forgotten, nor memory taken away, here. */
void backend_command_begin(struct cpu *cpu)
{
	shm_write(&cpu->state->owner_seen, shm_read(&cpu->state->owner));
	/* Pairs with the driver's release and its acquire, as where partitions have memory. */
	shm_write_release(&cpu->state->generation_seen, shm_read_acquire(&cpu->state->generation));
}

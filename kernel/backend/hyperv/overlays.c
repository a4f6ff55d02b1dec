// SPDX-License-Identifier: MIT
#include "overlays.h"

#include "console/format.h"
#include "console/log.h"
#include "hardware.h"
#include "hypercall.h"

static uint16_t set_register_page(struct cpu *cpu, uint64_t value)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);

	return hyperv_set_own(&caller, HV_REGISTER_REGISTER_PAGE, value);
}

bool hyperv_overlays_map(struct cpu *cpu, struct sidecar_command_error *error)
{
	uint64_t assist = cpu->backend_pages.value | HV_OVERLAY_ENABLE;
	uint16_t status;

	if (cpu->backend.overlays_mapped)
		return true;
	if (!hyperv_wrmsr(MSR_VP_ASSIST_PAGE, assist)) {
		error_format(error, "VP assist page 0x%lx: the hypervisor refuses it (MSR 0x%x)",
			     assist, MSR_VP_ASSIST_PAGE);
		return false;
	}
	status = set_register_page(cpu, cpu->register_page_at.value | HV_OVERLAY_ENABLE);
	cpu->backend.register_page_mapped = status == HV_STATUS_SUCCESS;
	cpu->backend.overlays_mapped = true;
	if (status != HV_STATUS_SUCCESS)
		log_line(cpu, "no register page: hypervisor status 0x%x", status);
	return true;
}

/* The pages stay reserved, so one that the hypervisor keeps harms nobody. */
void hyperv_overlays_unmap(struct cpu *cpu)
{
	uint16_t status = HV_STATUS_SUCCESS;

	if (!hyperv_wrmsr(MSR_VP_ASSIST_PAGE, 0))
		log_line(cpu, "the VP assist page cannot be taken back");
	if (cpu->backend.register_page_mapped)
		status = set_register_page(cpu, 0);
	if (status != HV_STATUS_SUCCESS)
		log_line(cpu, "the register page cannot be taken back: hypervisor status 0x%x",
			 status);
	cpu->backend.overlays_mapped = false;
	cpu->backend.register_page_mapped = false;
}

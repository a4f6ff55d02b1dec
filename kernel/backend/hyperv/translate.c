// SPDX-License-Identifier: MIT
/* TRANSLATE_GVA: the hypervisor knows the guest's tables. */
#include "backend.h"
#include "hypercall.h"

uint16_t backend_translate(struct cpu *cpu, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	const struct hyperv_caller caller = hyperv_caller(cpu);
	struct hv_translate_input *input = (void *)caller.buffers->input;
	uint16_t status;

	*input = (struct hv_translate_input){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.control_flags = request->control_flags,
		.gva_page = request->gva_page,
	};
	status = hyperv_simple_call(&caller, HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX);
	if (status == HV_STATUS_SUCCESS)
		__builtin_memcpy(output, caller.buffers->output, sizeof(*output));
	return status;
}

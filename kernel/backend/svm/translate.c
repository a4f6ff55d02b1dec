// SPDX-License-Identifier: MIT
#include "backend.h"
#include "cpu.h"
#include "memory.h"

uint16_t backend_translate(struct cpu *cpu, const struct sidecar_translate_request *request,
			   struct hv_translate_output *output)
{
	struct svm_guest_memory memory = svm_memory_of(cpu);
	struct svm_paging paging = svm_paging_of(&cpu->backend.vp);

	return svm_translate_gva(&paging, request, &memory, output);
}

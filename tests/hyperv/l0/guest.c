// SPDX-License-Identifier: MIT
#include "guest.h"

#include "decode.h"
#include "nested.h"

#define PHYSICAL_BITS 40

struct svm_vmcb *guest_vmcb(struct cpu *cpu, uint8_t vtl)
{
	return vtl == 2 ? &cpu->vmcb2 : &cpu->vmcb0;
}

struct svm_paging guest_paging(struct cpu *cpu, uint8_t vtl)
{
	const struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;

	return (struct svm_paging){
		.cr0 = save->cr0,
		.cr3 = save->cr3,
		.cr4 = save->cr4,
		.efer = save->efer,
		.rflags = save->rflags,
		.cpl = save->cpl,
		.physical_bits = PHYSICAL_BITS,
		.page_1g = true,
	};
}

/* ---- memory ---------------------------------------------------------------------------------- */

static const uint8_t vtl_numbers[3] = {0, 1, 2};

static bool is_mapped(void *context, uint64_t gpa, uint64_t size)
{
	if (*(const uint8_t *)context == 0)
		return nested_is_vtl0_ram(gpa, size);
	return nested_is_ram(gpa, size);
}

static uint32_t read(void *context, uint64_t gpa, unsigned int size, uint64_t *value)
{
	if (!is_mapped(context, gpa, size))
		return HV_TRANSLATE_GPA_UNMAPPED;
	*value = size == 8 ? load((uint64_t *)gpa) : load((uint32_t *)gpa);
	return HV_TRANSLATE_SUCCESS;
}

static uint32_t exchange(void *context, uint64_t gpa, unsigned int size, uint64_t expected,
			 uint64_t desired)
{
	uint32_t narrow = (uint32_t)expected;
	bool good;

	if (!is_mapped(context, gpa, size))
		return HV_TRANSLATE_GPA_UNMAPPED;
	if (size == 8)
		good = __atomic_compare_exchange_n((uint64_t *)gpa, &expected, desired, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	else
		good = __atomic_compare_exchange_n((uint32_t *)gpa, &narrow, (uint32_t)desired,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return good ? HV_TRANSLATE_SUCCESS : SVM_MEMORY_CHANGED;
}

static uint32_t probe(void *context, uint64_t gpa, unsigned int access)
{
	(void)access;
	return is_mapped(context, gpa, 1) ? HV_TRANSLATE_SUCCESS : HV_TRANSLATE_GPA_UNMAPPED;
}

struct svm_guest_memory guest_memory(uint8_t vtl)
{
	return (struct svm_guest_memory){(void *)&vtl_numbers[vtl], read, exchange, probe};
}

/* ---- instructions ---------------------------------------------------------------------------- */

uint8_t guest_fetch(struct cpu *cpu, uint8_t vtl, uint8_t *bytes)
{
	const struct svm_save_area *save = &guest_vmcb(cpu, vtl)->save;
	struct svm_paging paging = guest_paging(cpu, vtl);
	struct svm_guest_memory memory = guest_memory(vtl);
	uint64_t rip = save->rip;

	if (svm_code_size(save) != SVM_CODE64)
		rip += save->cs.base;
	for (uint8_t i = 0; i < SVM_INSTRUCTION_MAX; i++) {
		struct svm_translation t =
			svm_translate(&paging, rip + i, HV_TRANSLATE_VALIDATE_EXECUTE, &memory);

		if (t.result != HV_TRANSLATE_SUCCESS)
			return i;
		bytes[i] = *(uint8_t *)t.gpa;
	}
	return SVM_INSTRUCTION_MAX;
}

uint8_t guest_instruction_length(struct cpu *cpu, uint8_t vtl)
{
	uint8_t bytes[SVM_INSTRUCTION_MAX];
	uint8_t count = guest_fetch(cpu, vtl, bytes);

	return (uint8_t)svm_instruction_length(bytes, count,
					       svm_code_size(&guest_vmcb(cpu, vtl)->save));
}

void guest_skip(struct cpu *cpu, uint8_t vtl, uint8_t length)
{
	struct svm_vmcb *vmcb = guest_vmcb(cpu, vtl);

	vmcb->save.rip += length;
	if (svm_code_size(&vmcb->save) == SVM_CODE16 && !(vmcb->save.cr0 & CR0_PE))
		vmcb->save.rip &= 0xffff;
	vmcb->control.int_state &= ~SVM_INT_STATE_SHADOW;
}

/* ---- exceptions ------------------------------------------------------------------------------ */

void guest_raise(struct cpu *cpu, uint8_t vtl, uint8_t vector)
{
	guest_vmcb(cpu, vtl)->control.event_inj =
		SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION << SVM_EVENT_TYPE_SHIFT | vector;
}

void guest_raise_code(struct cpu *cpu, uint8_t vtl, uint8_t vector, uint32_t code)
{
	guest_raise(cpu, vtl, vector);
	guest_vmcb(cpu, vtl)->control.event_inj |=
		SVM_EVENT_ERROR_CODE_VALID | (uint64_t)code << SVM_EVENT_ERROR_CODE_SHIFT;
}

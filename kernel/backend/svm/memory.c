// SPDX-License-Identifier: MIT
/*
 * The nested tables belong to the driver and change while this CPU looks: an entry is read once.
 * What it led to stays there as long as this CPU has not published a newer generation (R17).
 */
#include "memory.h"

#include "arch.h"
#include "shm.h"

#define WINDOW_NESTED 0u
#define WINDOW_GUEST 1u

#define LOW32 0xffffffffull

static bool read_physical(void *context, uint64_t pa, uint64_t *value)
{
	const uint64_t *entry = window_open(context, WINDOW_NESTED, phys(pa), false);

	*value = shm_read(entry);
	window_close(context, WINDOW_NESTED);
	return true;
}

static bool find(struct cpu *cpu, uint64_t gpa, struct svm_nested_leaf *leaf)
{
	return svm_nested_walk(cpu->backend.nested_root, gpa, read_physical, cpu, leaf);
}

static uint32_t read_guest(void *context, uint64_t gpa, unsigned int size, uint64_t *value)
{
	struct svm_nested_leaf leaf;
	const void *place;

	if (!find(context, gpa, &leaf))
		return HV_TRANSLATE_GPA_UNMAPPED;
	place = window_open(context, WINDOW_GUEST, phys(leaf.pa), false);
	*value = size == 4 ? shm_read((const uint32_t *)place) : shm_read((const uint64_t *)place);
	window_close(context, WINDOW_GUEST);
	return HV_TRANSLATE_SUCCESS;
}

static bool exchange(void *place, unsigned int size, uint64_t expected, uint64_t desired)
{
	uint32_t expected32 = (uint32_t)expected;

	if (size == 4)
		return __atomic_compare_exchange_n((uint32_t *)place, &expected32,
						   (uint32_t)desired, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint64_t *)place, &expected, desired, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static uint32_t exchange_guest(void *context, uint64_t gpa, unsigned int size, uint64_t expected,
			       uint64_t desired)
{
	struct svm_nested_leaf leaf;
	bool done;

	if (!find(context, gpa, &leaf))
		return HV_TRANSLATE_GPA_UNMAPPED;
	if (!leaf.writable)
		return HV_TRANSLATE_GPA_NO_WRITE_ACCESS;
	done = exchange(window_open(context, WINDOW_GUEST, phys(leaf.pa), true), size, expected,
			desired);
	window_close(context, WINDOW_GUEST);
	return done ? HV_TRANSLATE_SUCCESS : SVM_MEMORY_CHANGED;
}

/* Whatever AMD-V maps can be read. */
static uint32_t probe_guest(void *context, uint64_t gpa, unsigned int access)
{
	struct svm_nested_leaf leaf;

	if (!find(context, gpa, &leaf))
		return HV_TRANSLATE_GPA_UNMAPPED;
	if ((access & SVM_MEMORY_WRITE) && !leaf.writable)
		return HV_TRANSLATE_GPA_NO_WRITE_ACCESS;
	if ((access & SVM_MEMORY_EXECUTE) && !leaf.executable)
		return HV_TRANSLATE_GPA_NO_READ_ACCESS;
	return HV_TRANSLATE_SUCCESS;
}

struct svm_guest_memory svm_memory_of(struct cpu *cpu)
{
	return (struct svm_guest_memory){
		.context = cpu,
		.read = read_guest,
		.cmpxchg = exchange_guest,
		.probe = probe_guest,
	};
}

/* ---- the instruction ------------------------------------------------------------------------- */

uint64_t svm_linear_rip(const struct svm_save_area *save)
{
	if (svm_code_size(save) == SVM_CODE64)
		return save->rip;
	return (save->cs.base + save->rip) & LOW32;
}

static uint32_t no_probe(void *context, uint64_t gpa, unsigned int access)
{
	(void)context;
	(void)gpa;
	(void)access;
	return HV_TRANSLATE_SUCCESS;
}

/* The GPA of gva by the guest's tables, mapped or not. */
static bool translate(struct cpu *cpu, uint64_t gva, uint64_t *gpa)
{
	struct svm_guest_memory memory = svm_memory_of(cpu);
	struct svm_paging paging = svm_paging_of(&cpu->backend.vp);
	struct svm_translation translation;

	memory.probe = no_probe;
	translation = svm_translate(&paging, gva, 0, &memory);
	*gpa = translation.gpa;
	return translation.result == HV_TRANSLATE_SUCCESS;
}

/* Bytes of one page; the guest may be writing them meanwhile. */
static bool copy_from(struct cpu *cpu, uint64_t gpa, uint8_t *bytes, unsigned int count)
{
	struct svm_nested_leaf leaf;
	const uint8_t *place;

	if (!find(cpu, gpa, &leaf))
		return false;
	place = window_open(cpu, WINDOW_GUEST, phys(leaf.pa), false);
	for (unsigned int i = 0; i < count; i++)
		bytes[i] = shm_read(&place[i]);
	window_close(cpu, WINDOW_GUEST);
	return true;
}

static unsigned int rest_of_page(uint64_t address, unsigned int limit)
{
	unsigned int rest = SIDECAR_PAGE_SIZE - address % SIDECAR_PAGE_SIZE;

	return rest < limit ? rest : limit;
}

uint8_t svm_fetch(struct cpu *cpu, uint8_t *bytes, struct svm_fetch_fault *fault)
{
	uint64_t gva = svm_linear_rip(&cpu->backend.vp.vmcb->save);
	unsigned int count = 0;

	*fault = (struct svm_fetch_fault){0};
	while (count < SVM_INSTRUCTION_MAX) {
		unsigned int chunk = rest_of_page(gva + count, SVM_INSTRUCTION_MAX - count);
		uint64_t gpa;

		if (!translate(cpu, gva + count, &gpa))
			break;
		if (!copy_from(cpu, gpa, bytes + count, chunk)) {
			*fault = (struct svm_fetch_fault){true, gpa, gva + count};
			break;
		}
		count += chunk;
	}
	return (uint8_t)count;
}

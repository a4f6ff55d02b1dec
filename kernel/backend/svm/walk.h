/* SPDX-License-Identifier: MIT */
/*
 * The two page-table walks, in software: guest linear to guest physical through the guest's own
 * tables (APM vol. 2, chapter 5), and guest physical to physical through the nested ones (15.25).
 * Both take their memory through callbacks and end after a bounded number of reads, whatever the
 * tables hold.
 */
#ifndef SVM_WALK_H
#define SVM_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "vp.h"

/* ---- Nested tables ----------------------------------------------------------------------------
 */

/* Reads one table entry; false when there is no such memory, which ends the walk as unmapped. */
typedef bool (*svm_read_physical)(void *context, uint64_t pa, uint64_t *value);

struct svm_nested_leaf {
	uint64_t pa;   /* of the GPA itself, not of its page */
	uint64_t size; /* of the page: 4 KiB, 2 MiB or 1 GiB */
	bool writable;
	bool executable;
};

/* root is the PA of a 4-level table (0: no memory at all). False when the GPA is not mapped. */
bool svm_nested_walk(uint64_t root, uint64_t gpa, svm_read_physical read, void *context,
		     struct svm_nested_leaf *leaf);

/* ---- Guest tables -----------------------------------------------------------------------------
 */

/* What a guest's paging depends on. */
struct svm_paging {
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
	uint64_t rflags;
	uint8_t cpl;
	uint8_t physical_bits;
	bool page_1g;
};

/* The paging of a VP as it is now. */
struct svm_paging svm_paging_of(const struct svm_vp *vp);

#define SVM_MEMORY_READ 1u
#define SVM_MEMORY_WRITE 2u
#define SVM_MEMORY_EXECUTE 4u

/* cmpxchg found another value than expected: another VP was faster. No HV_TRANSLATE_* code. */
#define SVM_MEMORY_CHANGED 0x100u

/*
 * Guest-physical memory. Each returns an HV_TRANSLATE_* code: SUCCESS, GPA_UNMAPPED,
 * GPA_NO_READ_ACCESS or GPA_NO_WRITE_ACCESS. size is 4 or 8, gpa a multiple of it.
 */
struct svm_guest_memory {
	void *context;
	uint32_t (*read)(void *context, uint64_t gpa, unsigned int size, uint64_t *value);
	/* One atomic exchange; also SVM_MEMORY_CHANGED, and then nothing was written. */
	uint32_t (*cmpxchg)(void *context, uint64_t gpa, unsigned int size, uint64_t expected,
			    uint64_t desired);
	/* May the page be accessed? access is a set of SVM_MEMORY_*; 0 = it need only be mapped. */
	uint32_t (*probe)(void *context, uint64_t gpa, unsigned int access);
};

struct svm_translation {
	uint32_t result;     /* HV_TRANSLATE_* */
	uint32_t error_code; /* of the #PF that the access would raise */
	bool page_fault;     /* the guest's tables are the reason: raise #PF with that code */
	bool non_canonical;  /* the address is the reason: raise #GP(0), #SS(0) for the stack */
	uint64_t gpa;	     /* when result is HV_TRANSLATE_SUCCESS */
	uint64_t size;	     /* of the guest's page; 4 KiB without paging */
};

/*
 * flags are HV_TRANSLATE_*; reserved ones and the VTL byte are ignored here. Without a validate
 * flag only presence counts. Accessed and dirty bits are set only by a walk that succeeds.
 */
struct svm_translation svm_translate(const struct svm_paging *paging, uint64_t gva, uint64_t flags,
				     const struct svm_guest_memory *memory);

/*
 * The TRANSLATE_GVA command. Returns HV_STATUS_*; *output must be zero on entry and stays so
 * unless HV_STATUS_SUCCESS is returned.
 */
uint16_t svm_translate_gva(const struct svm_paging *paging,
			   const struct sidecar_translate_request *request,
			   const struct svm_guest_memory *memory,
			   struct hv_translate_output *output);

#endif

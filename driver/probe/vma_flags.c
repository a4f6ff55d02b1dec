// SPDX-License-Identifier: GPL-2.0-only
/* Compiles where the flags of a VMA are changed through functions only (6.3 and later). */
#include <linux/mm.h>

void scdrv_probe(struct vm_area_struct *vma);

void scdrv_probe(struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_IO);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Compiles where the flags of a VMA are changed as vma.h says with SCDRV_vma_flags. */
#include "vma.h"

void scdrv_probe(struct vm_area_struct *vma);

void scdrv_probe(struct vm_area_struct *vma)
{
	scdrv_vma_flags(vma, VM_IO, VM_MAYEXEC);
}

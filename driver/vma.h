/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flags of a VMA that is being made. Kbuild's probe defines SCDRV_vma_flags where they are
 * changed by functions only (6.3 and later).
 */
#ifndef SCDRV_VMA_H
#define SCDRV_VMA_H

#include <linux/mm.h>

#ifdef SCDRV_vma_flags
static inline void scdrv_vma_flags(struct vm_area_struct *vma, unsigned long set,
				   unsigned long clear)
{
	vm_flags_clear(vma, clear);
	vm_flags_set(vma, set);
}
#else
static inline void scdrv_vma_flags(struct vm_area_struct *vma, unsigned long set,
				   unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags & ~clear) | set;
}
#endif

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command and register pages in user mode. They are mapped by fault: those of a VP that is
 * nobody's or this file's map, another's give SIGBUS. A claim zaps what others have mapped.
 */
#include <linux/mm.h>

#include "claim.h"
#include "device.h"
#include "vma.h"

static bool may_map(struct scdrv_file *file, unsigned long index)
{
	struct scdrv_file *owner = READ_ONCE(file->node->vps[index].owner);

	return !owner || owner == file;
}

/* map_lock: no VP gets an owner between the question and the insertion. */
static vm_fault_t device_fault(struct vm_fault *vmf)
{
	struct scdrv_file *file = vmf->vma->vm_file->private_data;
	struct scdrv_node *node = file->node;
	unsigned long index = vmf->pgoff / (SIDECAR_PER_CPU_SHMEM / SIDECAR_PAGE_SIZE);
	vm_fault_t result = VM_FAULT_SIGBUS;

	if (index >= node->cpu_count)
		return VM_FAULT_SIGBUS;
	down_read(&node->map_lock);
	if (may_map(file, index))
		result = vmf_insert_pfn(vmf->vma, vmf->address,
					PHYS_PFN(node->shmem) + vmf->pgoff);
	up_read(&node->map_lock);
	return result;
}

static const struct vm_operations_struct device_vm_ops = {
	.fault = device_fault,
};

int scdrv_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct scdrv_file *file = filp->private_data;
	unsigned long size = (unsigned long)file->node->cpu_count * SIDECAR_PER_CPU_SHMEM;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != size)
		return -EINVAL;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* VM_IO: madvise(MADV_DOFORK) must not undo VM_DONTCOPY. */
	scdrv_vma_flags(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
			VM_MAYEXEC);
	vma->vm_ops = &device_vm_ops;
	return 0;
}

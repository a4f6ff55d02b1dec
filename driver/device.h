/* SPDX-License-Identifier: GPL-2.0-only */
/* The file operations of a node's device that have a file of their own. */
#ifndef SCDRV_DEVICE_H
#define SCDRV_DEVICE_H

#include <linux/fs.h>

#include "driver.h"

long scdrv_ioctl(struct file *filp, unsigned int request, unsigned long argument);
int scdrv_mmap(struct file *filp, struct vm_area_struct *vma);

/* The VP of a Linux CPU number, whole: nothing is cut off. NULL: outside the node. */
struct scdrv_vp *scdrv_file_vp(struct scdrv_file *file, unsigned long cpu);

/*
 * Claims the VP for the caller's descriptor table, which must hold the file: its close is what ends
 * the claim. 0 also if the file owns the VP already; EBADF if the descriptor was closed meanwhile;
 * else as START. May sleep.
 */
int scdrv_file_claim(struct file *filp, struct scdrv_vp *vp);

#endif

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

/* Whether a descriptor of this table is the file. */
bool scdrv_file_is_open(struct file *filp, struct files_struct *table);

#endif

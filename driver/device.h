/* SPDX-License-Identifier: GPL-2.0-only */
/* The file operations of a node's device that have a file of their own. */
#ifndef SCDRV_DEVICE_H
#define SCDRV_DEVICE_H

#include <linux/fs.h>

long scdrv_ioctl(struct file *filp, unsigned int request, unsigned long argument);
int scdrv_mmap(struct file *filp, struct vm_area_struct *vma);

#endif

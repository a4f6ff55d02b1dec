/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCDRV_IOCTL_H
#define SCDRV_IOCTL_H

#include "driver.h"

/*
 * Reads an extension struct, which begins with its size: EINVAL when it is smaller than ours, or
 * larger with anything but zeros behind.
 */
int scdrv_copy_struct(void *to, size_t size, const void __user *from);

/* The intercepts that user mode has seen as messages. The VP has a state page. */
u64 scdrv_count_messages(const struct scdrv_vp *vp);

#endif

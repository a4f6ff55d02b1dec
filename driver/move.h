/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCDRV_MOVE_H
#define SCDRV_MOVE_H

#include "driver.h"

/* TAKE, GIVE and RESET; the contract is include/sidecar/ioctl.h's. */
long scdrv_move(struct scdrv_file *file, unsigned int request, void __user *argument);

#endif

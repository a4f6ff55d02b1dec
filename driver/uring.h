/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands for a ring, as far as the kernel has them: Kbuild's probes define one of SCDRV_URING_*,
 * or none.
 */
#ifndef SCDRV_URING_H
#define SCDRV_URING_H

#include <sidecar/ioctl.h>

struct io_uring_cmd;

#if defined(SCDRV_URING_flags) || defined(SCDRV_URING_plain)
#define SCDRV_URING_CAPABILITY SIDECAR_CAP_URING_CMD
int scdrv_uring_cmd(struct io_uring_cmd *ring, unsigned int flags);
#else
#define SCDRV_URING_CAPABILITY 0
#define scdrv_uring_cmd NULL
#endif

/* The callback in a task, and how it completes the request. */
#if defined(SCDRV_URING_flags)
#define SCDRV_URING_CALLBACK(name, ring) name(struct io_uring_cmd *ring, unsigned int flags)
#define scdrv_uring_done(ring, result) io_uring_cmd_done(ring, result, 0, flags)
#elif defined(SCDRV_URING_plain)
#define SCDRV_URING_CALLBACK(name, ring) name(struct io_uring_cmd *ring)
#define scdrv_uring_done(ring, result) io_uring_cmd_done(ring, result, 0)
#endif

#endif

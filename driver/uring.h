/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands for a ring, as far as the kernel has them. Kbuild's probes define one of these, or none:
 *
 *   SCDRV_uring_sqe    the payload is in the submission (6.7 and later; run on 6.12)
 *   SCDRV_uring_flags  a completion in a task has issue flags (6.1.192)
 *   SCDRV_uring_plain  it has none (the first 6.1)
 */
#ifndef SCDRV_URING_H
#define SCDRV_URING_H

#include <sidecar/ioctl.h>

#if defined(SCDRV_uring_sqe)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

#if defined(SCDRV_uring_sqe) || defined(SCDRV_uring_flags) || defined(SCDRV_uring_plain)
#define SCDRV_URING_CAPABILITY SIDECAR_CAP_URING_CMD
int scdrv_uring_cmd(struct io_uring_cmd *ring, unsigned int flags);
#else
#define SCDRV_URING_CAPABILITY 0
#define scdrv_uring_cmd NULL
#endif

/* Where the submitter's payload is. */
#if defined(SCDRV_uring_sqe)
#define scdrv_uring_payload(ring) io_uring_sqe_cmd((ring)->sqe)
#else
#define scdrv_uring_payload(ring) ((ring)->cmd)
#endif

/* The callback in a task, and how it completes the request. */
#if defined(SCDRV_uring_plain)
#define SCDRV_URING_CALLBACK(name, ring) name(struct io_uring_cmd *ring)
#define scdrv_uring_done(ring, result) io_uring_cmd_done(ring, result, 0)
#else
#define SCDRV_URING_CALLBACK(name, ring) name(struct io_uring_cmd *ring, unsigned int flags)
#define scdrv_uring_done(ring, result) io_uring_cmd_done(ring, result, 0, flags)
#endif

#endif

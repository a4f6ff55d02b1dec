// SPDX-License-Identifier: GPL-2.0-only
/* Compiles where a ring's commands are as uring.h says of the SCDRV_uring_* that is defined. */
#include <linux/fs.h>

#include "uring.h"

void SCDRV_URING_CALLBACK(scdrv_probe_callback, ring);
void scdrv_probe(struct io_uring_cmd *ring);
extern const struct file_operations scdrv_probe_fops;

void SCDRV_URING_CALLBACK(scdrv_probe_callback, ring)
{
	scdrv_uring_done(ring, 0);
}

void scdrv_probe(struct io_uring_cmd *ring)
{
	io_uring_cmd_complete_in_task(ring, scdrv_probe_callback);
}

int scdrv_uring_cmd(struct io_uring_cmd *ring, unsigned int flags)
{
	return (flags & IO_URING_F_NONBLOCK) && scdrv_uring_payload(ring) ? -EAGAIN :
									     sizeof(ring->pdu);
}

const struct file_operations scdrv_probe_fops = {
	.uring_cmd = scdrv_uring_cmd,
};

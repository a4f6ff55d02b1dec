// SPDX-License-Identifier: GPL-2.0-only
/* Compiles where a ring's command has its payload in its submission (6.7 and later; run on 6.12). */
#include <linux/fs.h>
#include <linux/io_uring/cmd.h>

void scdrv_probe_callback(struct io_uring_cmd *ring, unsigned int flags);
void scdrv_probe(struct io_uring_cmd *ring);
int scdrv_probe_issue(struct io_uring_cmd *ring, unsigned int flags);
extern const struct file_operations scdrv_probe_fops;

void scdrv_probe_callback(struct io_uring_cmd *ring, unsigned int flags)
{
	io_uring_cmd_done(ring, 0, 0, flags);
}

void scdrv_probe(struct io_uring_cmd *ring)
{
	io_uring_cmd_complete_in_task(ring, scdrv_probe_callback);
}

int scdrv_probe_issue(struct io_uring_cmd *ring, unsigned int flags)
{
	return (flags & IO_URING_F_NONBLOCK) && io_uring_sqe_cmd(ring->sqe) ? -EAGAIN :
									     sizeof(ring->pdu);
}

const struct file_operations scdrv_probe_fops = {
	.uring_cmd = scdrv_probe_issue,
};

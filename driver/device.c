// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/mshv_vtl_sidecar<index>: open, read, poll and close. What they mean is the original
 * driver's; what a VP may do meanwhile is claim.c's.
 */
#include <linux/bitmap.h>
#include <linux/fdtable.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "claim.h"
#include "device.h"
#include "partition.h"
#include "uring.h"

static struct scdrv_node *node_of(struct miscdevice *misc)
{
	return container_of(misc, struct scdrv_node, misc);
}

static void free_file(struct scdrv_file *file)
{
	bitmap_free(file->finished);
	bitmap_free(file->failed);
	kfree(file);
}

static int device_open(struct inode *inode, struct file *filp)
{
	struct scdrv_node *node = node_of(filp->private_data);
	struct scdrv_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return -ENOMEM;
	file->node = node;
	file->finished = bitmap_zalloc(node->cpu_count, GFP_KERNEL_ACCOUNT);
	file->failed = bitmap_zalloc(node->cpu_count, GFP_KERNEL_ACCOUNT);
	if (!file->finished || !file->failed) {
		free_file(file);
		return -ENOMEM;
	}
	init_waitqueue_head(&file->wait);
	mutex_init(&file->read_lock);
	filp->private_data = file;
	/* One address space for every inode that names this node, so that a claim finds all. */
	filp->f_mapping = node->map_file->f_mapping;
	return 0;
}

/* ---- read and poll --------------------------------------------------------------------------- */

/* Copies first and takes then: a completion survives a bad buffer (R2). */
static ssize_t read_one(struct scdrv_file *file, u32 __user *buffer)
{
	struct scdrv_vp *vp;
	int result;

	if (mutex_lock_interruptible(&file->read_lock))
		return -ERESTARTSYS;
	result = scdrv_claim_peek(file, &vp);
	if (result == 0)
		result = -EAGAIN;
	else if (result > 0)
		result = put_user(vp->cpu, buffer) ? -EFAULT : (int)sizeof(vp->cpu);
	if (result > 0 || result == -ETIMEDOUT)
		scdrv_claim_take(file, vp);
	mutex_unlock(&file->read_lock);
	return result;
}

static ssize_t device_read(struct file *filp, char __user *buffer, size_t count, loff_t *offset)
{
	struct scdrv_file *file = filp->private_data;
	ssize_t result;

	if (count < sizeof(u32))
		return -EINVAL;
	for (;;) {
		result = read_one(file, (u32 __user *)buffer);
		if (result != -EAGAIN || (filp->f_flags & O_NONBLOCK))
			return result;
		if (wait_event_interruptible(file->wait, READ_ONCE(file->results)))
			return -ERESTARTSYS;
	}
}

static __poll_t device_poll(struct file *filp, poll_table *table)
{
	struct scdrv_file *file = filp->private_data;

	poll_wait(filp, &file->wait, table);
	return READ_ONCE(file->results) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- close ----------------------------------------------------------------------------------- */

static int is_same_file(const void *filp, struct file *other, unsigned int fd)
{
	return filp == other;
}

/* Whether a descriptor of this table is the file. */
static bool is_open_in(struct file *filp, struct files_struct *table)
{
	return iterate_fd(table, 0, is_same_file, filp);
}

/* A close that comes after the look at the table finds the claim and ends it. */
int scdrv_file_claim(struct file *filp, struct scdrv_vp *vp)
{
	struct scdrv_file *file = filp->private_data;
	int error;

	if (scdrv_claim_is_owner(file, vp))
		return 0;
	error = scdrv_claim_own(file, vp);
	if (error || is_open_in(filp, current->files))
		return error;
	scdrv_claim_release(file, current->files);
	return -EBADF;
}

/*
 * At every close of a descriptor. id names the descriptor table, which no longer holds this
 * descriptor; while it holds a duplicate, its process has not closed the device (R6).
 */
static int device_flush(struct file *filp, fl_owner_t id)
{
	if (id && !is_open_in(filp, id))
		scdrv_claim_release(filp->private_data, id);
	return 0;
}

/* The last reference; claims are left only if their claimer's table went in an unusual way. */
static int device_release(struct inode *inode, struct file *filp)
{
	struct scdrv_file *file = filp->private_data;

	scdrv_claim_release(file, NULL);
	scdrv_partition_put(file->partition);
	free_file(file);
	return 0;
}

/* ---- registration ---------------------------------------------------------------------------- */

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.read = device_read,
	.poll = device_poll,
	.mmap = scdrv_mmap,
	.unlocked_ioctl = scdrv_ioctl,
	.uring_cmd = scdrv_uring_cmd,
	.flush = device_flush,
	.release = device_release,
};

int scdrv_device_register(struct scdrv_node *node)
{
	int error = scdrv_claim_add(node);

	if (error)
		return error;
	snprintf(node->name, sizeof(node->name), SIDECAR_DEVICE_PREFIX "%u", node->index);
	node->misc.minor = MISC_DYNAMIC_MINOR;
	node->misc.name = node->name;
	node->misc.fops = &device_fops;
	node->misc.mode = 0600;
	node->misc.parent = scdrv_root;
	error = misc_register(&node->misc);
	if (error)
		scdrv_claim_remove(node);
	return error;
}

void scdrv_device_unregister(struct scdrv_node *node)
{
	misc_deregister(&node->misc);
	scdrv_claim_remove(node);
}

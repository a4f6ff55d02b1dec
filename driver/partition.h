/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory: what a partition gives to the VPs that are claimed through an attached file. */
#ifndef SCDRV_PARTITION_H
#define SCDRV_PARTITION_H

#include "driver.h"

struct scdrv_partition;

/* The descriptor of a new partition whose tables live on numa_node, or an error. */
int scdrv_partition_create(int numa_node);

/* A reference to the partition behind a descriptor, or ERR_PTR(-EBADF). */
struct scdrv_partition *scdrv_partition_get_fd(int fd);
struct scdrv_partition *scdrv_partition_get(struct scdrv_partition *partition);
void scdrv_partition_put(struct scdrv_partition *partition); /* NULL is fine; may sleep */

/*
 * Gives an IDLE, newly claimed VP its memory (NULL: none) and a fresh owner number, so that the
 * sidecar kernel forgets the VP it was. The caller's reference moves to the VP until unbind.
 */
void scdrv_partition_bind(struct scdrv_partition *partition, struct scdrv_vp *vp);
void scdrv_partition_unbind(struct scdrv_vp *vp);

/* One line a partition: what its memory and its tables take. */
struct seq_file;
void scdrv_partition_report(struct seq_file *out);

/* What the nested tables of a VP map; nothing if it has no partition. */
void scdrv_partition_dump(struct scdrv_vp *vp, struct seq_file *out);

#endif

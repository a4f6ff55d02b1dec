/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables as a list of ranges, for people: nested tables, and those of a sidecar CPU. Four
 * levels of 512 entries (AMD64 APM vol. 2, 5.3); what may be looked at, the caller says.
 */
#ifndef SCDRV_WALK_H
#define SCDRV_WALK_H

#include <linux/types.h>

/* The rights of all levels together. */
#define SCDRV_WALK_WRITE (1u << 0)
#define SCDRV_WALK_USER (1u << 1)
#define SCDRV_WALK_NO_EXECUTE (1u << 2)
#define SCDRV_WALK_UNCACHED (1u << 3) /* of the last level */

struct scdrv_walk_range {
	u64 first;     /* address of the first byte */
	u64 last;      /* and of the last one */
	u64 at;	       /* PA of the first */
	u64 page_size; /* 4 KiB, 2 MiB or 1 GiB */
	u32 flags;     /* SCDRV_WALK_* */
};

struct scdrv_walk {
	/* The table at a PA, or NULL where none may be. */
	const u64 *(*table)(struct scdrv_walk *walk, u64 pa);
	/* In the order of addresses; false ends the walk. */
	bool (*visit)(struct scdrv_walk *walk, const struct scdrv_walk_range *range);
	unsigned int tables; /* how many may be looked at; counts down */
	bool sign_extended;  /* addresses are virtual: bit 47 goes on to bit 63 */
	void *context;	     /* the caller's */

	/* walk.c's own. */
	struct scdrv_walk_range open;
};

/*
 * Visits what the tables map; neighbours that lead to neighbours with the same rights and the same
 * size of pages are one range. 0; -ECANCELED when visit had enough; -E2BIG when there are more
 * tables than that; -EFAULT when an entry leads to no table. What came before was visited. The
 * tables may change meanwhile: the answer is then of no one moment.
 */
int scdrv_walk(struct scdrv_walk *walk, u64 root);

/* debugfs.c: a line a range, and one that says why the list is not whole; visit is its own. */
struct seq_file;
void scdrv_walk_show(struct seq_file *out, const struct scdrv_walk *walk, u64 root);

#endif

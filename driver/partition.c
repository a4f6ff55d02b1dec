// SPDX-License-Identifier: GPL-2.0-only
/*
 * A partition: a guest's memory. It is a descriptor; node files that are attached to it and VPs
 * that were claimed through them hold references.
 *
 * R17. A page is unpinned only when no CPU can use a translation of it any more: the entries are
 * cleared, every bound VP's generation is raised, those that execute are kicked, and each is
 * waited for until it has stored the new generation or is IDLE. Generations come from one counter
 * for all partitions, so what a CPU has seen of an earlier partition is never mistaken for it.
 * A CPU that does not get there is reset; if even that fails, the pages stay pinned for ever.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "claim.h"
#include "ioctl.h"
#include "nested.h"
#include "partition.h"
#include "walk.h"

#define PIN_BATCH 512ul
#define DUMP_TABLES (1u << 20) /* of 2 MiB each when full of small pages: 2 TiB */
#define KNOWN_FLAGS (SIDECAR_MAP_READ | SIDECAR_MAP_WRITE | SIDECAR_MAP_EXECUTE)

struct scdrv_partition {
	struct kref references;
	struct list_head all; /* under all_lock */
	struct mutex lock;
	/* Under lock. */
	struct scdrv_nested nested;
	struct rb_root ranges; /* by gpa, disjoint */
	struct list_head vps;  /* bound; by vp->partition_link */
};

struct guest_range {
	struct rb_node node;
	struct list_head removed; /* while it is being unmapped */
	u64 gpa;
	unsigned long pages;
	unsigned long pinned;
	struct page **page;
	bool writable;
	struct mm_struct *mm; /* what is charged */
};

static LIST_HEAD(all_partitions);
static DEFINE_MUTEX(all_lock); /* outside of every partition's lock */

/* Linux CPUs only. */
static atomic64_t generations = ATOMIC64_INIT(0);
static atomic64_t owners = ATOMIC64_INIT(0);

static u64 range_end(const struct guest_range *range)
{
	return range->gpa + ((u64)range->pages << PAGE_SHIFT);
}

/* ---- pinning --------------------------------------------------------------------------------- */

static void range_free(struct guest_range *range)
{
	if (!range)
		return;
	unpin_user_pages_dirty_lock(range->page, range->pinned, range->writable);
	account_locked_vm(range->mm, range->pages, false);
	mmdrop(range->mm);
	kvfree(range->page);
	kfree(range);
}

static struct guest_range *range_alloc(const struct sidecar_ioctl_map *map)
{
	struct guest_range *range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);

	if (!range)
		return NULL;
	range->gpa = map->gpa;
	range->pages = map->length >> PAGE_SHIFT;
	range->writable = map->flags & SIDECAR_MAP_WRITE;
	range->page = kvmalloc_array(range->pages, sizeof(*range->page),
				     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!range->page) {
		kfree(range);
		return NULL;
	}
	return range;
}

static int pin_all(struct guest_range *range, u64 user, unsigned int flags)
{
	while (range->pinned < range->pages) {
		unsigned long batch = min(range->pages - range->pinned, PIN_BATCH);
		int got = pin_user_pages_fast(user + ((u64)range->pinned << PAGE_SHIFT), batch,
					      flags, range->page + range->pinned);

		if (got <= 0)
			return got == -ENOMEM || got == -EINTR ? got : -EFAULT;
		range->pinned += got;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/*
 * Private memory that is only read must still be the caller's own copy, or a later write of the
 * caller's goes to another page than the guest's: FORCE breaks the sharing. Shared mappings
 * refuse FORCE and need no copy.
 */
static int pin_range(struct guest_range *range, u64 user)
{
	int error;

	if (range->writable)
		return pin_all(range, user, FOLL_LONGTERM | FOLL_WRITE);
	error = pin_all(range, user, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE);
	return error == -EFAULT ? pin_all(range, user, FOLL_LONGTERM) : error;
}

/* Charged first: the array of a length that nobody may pin could take all memory. */
static struct guest_range *range_create(const struct sidecar_ioctl_map *map)
{
	unsigned long pages = map->length >> PAGE_SHIFT;
	struct guest_range *range;
	int error = account_locked_vm(current->mm, pages, true);

	if (error)
		return ERR_PTR(error);
	range = range_alloc(map);
	if (!range) {
		account_locked_vm(current->mm, pages, false);
		return ERR_PTR(-ENOMEM);
	}
	range->mm = current->mm;
	mmgrab(range->mm);
	error = pin_range(range, map->user);
	if (error) {
		range_free(range);
		return ERR_PTR(error);
	}
	return range;
}

/* ---- the set of ranges ----------------------------------------------------------------------- */

/* The first range that ends after gpa, or NULL. */
static struct guest_range *range_after(struct scdrv_partition *partition, u64 gpa)
{
	struct rb_node *node = partition->ranges.rb_node;
	struct guest_range *found = NULL;

	while (node) {
		struct guest_range *range = rb_entry(node, struct guest_range, node);

		if (range_end(range) > gpa) {
			found = range;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static struct guest_range *range_next(struct guest_range *range)
{
	return rb_entry_safe(rb_next(&range->node), struct guest_range, node);
}

static bool overlaps(struct scdrv_partition *partition, u64 gpa, u64 length)
{
	struct guest_range *range = range_after(partition, gpa);

	return range && range->gpa < gpa + length;
}

static bool range_less(struct rb_node *a, const struct rb_node *b)
{
	const struct guest_range *left = rb_entry(a, struct guest_range, node);
	const struct guest_range *right = rb_entry(b, struct guest_range, node);

	return left->gpa < right->gpa;
}

/* True when [gpa, gpa + length) is exactly some whole ranges, side by side. */
static bool is_whole(struct scdrv_partition *partition, u64 gpa, u64 length)
{
	struct guest_range *range = range_after(partition, gpa);
	u64 at = gpa;

	while (range && range->gpa == at && at < gpa + length) {
		at = range_end(range);
		range = range_next(range);
	}
	return at == gpa + length;
}

/* ---- MAP ------------------------------------------------------------------------------------- */

static bool is_gpa_range(u64 gpa, u64 length)
{
	return length && !((gpa | length) & ~PAGE_MASK) && gpa < SCDRV_NESTED_LIMIT &&
	       length <= SCDRV_NESTED_LIMIT - gpa;
}

static int check_map(const struct sidecar_ioctl_map *map)
{
	if (!is_gpa_range(map->gpa, map->length) || (map->user & ~PAGE_MASK))
		return -EINVAL;
	if ((map->flags & ~KNOWN_FLAGS) || !(map->flags & SIDECAR_MAP_READ))
		return -EINVAL;
	if (!access_ok((void __user *)map->user, map->length))
		return -EFAULT;
	return 0;
}

static int check_overlap(struct scdrv_partition *partition, const struct sidecar_ioctl_map *map)
{
	bool overlap;

	mutex_lock(&partition->lock);
	overlap = overlaps(partition, map->gpa, map->length);
	mutex_unlock(&partition->lock);
	return overlap ? -EEXIST : 0;
}

/* VPs may be running: what was not present needs no flush. */
static int insert_range(struct scdrv_partition *partition, struct guest_range *range, u32 flags)
{
	int error = -EEXIST;

	mutex_lock(&partition->lock);
	if (!overlaps(partition, range->gpa, (u64)range->pages << PAGE_SHIFT))
		error = scdrv_nested_map(&partition->nested, range->gpa, range->page,
					 range->pages, flags);
	if (!error)
		rb_add(&range->node, &partition->ranges, range_less);
	mutex_unlock(&partition->lock);
	return error;
}

/* The pages are pinned outside the lock: that may take long, and takes mmap_lock. */
static long partition_map(struct scdrv_partition *partition, const void __user *argument)
{
	struct sidecar_ioctl_map map;
	struct guest_range *range;
	int error = scdrv_copy_struct(&map, sizeof(map), argument);

	if (!error)
		error = check_map(&map);
	if (!error)
		error = check_overlap(partition, &map);
	if (error)
		return error;
	range = range_create(&map);
	if (IS_ERR(range))
		return PTR_ERR(range);
	error = insert_range(partition, range, map.flags);
	if (error)
		range_free(range);
	return error;
}

/* ---- UNMAP ----------------------------------------------------------------------------------- */

/* No translation older than the generation is in use by this CPU. */
static bool has_passed(struct scdrv_vp *vp, u64 generation)
{
	u8 status = scdrv_status(vp);

	if (status != SIDECAR_STATUS_RUN && status != SIDECAR_STATUS_STOP)
		return true;
	/* Partner: the release with which the CPU says that it has looked at the new one. */
	return (s64)(shm_read_acquire(&vp->state->generation_seen) - generation) >= 0;
}

static bool wait_passed(struct scdrv_vp *vp, u64 generation)
{
	unsigned long end = jiffies + msecs_to_jiffies(scdrv_timeout_ms) + 1;

	while (!has_passed(vp, generation)) {
		if (time_after(jiffies, end))
			return has_passed(vp, generation);
		usleep_range(20, 100);
	}
	return true;
}

static void raise_generation(struct scdrv_partition *partition, u64 generation)
{
	struct scdrv_vp *vp;

	list_for_each_entry(vp, &partition->vps, partition_link)
		shm_write_release(&vp->state->generation, generation);
	/*
	 * The generation is visible before the status is read: a CPU that is seen IDLE finds the
	 * new one when it takes its next command.
	 */
	smp_mb();
	list_for_each_entry(vp, &partition->vps, partition_link) {
		if (!has_passed(vp, generation))
			scdrv_claim_kick(vp);
	}
}

/* False when a CPU may use old translations for ever. */
static bool flush_translations(struct scdrv_partition *partition)
{
	u64 generation = atomic64_inc_return(&generations);
	struct scdrv_vp *vp;
	bool flushed = true;

	raise_generation(partition, generation);
	list_for_each_entry(vp, &partition->vps, partition_link) {
		if (!wait_passed(vp, generation))
			scdrv_claim_fail(vp, "did not let go of memory");
		if (vp->unreachable)
			flushed = false;
	}
	return flushed;
}

static void remove_ranges(struct scdrv_partition *partition, u64 gpa, u64 length,
			  struct list_head *removed, struct list_head *tables)
{
	struct guest_range *range = range_after(partition, gpa);
	struct guest_range *next;

	for (; range && range->gpa < gpa + length; range = next) {
		next = range_next(range);
		rb_erase(&range->node, &partition->ranges);
		scdrv_nested_unmap(&partition->nested, range->gpa, range->pages, tables);
		list_add_tail(&range->removed, removed);
	}
}

static void free_removed(struct list_head *removed)
{
	struct guest_range *range, *next;

	list_for_each_entry_safe(range, next, removed, removed)
		range_free(range);
}

static int unmap_locked(struct scdrv_partition *partition, u64 gpa, u64 length,
			struct list_head *removed)
{
	LIST_HEAD(tables);

	if (!is_whole(partition, gpa, length))
		return -ENOENT;
	remove_ranges(partition, gpa, length, removed, &tables);
	if (!flush_translations(partition)) {
		pr_warn("memory at %#llx stays pinned: a CPU could not be reset\n", gpa);
		INIT_LIST_HEAD(removed);
		return -ETIMEDOUT;
	}
	scdrv_nested_free_detached(&partition->nested, &tables);
	return 0;
}

static long partition_unmap(struct scdrv_partition *partition, const void __user *argument)
{
	struct sidecar_ioctl_unmap unmap;
	LIST_HEAD(removed);
	int error = scdrv_copy_struct(&unmap, sizeof(unmap), argument);

	if (error)
		return error;
	if (unmap.flags || !is_gpa_range(unmap.gpa, unmap.length))
		return -EINVAL;
	mutex_lock(&partition->lock);
	error = unmap_locked(partition, unmap.gpa, unmap.length, &removed);
	mutex_unlock(&partition->lock);
	free_removed(&removed);
	return error;
}

/* ---- VPs ------------------------------------------------------------------------------------- */

/* The CPU is IDLE; it reads these when it takes its next command. */
static void write_state(struct scdrv_vp *vp, u64 root)
{
	shm_write(&vp->state->nested_root, root);
	shm_write(&vp->state->generation, (u64)atomic64_inc_return(&generations));
	shm_write_release(&vp->state->owner, (u64)atomic64_inc_return(&owners));
}

void scdrv_partition_bind(struct scdrv_partition *partition, struct scdrv_vp *vp)
{
	vp->partition = partition;
	if (!partition) {
		write_state(vp, 0);
		return;
	}
	mutex_lock(&partition->lock);
	list_add_tail(&vp->partition_link, &partition->vps);
	write_state(vp, scdrv_nested_root(&partition->nested));
	mutex_unlock(&partition->lock);
}

/* The tables of a CPU that could not be reset stay, with all that they map. */
void scdrv_partition_unbind(struct scdrv_vp *vp)
{
	struct scdrv_partition *partition = vp->partition;

	if (!partition)
		return;
	if (vp->unreachable) {
		pr_warn("guest memory of CPU %u stays pinned: it could not be reset\n", vp->cpu);
		return;
	}
	vp->partition = NULL;
	mutex_lock(&partition->lock);
	list_del_init(&vp->partition_link);
	shm_write(&vp->state->nested_root, 0ull);
	mutex_unlock(&partition->lock);
	scdrv_partition_put(partition);
}

/* ---- what others see ------------------------------------------------------------------------- */

static void report_one(struct scdrv_partition *partition, struct seq_file *out)
{
	unsigned long ranges = 0, pages = 0;
	struct guest_range *range;
	struct scdrv_vp *vp;

	mutex_lock(&partition->lock);
	for (range = range_after(partition, 0); range; range = range_next(range)) {
		ranges++;
		pages += range->pages;
	}
	seq_printf(out, "partition tables %lu ranges %lu memory %lu large_pages %lu vps",
		   partition->nested.table_pages << PAGE_SHIFT, ranges, pages << PAGE_SHIFT,
		   partition->nested.large_pages);
	list_for_each_entry(vp, &partition->vps, partition_link)
		seq_printf(out, " %u", vp->cpu);
	mutex_unlock(&partition->lock);
	seq_putc(out, '\n');
}

void scdrv_partition_report(struct seq_file *out)
{
	struct scdrv_partition *partition;

	mutex_lock(&all_lock);
	list_for_each_entry(partition, &all_partitions, all)
		report_one(partition, out);
	mutex_unlock(&all_lock);
}

static const u64 *nested_table(struct scdrv_walk *walk, u64 pa)
{
	cond_resched();
	return phys_to_virt(pa); /* made by nested.c, of the kernel's own memory */
}

/* The lock keeps tables from being freed; a sidecar CPU sets only A and D in them. */
static bool dump_if_bound(struct scdrv_partition *partition, struct scdrv_vp *vp,
			  struct seq_file *out)
{
	struct scdrv_walk walk = {.table = nested_table, .tables = DUMP_TABLES};
	struct scdrv_vp *bound;
	bool found = false;

	mutex_lock(&partition->lock);
	list_for_each_entry(bound, &partition->vps, partition_link)
		found |= bound == vp;
	if (found)
		scdrv_walk_show(out, &walk, scdrv_nested_root(&partition->nested));
	mutex_unlock(&partition->lock);
	return found;
}

/* By way of all partitions: vp->partition may go at any time, one of these may not. */
void scdrv_partition_dump(struct scdrv_vp *vp, struct seq_file *out)
{
	struct scdrv_partition *partition;

	mutex_lock(&all_lock);
	list_for_each_entry(partition, &all_partitions, all) {
		if (dump_if_bound(partition, vp, out))
			break;
	}
	mutex_unlock(&all_lock);
}

/* ---- the descriptor -------------------------------------------------------------------------- */

static void partition_free(struct kref *references)
{
	struct scdrv_partition *partition =
		container_of(references, struct scdrv_partition, references);
	struct guest_range *range, *next;

	mutex_lock(&all_lock);
	list_del(&partition->all);
	mutex_unlock(&all_lock);
	rbtree_postorder_for_each_entry_safe(range, next, &partition->ranges, node)
		range_free(range);
	scdrv_nested_destroy(&partition->nested);
	kfree(partition);
}

struct scdrv_partition *scdrv_partition_get(struct scdrv_partition *partition)
{
	kref_get(&partition->references);
	return partition;
}

void scdrv_partition_put(struct scdrv_partition *partition)
{
	if (partition)
		kref_put(&partition->references, partition_free);
}

static int partition_release(struct inode *inode, struct file *filp)
{
	scdrv_partition_put(filp->private_data);
	return 0;
}

static long partition_ioctl(struct file *filp, unsigned int request, unsigned long argument)
{
	switch (request) {
	case SIDECAR_IOC_PARTITION_MAP:
		return partition_map(filp->private_data, (void __user *)argument);
	case SIDECAR_IOC_PARTITION_UNMAP:
		return partition_unmap(filp->private_data, (void __user *)argument);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations partition_fops = {
	.owner = THIS_MODULE,
	.release = partition_release,
	.unlocked_ioctl = partition_ioctl,
};

int scdrv_partition_create(int numa_node)
{
	struct scdrv_partition *partition;
	int fd;

	if (scdrv_image.backend != SIDECAR_BACKEND_SVM)
		return -EOPNOTSUPP; /* the hypervisor's guest is the partition */
	partition = kzalloc(sizeof(*partition), GFP_KERNEL_ACCOUNT);
	if (!partition)
		return -ENOMEM;
	kref_init(&partition->references);
	mutex_init(&partition->lock);
	INIT_LIST_HEAD(&partition->vps);
	partition->ranges = RB_ROOT;
	if (scdrv_nested_init(&partition->nested, numa_node)) {
		kfree(partition);
		return -ENOMEM;
	}
	mutex_lock(&all_lock);
	list_add_tail(&partition->all, &all_partitions);
	mutex_unlock(&all_lock);
	fd = anon_inode_getfd("[sidecar-partition]", &partition_fops, partition,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0)
		scdrv_partition_put(partition);
	return fd;
}

struct scdrv_partition *scdrv_partition_get_fd(int fd)
{
	struct scdrv_partition *partition = ERR_PTR(-EBADF);
	struct file *file = fget(fd);

	if (!file)
		return partition;
	if (file->f_op == &partition_fops)
		partition = scdrv_partition_get(file->private_data);
	fput(file);
	return partition;
}

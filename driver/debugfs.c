// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/sidecar/node<k>/cpu<n>/{log,fault}: the sidecar kernel's own words and its
 * last report. They come from the state page, so a dead CPU can be asked too.
 * .../cpu<n>/tables: what the CPU's page tables map; .../cpu<n>/nested: what its guest's do.
 * /sys/kernel/debug/sidecar/memory: what everything takes, in bytes.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "driver.h"
#include "partition.h"
#include "walk.h"

#define DUMP_RANGES 4096u     /* lines of a file */
#define DUMP_CPU_TABLES 4096u /* it has five */

static struct dentry *root;

/* The ring as it is; a CPU that writes meanwhile may tear the oldest line. */
static int log_show(struct seq_file *out, void *unused)
{
	struct scdrv_vp *vp = out->private;
	struct sidecar_log *log = &vp->state->log;
	u64 head = shm_read_acquire(&log->head); /* partner: the release after the text */
	u64 at = head > SIDECAR_LOG_SIZE ? head - SIDECAR_LOG_SIZE : 0;

	for (; at < head; at++)
		seq_putc(out, shm_read(&log->text[at % SIDECAR_LOG_SIZE]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(log);

static const char *const gp_names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

static void show_stack(struct seq_file *out, struct sidecar_fault *fault)
{
	unsigned int i;

	for (i = 0; i < SIDECAR_FAULT_STACK_WORDS; i++)
		seq_printf(out, "stack+%#05x %#018llx\n", i * 8, shm_read(&fault->stack[i]));
}

static int fault_show(struct seq_file *out, void *unused)
{
	struct scdrv_vp *vp = out->private;
	struct sidecar_fault *fault = &vp->state->fault;
	unsigned int i;

	if (shm_read_acquire(&vp->state->cpu_state) != SIDECAR_CPU_FAULTED) {
		seq_puts(out, "none\n");
		return 0;
	}
	seq_printf(out, "vector %llu error_code %#llx\n", shm_read(&fault->vector),
		   shm_read(&fault->error_code));
	seq_printf(out, "rip %#018llx cs %#llx rflags %#llx\n", shm_read(&fault->rip),
		   shm_read(&fault->cs), shm_read(&fault->rflags));
	seq_printf(out, "rsp %#018llx cr2 %#018llx\n", shm_read(&fault->rsp),
		   shm_read(&fault->cr2));
	for (i = 0; i < ARRAY_SIZE(gp_names); i++)
		seq_printf(out, "%s %#018llx\n", gp_names[i], shm_read(&fault->gps[i]));
	show_stack(out, fault);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fault);

/* ---- page tables ----------------------------------------------------------------------------- */

struct dump {
	struct scdrv_walk walk;
	struct seq_file *out;
	unsigned int left; /* lines */
};

static const char *size_name(u64 page_size)
{
	return page_size == PAGE_SIZE ? "4K" : page_size == PMD_SIZE ? "2M" : "1G";
}

static bool show_range(struct scdrv_walk *walk, const struct scdrv_walk_range *range)
{
	struct dump *dump = container_of(walk, struct dump, walk);
	u32 flags = range->flags;

	if (!dump->left)
		return false;
	dump->left--;
	seq_printf(dump->out, "%016llx-%016llx %012llx r%c%c%c %s%s\n", range->first, range->last,
		   range->at, flags & SCDRV_WALK_WRITE ? 'w' : '-',
		   flags & SCDRV_WALK_NO_EXECUTE ? '-' : 'x', flags & SCDRV_WALK_USER ? 'u' : '-',
		   size_name(range->page_size), flags & SCDRV_WALK_UNCACHED ? " uncached" : "");
	return true;
}

void scdrv_walk_show(struct seq_file *out, const struct scdrv_walk *walk, u64 root)
{
	struct dump dump = {.walk = *walk, .out = out, .left = DUMP_RANGES};

	dump.walk.visit = show_range;
	switch (scdrv_walk(&dump.walk, root)) {
	case 0:
		return;
	case -EFAULT:
		seq_puts(out, "an entry leads to no table\n");
		return;
	default:
		seq_puts(out, "and more\n");
	}
}

/* What a sidecar CPU calls its tables is looked at only where they can be. */
static const u64 *cpu_table(struct scdrv_walk *walk, u64 pa)
{
	const struct scdrv_node *node = walk->context;

	if (pa >= node->memory && pa - node->memory < node->memory_size)
		return node->memory_va + (pa - node->memory);
	if (pa >= scdrv_image.base_pa && pa - scdrv_image.base_pa < scdrv_image.size)
		return scdrv_image.base + (pa - scdrv_image.base_pa);
	return NULL;
}

/* The first line says where the driver put what they may lead to. */
static int tables_show(struct seq_file *out, void *unused)
{
	struct scdrv_vp *vp = out->private;
	struct scdrv_node *node = vp->node;
	struct scdrv_walk walk = {.table = cpu_table,
				  .tables = DUMP_CPU_TABLES,
				  .sign_extended = true,
				  .context = node};

	seq_printf(out, "cr3 %#llx node %#llx image %#llx\n", vp->cr3, (u64)node->memory,
		   (u64)scdrv_image.base_pa);
	if (vp->cr3)
		scdrv_walk_show(out, &walk, vp->cr3);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(tables);

static int nested_show(struct seq_file *out, void *unused)
{
	scdrv_partition_dump(out->private, out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nested);

/* ---- all of it ------------------------------------------------------------------------------- */

static int memory_show(struct seq_file *out, void *unused)
{
	unsigned int n;

	seq_printf(out, "image %zu\n", scdrv_image.size);
	for (n = 0; n < scdrv_node_count; n++)
		seq_printf(out, "node%u %zu\n", n, scdrv_nodes[n]->memory_size);
	scdrv_partition_report(out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(memory);

static void add_vp(struct scdrv_vp *vp)
{
	struct dentry *dir;
	char name[16];

	snprintf(name, sizeof(name), "cpu%u", vp->cpu);
	dir = debugfs_create_dir(name, vp->node->debugfs);
	debugfs_create_file("log", 0400, dir, vp, &log_fops);
	debugfs_create_file("fault", 0400, dir, vp, &fault_fops);
	debugfs_create_file("tables", 0400, dir, vp, &tables_fops);
	debugfs_create_file("nested", 0400, dir, vp, &nested_fops);
}

void scdrv_debugfs_init(void)
{
	root = debugfs_create_dir("sidecar", NULL);
	debugfs_create_file("memory", 0400, root, NULL, &memory_fops);
}

void scdrv_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}

void scdrv_debugfs_add(struct scdrv_node *node)
{
	unsigned int i;
	char name[16];

	snprintf(name, sizeof(name), "node%u", node->index);
	node->debugfs = debugfs_create_dir(name, root);
	for (i = 1; i < node->cpu_count; i++)
		add_vp(&node->vps[i]);
}

void scdrv_debugfs_remove(struct scdrv_node *node)
{
	debugfs_remove_recursive(node->debugfs);
}

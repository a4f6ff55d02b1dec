// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each node's completion interrupt: an ordinary Linux IRQ, whose vector the sidecar CPUs send as a
 * fixed interrupt to a physical APIC ID. Linux moves it like any other, when asked and when its CPU
 * goes offline (R13); every move is published to the control page as one 64-bit store.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>

#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/smp.h>

#include "driver.h"

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;

static void store_response(struct scdrv_node *node, u32 apic_id, u32 vector)
{
	u64 *word = (u64 *)((u8 *)node->control + SIDECAR_CONTROL_RESPONSE_OFFSET);

	/* Partner: the 64-bit load of a CPU that has a completion to tell. */
	shm_write_release(word, (u64)vector << 32 | apic_id);
}

/*
 * Linux's own destination may be logical; the CPU that it stands for is not. Nothing is published
 * while Linux has no vector for the IRQ.
 */
static void publish(struct irq_data *data)
{
	struct scdrv_node *node = irq_data_get_irq_chip_data(data);
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));
	struct irq_cfg *cfg = irqd_cfg(data);

	if (!cfg || !cfg->vector || cpu >= nr_cpu_ids)
		return;
	store_response(node, per_cpu(x86_cpu_to_apicid, cpu), cfg->vector);
}

static int set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct irq_data *parent = data->parent_data;
	int result = parent->chip->irq_set_affinity(parent, mask, force);

	if (result >= 0)
		publish(data);
	return result;
}

static struct irq_chip chip = {
	.name = "sidecar",
	.irq_ack = irq_chip_ack_parent,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.irq_set_affinity = set_affinity,
};

static int domain_alloc(struct irq_domain *d, unsigned int irq, unsigned int count, void *arg)
{
	int error = irq_domain_alloc_irqs_parent(d, irq, count, arg);

	if (error)
		return error;
	/* The chip data is set before the IRQ is activated: by add(). */
	irq_domain_set_info(d, irq, 0, &chip, NULL, handle_edge_irq, NULL, "edge");
	irq_set_status_flags(irq, IRQ_MOVE_PCNTXT);
	return 0;
}

static int domain_activate(struct irq_domain *d, struct irq_data *data, bool reserve)
{
	publish(data);
	return 0;
}

static const struct irq_domain_ops domain_ops = {
	.alloc = domain_alloc,
	.free = irq_domain_free_irqs_common,
	.activate = domain_activate,
};

/* First the doorbell is cleared, then the status bytes are looked at: none is missed (R2). */
static irqreturn_t handle(int irq, void *context)
{
	struct scdrv_node *node = context;

	WRITE_ONCE(node->interrupts, node->interrupts + 1);
	scdrv_node_scan(node);
	return IRQ_HANDLED;
}

int scdrv_irq_init(void)
{
	fwnode = irq_domain_alloc_named_fwnode("sidecar");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode, &domain_ops, NULL);
	if (!domain) {
		irq_domain_free_fwnode(fwnode);
		return -ENOMEM;
	}
	return 0;
}

void scdrv_irq_exit(void)
{
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

/* Zeros are what the initialiser of the information would write; it is not exported. */
static int alloc_irq(struct scdrv_node *node)
{
	struct irq_alloc_info info;

	memset(&info, 0, sizeof(info));
	info.mask = cpumask_of(node->base_cpu);
	return irq_domain_alloc_irqs(domain, 1, node->numa_node, &info);
}

int scdrv_irq_add(struct scdrv_node *node)
{
	int irq = alloc_irq(node);
	int error;

	if (irq < 0) {
		pr_err("node %u: no interrupt vector: error %d\n", node->index, irq);
		return irq;
	}
	irq_set_chip_data(irq, node);
	node->irq = irq;
	error = request_irq(irq, handle, 0, node->name, node);
	if (error) {
		pr_err("node %u: IRQ %d: error %d\n", node->index, irq, error);
		node->irq = 0;
		irq_dispose_mapping(irq);
		return error;
	}
	/* Activation kept the base CPU if it could; a refusal leaves a working IRQ elsewhere. */
	irq_set_affinity(irq, cpumask_of(node->base_cpu));
	return 0;
}

/* The CPUs are parked: none of them sends any more. */
void scdrv_irq_remove(struct scdrv_node *node)
{
	if (!node->irq)
		return;
	store_response(node, 0, 0);
	free_irq(node->irq, node);
	irq_dispose_mapping(node->irq);
	node->irq = 0;
}

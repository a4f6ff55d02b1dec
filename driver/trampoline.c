// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <asm/pgtable.h>

#include "driver.h"
#include "trampoline.h"

/* Pages of the block below 4 GiB: PML4, PDPT, four PDs, then the conductor's stack. */
#define BLOCK_ORDER 3
#define BLOCK_PDPT 1
#define BLOCK_PD 2
#define BLOCK_PDS 4
#define ENTRIES 512u

/* APM vol. 2, 5.3: present, writable, write-through, uncached, 2 MiB page. */
#define ENTRY_TABLE (_PAGE_PRESENT | _PAGE_RW)
#define ENTRY_PAGE (_PAGE_PRESENT | _PAGE_RW | _PAGE_PSE)
#define ENTRY_DEVICE (ENTRY_PAGE | _PAGE_PCD | _PAGE_PWT)

/* Below are the interrupt vectors and the firmware's data, above the firmware's extended data. */
#define FIRST_LOW_PAGE 0x08u
#define END_LOW_PAGE 0x9fu

static DEFINE_MUTEX(borrower);
static struct page *block;
static u32 low_page; /* page number */
static void *low_va;
static void *saved;

static phys_addr_t block_page(unsigned int index)
{
	return page_to_phys(block) + index * PAGE_SIZE;
}

/* The first 4 GiB as they are; the last of them are devices, the APIC among them. */
static void fill_tables(void)
{
	u64 *pml4 = page_address(block);
	u64 *pdpt = pml4 + BLOCK_PDPT * ENTRIES;
	u64 *pd = pml4 + BLOCK_PD * ENTRIES;
	u64 i, flags;

	pml4[0] = block_page(BLOCK_PDPT) | ENTRY_TABLE;
	for (i = 0; i < BLOCK_PDS; i++)
		pdpt[i] = block_page(BLOCK_PD + i) | ENTRY_TABLE;
	for (i = 0; i < BLOCK_PDS * ENTRIES; i++) {
		flags = i < (BLOCK_PDS - 1) * ENTRIES ? ENTRY_PAGE : ENTRY_DEVICE;
		pd[i] = i << PMD_SHIFT | flags;
	}
}

void scdrv_trampoline_map_image(u64 pml4e)
{
	u64 *pml4 = page_address(block);

	shm_write_release(&pml4[ENTRIES - 1], pml4e);
}

/* RAM that Linux has mapped writable; its own trampoline, for one, is not. */
static bool usable(u32 page)
{
	unsigned long va = (unsigned long)phys_to_virt((phys_addr_t)page << PAGE_SHIFT);
	unsigned int level;
	pte_t *pte;

	if (!page_is_ram(page))
		return false;
	pte = lookup_address(va, &level);
	return pte && pte_present(*pte) && pte_write(*pte);
}

/* A page of zeros is nobody's; if there is none, any usable page: it is put back as it was. */
static u32 find_low_page(void)
{
	u32 page, found = 0;

	for (page = FIRST_LOW_PAGE; page < END_LOW_PAGE; page++) {
		if (!usable(page))
			continue;
		if (!memchr_inv(phys_to_virt((phys_addr_t)page << PAGE_SHIFT), 0, PAGE_SIZE))
			return page;
		found = page;
	}
	return found;
}

int scdrv_trampoline_init(void)
{
	low_page = find_low_page();
	if (!low_page) {
		pr_err("no writable page of RAM between %#x and %#x for the SIPI trampoline\n",
		       FIRST_LOW_PAGE << PAGE_SHIFT, END_LOW_PAGE << PAGE_SHIFT);
		return -ENOMEM;
	}
	low_va = phys_to_virt((phys_addr_t)low_page << PAGE_SHIFT);
	saved = kmalloc(PAGE_SIZE, GFP_KERNEL);
	block = alloc_pages(GFP_KERNEL | GFP_DMA32 | __GFP_ZERO, BLOCK_ORDER);
	if (!saved || !block) {
		scdrv_trampoline_exit();
		return -ENOMEM;
	}
	fill_tables();
	return 0;
}

void scdrv_trampoline_exit(void)
{
	if (block)
		__free_pages(block, BLOCK_ORDER);
	kfree(saved);
	block = NULL;
	saved = NULL;
}

struct sidecar_trampoline *scdrv_trampoline_borrow(void)
{
	struct sidecar_trampoline *data = low_va + SIDECAR_TRAMPOLINE_DATA;

	mutex_lock(&borrower);
	memcpy(saved, low_va, PAGE_SIZE);
	memset(low_va, 0, PAGE_SIZE);
	memcpy(low_va, scdrv_image.base + scdrv_image.trampoline, scdrv_image.trampoline_size);
	data->cr3 = block_page(0);
	data->image_entry = scdrv_image.entry;
	data->conductor_stack = block_page(1u << BLOCK_ORDER);
	data->conductor_apic_id = SIDECAR_NO_APIC_ID;
	return data;
}

void scdrv_trampoline_return(void)
{
	memcpy(low_va, saved, PAGE_SIZE);
	mutex_unlock(&borrower);
}

void scdrv_trampoline_sipi(u32 apic_id)
{
	scdrv_apic_sipi(apic_id, low_page);
}

void scdrv_trampoline_send(const u32 *apic_ids, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		scdrv_apic_init(apic_ids[i]);
	udelay(10);
	for (i = 0; i < count; i++)
		scdrv_trampoline_sipi(apic_ids[i]);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page below 1 MiB through which a CPU comes out of SIPI, and the identity tables it runs on.
 * The page is borrowed: it holds our code only between _borrow and _return, by one caller at a
 * time.
 */
#ifndef SCDRV_TRAMPOLINE_H
#define SCDRV_TRAMPOLINE_H

#include <linux/types.h>

#include <sidecar/abi.h>

int scdrv_trampoline_init(void);
void scdrv_trampoline_exit(void);

/*
 * Saves the page, fills it with the image's trampoline, and returns its data with cr3,
 * image_entry, conductor_stack and no conductor set. Until _return nobody else can borrow it.
 */
struct sidecar_trampoline *scdrv_trampoline_borrow(void);

/* Every CPU that was sent here has left or been reset. */
void scdrv_trampoline_return(void);

/* Entry 511 of the identity tables, which maps the image where it runs. */
void scdrv_trampoline_map_image(u64 pml4e);

/* SIPI alone, for a CPU that may have missed the first. */
void scdrv_trampoline_sipi(u32 apic_id);

/* INIT for all of them, then SIPI for all of them. */
void scdrv_trampoline_send(const u32 *apic_ids, unsigned int count);

#endif

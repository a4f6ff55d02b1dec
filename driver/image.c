// SPDX-License-Identifier: GPL-2.0-only
/* The sidecar kernel's file, through Linux's firmware loader, into 2 MiB below 4 GiB. */
#include <linux/firmware.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "driver.h"
#include "image_parse.h"

#define IMAGE_ORDER get_order(SIDECAR_IMAGE_MAX_SIZE)
#define FILE_MAX_SIZE SZ_16M /* with debug information */

struct scdrv_image scdrv_image;

/* A block of the page allocator is aligned to its size. */
static int place(struct scdrv_image *image, const void *file, const struct image_layout *layout)
{
	image->pages = alloc_pages(GFP_KERNEL | GFP_DMA32 | __GFP_ZERO | __GFP_NOWARN, IMAGE_ORDER);
	if (!image->pages) {
		pr_err("no %u KiB in one piece below 4 GiB for the sidecar kernel\n",
		       SIDECAR_IMAGE_MAX_SIZE >> 10);
		return -ENOMEM;
	}
	image->base = page_address(image->pages);
	image->base_pa = page_to_phys(image->pages);
	image->size = layout->size;
	image->entry = image->base_pa + layout->entry;
	image->trampoline = layout->trampoline;
	image->trampoline_size = layout->trampoline_size;
	image->backend = layout->backend;
	image_place(file, image->base);
	return 0;
}

static int load(const char *name, const struct firmware *file)
{
	struct image_layout layout;
	char text[PURE_TEXT_SIZE];
	int error;

	if (file->size > FILE_MAX_SIZE) {
		pr_err("firmware %s: too large: %zu bytes, the limit is %u\n", name, file->size,
		       FILE_MAX_SIZE);
		return -EFBIG;
	}
	error = image_parse(file->data, file->size, SIDECAR_BACKEND_SVM, &layout, text);
	if (error) {
		pr_err("firmware %s: %s\n", name, text);
		return error;
	}
	return place(&scdrv_image, file->data, &layout);
}

int scdrv_image_load(const char *name)
{
	const struct firmware *file;
	int error;

	error = request_firmware(&file, name, scdrv_root);
	if (error) {
		pr_err("firmware %s cannot be read from the firmware path (/lib/firmware): error "
		       "%d\n",
		       name, error);
		return error;
	}
	error = load(name, file);
	release_firmware(file);
	return error;
}

void scdrv_image_free(void)
{
	if (scdrv_image.pages)
		__free_pages(scdrv_image.pages, IMAGE_ORDER);
	scdrv_image.pages = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What plan.c and image_parse.c need of their surroundings: the module's, or a hosted test's. */
#ifndef SCDRV_PURE_H
#define SCDRV_PURE_H

#ifdef __KERNEL__
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#endif

#define PURE_TEXT_SIZE 224

#endif

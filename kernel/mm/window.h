/* SPDX-License-Identifier: MIT */
/* Windows (arch.h) of the booting CPU: which slot is whose. struct cpu is NULL there. */
#ifndef WINDOW_H
#define WINDOW_H

#include "arch.h"

#define WINDOW_TABLE 0u /* short: closed before the function returns */
#define WINDOW_PAGE 1u	/* short */
#define WINDOW_EXTENSION 2u
#define WINDOW_OUTPUT 3u /* open from beginning to end */

/* Sets a page to zero. */
void page_clear(phys_t page);

#endif

// SPDX-License-Identifier: MIT
#include "window.h"

void page_clear(phys_t page)
{
	__builtin_memset(window_open(NULL, WINDOW_PAGE, page, true), 0, SIDECAR_PAGE_SIZE);
	window_close(NULL, WINDOW_PAGE);
}

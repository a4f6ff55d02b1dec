/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM: remembered, so that what must not be torn is finished first. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <stdbool.h>

/* From now on; system calls that wait end with EINTR. action, which may be NULL, is async-safe. */
void interrupt_catch(void (*action)(void));
void interrupt_forget(void);
bool interrupt_seen(void);

#endif

// SPDX-License-Identifier: MIT
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;
static void (*on_interrupt)(void);

static void handle(int signal)
{
	(void)signal;
	seen = 1;
	if (on_interrupt)
		on_interrupt();
}

static void set(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: waits must end */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void interrupt_catch(void (*action)(void))
{
	on_interrupt = action;
	seen = 0;
	set(handle);
}

void interrupt_forget(void)
{
	set(SIG_DFL);
	on_interrupt = NULL;
}

bool interrupt_seen(void)
{
	return seen;
}

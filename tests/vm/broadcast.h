/* SPDX-License-Identifier: MIT */
/*
 * Makes Linux broadcast interrupts: a module comes and goes, and every CPU must flush what it knows
 * of its addresses. In xAPIC mode that is one "all but myself" when every CPU has been Linux's once
 * and it sends to more than one; sidecar CPUs get it, too.
 *
 * Switching a tracepoint broadcasts as well, by patching code that runs. Do not: QEMU 7.2 was seen
 * to go on with a translation of such code that it had made a moment before, an INT3 that was in no
 * memory any more. Two of Linux's CPUs took it again and again, for ever.
 */
#ifndef TESTS_VM_BROADCAST_H
#define TESTS_VM_BROADCAST_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Small, and of no use in this VM. Broadcasts several times. 0 or a negative errno. */
static int broadcast_once(void)
{
	struct utsname name;
	char path[128];
	long result;
	int fd;

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/irqbypass.ko", name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	result = syscall(SYS_finit_module, fd, "", 0);
	if (!result)
		result = syscall(SYS_delete_module, "irqbypass", O_NONBLOCK);
	result = result ? -errno : 0;
	close(fd);
	return (int)result;
}

#endif

// SPDX-License-Identifier: MIT
/*
 * kexec_start KERNEL INITRD COMMAND-LINE	loads another Linux
 * kexec_start				starts it in place of this one
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/reboot.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static int load(const char *kernel_name, const char *initrd_name, const char *line)
{
	int kernel = open(kernel_name, O_RDONLY | O_CLOEXEC);
	int initrd = open(initrd_name, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(line) + 1, line, 0ul))
		return failed("kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4)
		return load(argv[1], argv[2], argv[3]);
	if (argc != 1) {
		fprintf(stderr, "usage: kexec_start [KERNEL INITRD COMMAND-LINE]\n");
		return 2;
	}
	reboot(LINUX_REBOOT_CMD_KEXEC);
	return failed("reboot");
}

// SPDX-License-Identifier: MIT
/*
 * bench-online: every present CPU into Linux, one after another, between two marker port writes,
 * which tests/bench/hyperv/plugin.c sees. Prints how many there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#define MARKER_FIRST "0x8c"
#define MARKER_LAST "0x8d"
#define marker(port) asm volatile("outb %%al, $" port : : "a"(0))

/* 1 when it was offline and is Linux's now, 0 when it was so before, -1 when there is none. */
static int online(unsigned int cpu)
{
	char path[64], was = 0;
	int fd, done = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, &was, 1) == 1 && was == '0') {
		done = write(fd, "1", 1) == 1;
		if (!done)
			fprintf(stderr, "bench-online: CPU %u: %s\n", cpu, strerror(errno));
	}
	close(fd);
	return done;
}

int main(void)
{
	unsigned int count = 0;

	if (iopl(3)) {
		perror("bench-online: iopl");
		return 1;
	}
	marker(MARKER_FIRST);
	for (unsigned int cpu = 1;; cpu++) {
		int result = online(cpu);

		if (result < 0)
			break;
		count += (unsigned int)result;
	}
	marker(MARKER_LAST);
	printf("onlined %u\n", count);
	return count == 0;
}

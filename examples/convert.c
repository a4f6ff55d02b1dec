// SPDX-License-Identifier: MIT
/* Makes a sidecar CPU a Linux CPU. Exit status: 0; 1 it failed, and the CPU is as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sidecar/sidecar.h>

static uint64_t in_seconds(unsigned int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec + seconds) * 1000000000 + (uint64_t)now.tv_nsec;
}

static int convert(struct sidecar *client, uint32_t cpu)
{
	struct sidecar_vp *vp;

	if (sidecar_vp_create(client, cpu, NULL, &vp)) {
		fprintf(stderr, "%s\n", sidecar_error(client)->text);
		return 1;
	}
	if (sidecar_vp_convert(vp, in_seconds(60))) {
		fprintf(stderr, "%s\n", sidecar_vp_error(vp)->text);
		sidecar_vp_destroy(vp);
		return 1;
	}
	printf("cpu %u is a Linux CPU\n", cpu);
	sidecar_vp_destroy(vp);
	return 0;
}

int main(int argc, char **argv)
{
	struct sidecar_error error;
	struct sidecar_options options = {.size = sizeof(options), .error = &error};
	struct sidecar *client;
	char *end = NULL;
	unsigned long cpu = argc == 2 ? strtoul(argv[1], &end, 0) : 0;
	int result;

	if (!end || end == argv[1] || *end || cpu >= UINT32_MAX) {
		fprintf(stderr, "usage: convert CPU\n");
		return 2;
	}
	result = sidecar_open(&options, &client);
	if (result) {
		fprintf(stderr, "%s\n", result == SIDECAR_ABSENT ? "no sidecar on this machine"
								 : error.text);
		return 1;
	}
	result = convert(client, (uint32_t)cpu);
	sidecar_close(client);
	return result;
}

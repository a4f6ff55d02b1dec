// SPDX-License-Identifier: MIT
/* The smallest program of a stranger; compiled as C11 and as C++17. */
#include <stdio.h>
#include <string.h>

#include <sidecar/sidecar.h>

int main(void)
{
	struct sidecar_options options;
	struct sidecar *client = NULL;
	int result;

	if (sidecar_version() != SIDECAR_VERSION_NUMBER) {
		printf("the library is %s, the header another\n", sidecar_version_string());
		return 1;
	}
	memset(&options, 0, sizeof(options));
	options.size = sizeof(options);
	options.device_prefix = "/nowhere/sidecar";
	result = sidecar_open(&options, &client);
	if (result != SIDECAR_ABSENT || client) {
		printf("sidecar_open gave %d where no device is\n", result);
		return 1;
	}
	return 0;
}

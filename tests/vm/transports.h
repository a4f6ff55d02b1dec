/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the library on the real driver: each runs three times, as it is, without
 * commands through a ring, and as if the driver were the original one, with no extension at all.
 * The last has no partitions, so a guest has no memory: each run ends at its first instruction.
 */
#ifndef TESTS_VM_TRANSPORTS_H
#define TESTS_VM_TRANSPORTS_H

#include <sidecar/abi.h>
#include <sidecar/ioctl.h>
#include <sidecar/sidecar.h>

#include "driver.h"
#include "tap.h"

struct transport {
	const char *name;
	uint64_t hidden; /* capabilities that the library does not see */
};

#define NO_EXTENSION UINT64_MAX

static const struct transport transports[] = {
	{ "as it is", 0 },
	{ "without URING_CMD", SIDECAR_CAP_URING_CMD },
	{ "as the original", NO_EXTENSION },
};

#define TRANSPORTS (sizeof(transports) / sizeof(transports[0]))

/* What the library's driver looks for, and behind it what is hidden from it. */
struct transport_context {
	struct driver_ioctl_context paths;
	uint64_t hidden;
};

static int transport_node_caps(void *context, int node, struct sidecar_ioctl_caps *caps)
{
	const struct transport_context *transport = context;
	int error = driver_ioctl.node_caps(context, node, caps);

	if (transport->hidden == NO_EXTENSION)
		return -ENOTTY;
	caps->capabilities &= ~transport->hidden;
	return error;
}

static int transport_cpu_info(void *context, int node, struct sidecar_ioctl_cpu *info)
{
	const struct transport_context *transport = context;

	return transport->hidden == NO_EXTENSION ? -ENOTTY :
						   driver_ioctl.cpu_info(context, node, info);
}

/* The library took this one, and no better one. */
static void check_transport(const struct transport *transport, struct sidecar *client)
{
	struct sidecar_node_info info;

	sidecar_node_info(client, 0, &info);
	tap_check(!(info.capabilities & SIDECAR_CAP_URING_CMD) == (transport->hidden != 0),
		  "%s: commands through a ring", transport->name);
	tap_check(!info.capabilities == (transport->hidden == NO_EXTENSION), "%s: extensions",
		  transport->name);
}

/* As sidecar_open(), with its cases; one client at a time. NULL when it fails. */
static struct sidecar *open_transport(const struct transport *transport)
{
	static struct transport_context context = {
		.paths = {
			.device_prefix = "/dev/" SIDECAR_DEVICE_PREFIX,
			.cpu_sysfs_path = "/sys/devices/system/cpu",
		},
	};
	static struct sidecar_driver driver;
	struct sidecar_error error = {0};
	struct sidecar_options options = { .size = sizeof(options), .error = &error };
	struct sidecar *client = NULL;

	driver = driver_ioctl;
	driver.node_caps = transport_node_caps;
	driver.cpu_info = transport_cpu_info;
	context.hidden = transport->hidden;
	if (!tap_check(!sidecar_open_with(&options, &driver, &context, &client), "%s: open",
		       transport->name)) {
		tap_note("%s", error.text);
		return NULL;
	}
	check_transport(transport, client);
	return client;
}

#endif

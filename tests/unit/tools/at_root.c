// SPDX-License-Identifier: MIT
/* at_root ROOT COMMAND ARGUMENT…: sidecarctl status, log or top, with another root folder. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "device.h"

static const struct {
	const char *name;
	ctl_command *run;
} commands[] = {{"status", status_command}, {"log", log_command}, {"top", top_command}};

int main(int argc, char **argv)
{
	struct ctl ctl = {.device = &device_driver, .out = stdout, .err = stderr};

	if (argc < 3)
		return 99;
	ctl.root = argv[1];
	ctl.command = argv[2];
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[2], commands[i].name))
			return commands[i].run(&ctl, argc - 2, argv + 2);
	return 99;
}

// SPDX-License-Identifier: MIT
/*
 * VTL2 without an operating system: loads a sidecar kernel image as a boot shim does, and drives
 * its control and command pages as driver and VMM do. Nothing here depends on which kernel it is.
 *
 * Command line: nodes=N, gap=1 (VP 0 is in no node), overrides=1, register-page=0 (the hypervisor
 * refuses it), extension=1 (the caller gives our boot extension), original=1 (leave out what the original kernel does not survive).
 */
#include "node.h"

void payload(void)
{
	test_boot();
	test_nodes();
	test_commands();
	test_runs();
	test_removal();
}

# SPDX-License-Identifier: MIT
# Without a sidecar the shim boots Linux as any loader does: all CPUs are Linux's.
. ./lib/tap.sh
. ./lib/driver.sh

is "nothing is on the command line" "$(grep -c 'handover\|boot_cpus\|maxcpus' /proc/cmdline)" 0
is "Linux has four CPUs" "$(online)" 0-3
refused "there is nothing to adopt" "cpus= is empty"
done_testing

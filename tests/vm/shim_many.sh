# SPDX-License-Identifier: MIT
# 64 CPUs: two nodes of 32, whose second base CPU the module brings up.
. ./lib/tap.sh
. ./lib/driver.sh

is "the base CPUs are named" "$(grep -c ' boot_cpus=0,32 ' /proc/cmdline)" 1
is "Linux has one CPU" "$(online)" 0
mark
check "the module loads" insmod_sidecar
is "62 CPUs are adopted" "$(said | grep -c '62 CPUs in 2 nodes adopted')" 1
is "node 0" "$(answering 0)" 31
is "node 1" "$(answering 1)" 31
is "Linux has the bases" "$(online)" 0,32
check "a CPU of node 1 is converted" set_online 63 1
is "the others stay" "$(answering 1)" 30
check "they go" rmmod sidecar
poison
set_online 63 0
check "and come back" insmod_sidecar
is "node 1 again" "$(answering 1)" 31
check "rmmod" rmmod sidecar
done_testing

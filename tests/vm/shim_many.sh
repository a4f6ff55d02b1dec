# SPDX-License-Identifier: MIT
# 64 CPUs: two nodes of 32, whose second base CPU the module brings up.
. ./lib/tap.sh
. ./lib/driver.sh

is "the base CPUs are named" "$(grep -c ' boot_cpus=0,32 ' /proc/cmdline)" 1
is "Linux has one CPU" "$(online)" 0
mark
check "the module loads" insmod_sidecar
is "62 CPUs are adopted" "$(said | grep -c '62 CPUs in 2 nodes adopted')" 1
is "node 0" "$(driver_vp none 0 | grep -c ':ok$')" 31
is "node 1" "$(driver_vp none 1 | grep -c ':ok$')" 31
is "Linux has the bases" "$(online)" 0,32
check "a CPU of node 1 is converted" set_online 63 1
is "the others stay" "$(driver_vp none 1 | grep -c ':ok$')" 30
check "they go" rmmod sidecar
poison
set_online 63 0
check "and come back" insmod_sidecar
is "node 1 again" "$(driver_vp none 1 | grep -c ':ok$')" 31
check "rmmod" rmmod sidecar
done_testing

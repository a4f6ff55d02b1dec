# SPDX-License-Identifier: MIT
# Two NUMA nodes of different size, and two CPUs that servicing leaves to Linux.
. ./lib/tap.sh
. ./lib/driver.sh

is "Linux's CPUs are named" "$(grep -c ' boot_cpus=0,2,5,6 ' /proc/cmdline)" 1
mark
check "the module loads" insmod_sidecar
is "node 0" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ENOENT 3:ok 4:ok "
is "node 1" "$(driver_vp none 1 | tr '\n' ' ')" "6:ENOENT 7:ok "
is "Linux has the others" "$(online)" 0,2,5-6
is "memory of node 0" "$(said | grep -c 'sidecar0: .* KiB of NUMA node 0,')" 1
is "memory of node 1" "$(said | grep -c 'sidecar1: .* KiB of NUMA node 1,')" 1
check "a CPU of node 1 is converted" set_online 7 1
is "node 0 goes on" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ENOENT 3:ok 4:ok "
check "rmmod" rmmod sidecar
done_testing

# SPDX-License-Identifier: MIT
# A NUMA border is a node's border, and each node's memory is of its own side.
. ./lib/tap.sh
. ./lib/driver.sh

mark
check "the module loads" insmod_sidecar cpus=1-7
is "node 0" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
is "node 1" "$(driver_vp none 1 | tr '\n' ' ')" "5:ok 6:ok 7:ok "
is "CPU 4 is Linux's, as base" "$(online)" 0,4
is "memory of node 0" "$(said | grep -c 'sidecar0: .* KiB of NUMA node 0,')" 1
is "memory of node 1" "$(said | grep -c 'sidecar1: .* KiB of NUMA node 1,')" 1
check "R13: node 1 loses its base CPU" set_online 4 0
is "and goes on" "$(driver_vp none 1 | tr '\n' ' ')" "5:ok 6:ok 7:ok "
check "rmmod" rmmod sidecar
done_testing

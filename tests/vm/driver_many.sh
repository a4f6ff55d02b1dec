# SPDX-License-Identifier: MIT
# Many CPUs, several nodes, and CPUs in gaps (R14).
. ./lib/tap.sh
. ./lib/driver.sh

check "one node of 64" insmod_sidecar cpus=1-63 node_size=64
is "63 CPUs answer" "$(answering 0)" 63
is "Linux has one" "$(online)" 0
check "they go" rmmod sidecar
poison

check "the default node_size" insmod_sidecar cpus=1-63
is "node 0" "$(answering 0)" 31
is "node 1" "$(answering 1)" 31
is "its base CPU is Linux's" "$(online)" 0,32
refuse "there is no node 2" "No such file" driver_vp none 2
check "a CPU of node 1 is converted" set_online 63 1
is "the others stay" "$(answering 1)" 30
check "they go as well" rmmod sidecar
poison
set_online 63 0
set_online 32 0

check "gaps, and no node at CPU 0" insmod_sidecar cpus=5-9,20,40-41,60-63 node_size=64
is "node 0" "$(driver_vp none 0 | tr '\n' ' ')" "6:ok 7:ok 8:ok 9:ok "
is "node 1" "$(driver_vp none 1 | tr '\n' ' ')" "41:ok "
is "node 2" "$(driver_vp none 2 | tr '\n' ' ')" "61:ok 62:ok 63:ok "
is "R7: a CPU of another node" "$(driver_vp none 0 41)" 41:EINVAL
is "R7: a base CPU" "$(driver_vp none 2 60)" 60:ENOENT
check "rmmod" rmmod sidecar
done_testing

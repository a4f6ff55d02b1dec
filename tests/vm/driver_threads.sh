# SPDX-License-Identifier: MIT
# A node that splits a core with Linux is reported; strict=1 refuses it.
. ./lib/tap.sh
. ./lib/driver.sh

refused "strict=1" "the first is CPU 1, with CPU 0" cpus=1-3 strict=1
mark
check "without it the module loads" insmod_sidecar cpus=1-3
is "and says so" "$(said | grep -c '1 sidecar CPUs share a core with Linux')" 1
check "rmmod" rmmod sidecar
check "both threads of a core are Linux's" set_online 1 1
check "and both of the other the sidecar's: strict=1" insmod_sidecar cpus=2-3 strict=1
is "they answer" "$(driver_vp none 0 | tr '\n' ' ')" "2:ok 3:ok "
done_testing

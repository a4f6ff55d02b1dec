# SPDX-License-Identifier: MIT
# Linux panics while guests run on every sidecar CPU; power_panic.ended looks at what it said.
. ./lib/tap.sh
. ./lib/driver.sh

check "the module loads" insmod_sidecar cpus=1-3
for cpu in 1 2 3; do
	driver_vp busy $cpu 60 >/dev/null &
done
sleep 1
is "guests run" "$(cat /sys/class/misc/mshv_vtl_sidecar0/cpu*/state | sort -u)" busy
sleep 1
echo c >/proc/sysrq-trigger
sleep 60

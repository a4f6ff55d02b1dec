# SPDX-License-Identifier: MIT
# Linux panics while guests run and one CPU is wedged; power_wedged.ended looks at what it said.
. ./lib/tap.sh
. ./lib/driver.sh

check "the module loads" insmod_sidecar cpus=1-3 firmware=spin.elf
driver_vp busy 2 60 >/dev/null &
sleep 1
is "CPU 2 is wedged" "$(cat /sys/class/misc/mshv_vtl_sidecar0/cpu2/state)" busy
sleep 1
echo c >/proc/sysrq-trigger
sleep 60

# SPDX-License-Identifier: MIT
# In the second kernel of power_kexec.sh; power_kexec.ended counts its cases.
. ./lib/tap.sh
. ./lib/driver.sh

is "this is the second kernel" "$(grep -c ' second$' /proc/cmdline)" 1
is "Linux has one CPU" "$(online)" 0
check "the module loads in the second kernel" insmod_sidecar cpus=1-3
is "the CPUs answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
is "a guest runs" "$(driver_vp busy 1 1)" 1:stopped
check "a CPU comes online" set_online 3 1
is "a program runs on it" "$(taskset 8 sh -c 'cut -d" " -f39 /proc/self/stat')" 3
check "rmmod" rmmod sidecar
poison
is "nobody complains" "$(dmesg | grep -cE 'BUG:|WARNING: CPU|Oops|Call Trace:')" 0

# SPDX-License-Identifier: MIT
# Suspend and hibernation are refused, with a message, while a CPU is in the sidecar.
. ./lib/tap.sh
. ./lib/driver.sh

# refused_sleep STATE NAME CPUS
refused_sleep() {
	mark
	refuse "$1 is refused" busy sh -c "echo $1 >/sys/power/state"
	is "and Linux says why" "$(said | grep -c "sidecar: $2 is refused: $3 CPUs")" 1
}

is "this Linux can sleep" "$(grep -oE 'freeze|disk' /sys/power/state | tr '\n' ' ')" "freeze disk "
check "the module loads" insmod_sidecar cpus=1-3
refused_sleep freeze suspend 3
refused_sleep disk hibernation 3
! grep -q mem /sys/power/state || refused_sleep mem suspend 3
is "the CPUs answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
driver_vp busy 1 2 >/tmp/busy &
sleep 1
is "GIVE" "$(driver_vp give 2)" 2:ok
refused_sleep freeze suspend 2
wait
is "a guest does not mind" "$(cat /tmp/busy)" 1:stopped
is "TAKE" "$(driver_vp take 2)" 2:ok
refused_sleep freeze suspend 3
check "rmmod" rmmod sidecar
done_testing

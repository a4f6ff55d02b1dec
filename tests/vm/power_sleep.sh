# SPDX-License-Identifier: MIT
# Suspend and hibernation are refused, with a message, while a CPU is in the sidecar; without one
# Linux sleeps and wakes. The clock's alarm wakes it.
. ./lib/tap.sh
. ./lib/driver.sh

# refused_sleep STATE NAME CPUS
refused_sleep() {
	mark
	refuse "$1 is refused" busy sh -c "echo $1 >/sys/power/state"
	is "and Linux says why" "$(said | grep -c "sidecar: $2 is refused: $3 CPUs")" 1
}

sleep_two_seconds() {
	echo +2 >/sys/class/rtc/rtc0/wakealarm
	echo mem >/sys/power/state
}

is "this Linux can sleep" "$(cat /sys/power/state)" "freeze mem disk"
check "the module loads" insmod_sidecar cpus=1-3
refused_sleep freeze suspend 3
refused_sleep disk hibernation 3
refused_sleep mem suspend 3
is "the CPUs answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
driver_vp busy 1 2 >/tmp/busy &
sleep 1
is "GIVE" "$(driver_vp give 2)" 2:ok
refused_sleep freeze suspend 2
wait
is "a guest does not mind" "$(cat /tmp/busy)" 1:stopped
is "TAKE" "$(driver_vp take 2)" 2:ok
refused_sleep freeze suspend 3

# A q35 of QEMU 10 does not power off any more once it has slept, with the module or without.
if [ -z "$SIDECAR_TEST_X2APIC" ]; then
	is "GIVE of all" "$(driver_vp give 1 2 3 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	mark
	check "a suspend without sidecar CPUs" sleep_two_seconds
	is "Linux has slept" "$(said | grep -c 'Waking up from system sleep state S3')" 1
	is "its CPUs are back" "$(online)" 0-3
	is "TAKE of all" "$(driver_vp take 1 2 3 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	is "they answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	driver_vp busy 3 1 >/tmp/busy
	is "a guest runs" "$(cat /tmp/busy)" 3:stopped
	refused_sleep mem suspend 3
fi
check "rmmod" rmmod sidecar
done_testing

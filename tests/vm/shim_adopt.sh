# SPDX-License-Identifier: MIT
# The CPUs are in the sidecar before Linux starts; the module adopts them, gives them back, and
# starts them again from the shim's image.
. ./lib/tap.sh
. ./lib/driver.sh

handover=$(sed -n 's/.*sidecar\.handover=\(0x[0-9a-f]*\).*/\1/p' /proc/cmdline)
# What Linux says of the memory at an address; the innermost resource comes last.
resource_at() {
	while IFS=' -:' read -r first last name; do
		[ $((0x$first)) -gt $(($1)) ] || [ $((0x$last)) -lt $(($1)) ] || found=${name# }
	done </proc/iomem
	echo "$found"
}

is "the command line has boot_cpus=" "$(grep -c ' boot_cpus=0 ' /proc/cmdline)" 1
is "Linux has one CPU" "$(online)" 0
is "four are present" "$(cat $sysfs/present)" 0-3
is "the handover is in reserved memory" "$(resource_at "$handover")" Reserved

mark
check "the module finds the handover by itself" insmod_sidecar
is "three CPUs are adopted" "$(said | grep -c '3 CPUs in 1 nodes adopted')" 1
is "none had to be started" "$(said | grep -c 'CPU [1-3] ')" 0
is "they answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
is "they have been asked twice since they were started" \
	"$(cat /sys/class/misc/mshv_vtl_sidecar0/cpu*/commands | tr '\n' ' ')" "2 2 2 "
driver_vp busy 1 2 >/tmp/busy &
sleep 1
check "CPU 3 becomes Linux's" set_online 3 1
check "a program runs on it" taskset 8 true
wait
is "the others stay" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ENOENT "
check "rmmod" rmmod sidecar
poison
is "nothing is left of it" "$(ls /dev/mshv* 2>/dev/null)" ""
set_online 3 0

for round in 1 2 3; do
	mark
	check "round $round: the module loads again" insmod_sidecar "handover=$handover"
	is "round $round: all are back" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	rmmod sidecar
done
check "CPU 1 comes online after rmmod" set_online 1 1
check "with a CPU that is Linux's" insmod_sidecar
is "that is not adopted" "$(driver_vp none 0 | tr '\n' ' ')" "1:ENOENT 2:ok 3:ok "
rmmod sidecar
set_online 1 0

refused "an address of something else" "magic" handover=0x100000
refused "an address inside a page" "is not page aligned" handover=0x49008
mark
check "cpus= takes CPUs as if there were no shim" insmod_sidecar cpus=1-2 "handover=$handover"
is "and says so" "$(said | grep -c 'is not looked at')" 1
is "they answer as well" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok "
check "rmmod" rmmod sidecar
done_testing

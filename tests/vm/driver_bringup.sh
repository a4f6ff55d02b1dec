# SPDX-License-Identifier: MIT
# Three CPUs into the sidecar and out of it again: Linux never boots them, the memory that rmmod
# frees is nobody's, and everything can be done again.
. ./lib/tap.sh
. ./lib/driver.sh

three_work() {
	is "$1" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
}

mark
check "the module loads" insmod_sidecar cpus=1-3
is "a device, for root only" "$(stat -c %a /dev/mshv_vtl_sidecar0)" 600
three_work "each CPU answers"
is "Linux has one CPU" "$(online)" 0
is "Linux booted none" "$(said | grep -c 'smpboot: Booting')" 0
check "the completion interrupt is a Linux IRQ" grep -q 'sidecar.*mshv_vtl_sidecar0' /proc/interrupts

driver_vp busy 1 2 >/dev/null &
sleep 1
refuse "rmmod while a file is open" "unavailable" rmmod sidecar
wait
check "rmmod" rmmod sidecar
is "no device is left" "$(ls /dev/mshv* 2>/dev/null)" ""
is "no IRQ is left" "$(grep -c sidecar /proc/interrupts)" 0
poison

for round in 1 2 3 4 5; do
	insmod_sidecar cpus=1-3
	three_work "round $round"
	rmmod sidecar
done
poison
for cpu in 1 2 3; do
	check "CPU $cpu comes online after rmmod" set_online $cpu 1
	check "a program runs on it" taskset $((1 << cpu)) true
done

# With every CPU booted once Linux broadcasts its interrupts, to sidecar CPUs as well.
for cpu in 1 2 3; do
	set_online $cpu 0
done
check "CPUs that were Linux's" insmod_sidecar cpus=1-3
check "one is Linux's again" set_online 3 1
tlb() {
	awk '$1 == "TLB:" { print $2 + $3 }' /proc/interrupts
}

driver_vp busy 2 3 >/tmp/busy &
before=$(tlb)
driver_vp munmap 2 >/dev/null
wait
at_least "Linux has sent TLB shootdowns" "$(($(tlb) - before))" 50
is "a guest runs on under Linux's broadcasts" "$(cat /tmp/busy)" 2:stopped
is "the CPUs too" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ENOENT "
check "rmmod" rmmod sidecar
poison
check "the shootdowns do not wake the parked ones" driver_vp munmap 2
check "CPU 1 comes online after that" set_online 1 1
check "CPU 2 comes online after that" set_online 2 1
set_online 1 0
set_online 2 0

set_online 3 0
set_online 1 1
mark
check "an online CPU before cpus= is their base" insmod_sidecar cpus=2-3
is "and the driver says so" \
	"$(said | grep -c 'mshv_vtl_sidecar0: base CPU 1, sidecar CPUs 2-3')" 1
is "they answer" "$(driver_vp none 0 | tr '\n' ' ')" "2:ok 3:ok "
done_testing

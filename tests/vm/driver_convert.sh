# SPDX-License-Identifier: MIT
# "1" into a CPU's online file takes it from the sidecar; a busy CPU is refused and stays (R8).
. ./lib/tap.sh
. ./lib/driver.sh

irq() {
	grep mshv_vtl_sidecar0 /proc/interrupts | cut -d: -f1 | tr -d ' '
}

# How many have arrived on the online CPU number $1, counted from 1.
arrived() {
	awk -v column=$((1 + $1)) '/mshv_vtl_sidecar0/ { print $column }' /proc/interrupts
}

check "the module loads" insmod_sidecar cpus=1-3
driver_vp busy 2 3 >/tmp/busy &
sleep 1
refuse "R8: a busy CPU is not converted" "busy" set_online 2 1
is "R8: it is still the sidecar's" "$(online)" 0
is "another is idle all the while" "$(driver_vp none 0 3)" 3:ok
wait
is "R8: its guest ran on" "$(cat /tmp/busy)" 2:stopped
is "R8: it takes commands" "$(driver_vp none 0 2)" 2:ok

driver_vp busy 1 3 >/tmp/busy &
sleep 1
check "an idle CPU is converted" set_online 2 1
is "it is Linux's" "$(online)" 0,2
is "a program runs on it" "$(taskset 4 sh -c 'cut -d" " -f39 /proc/self/stat')" 2
is "R7: it has left the sidecar" "$(driver_vp none 0 2)" 2:ENOENT
wait
is "a guest on its neighbour ran on" "$(cat /tmp/busy)" 1:stopped
is "the others take commands" "$(driver_vp none 0 1) $(driver_vp none 0 3)" "1:ok 3:ok"

check "R13: the completion interrupt moves there" \
	sh -c "echo 4 >/proc/irq/$(irq)/smp_affinity"
before=$(arrived 2)
is "a command is completed" "$(driver_vp none 0 1)" 1:ok
is "R13: by an interrupt there" "$(($(arrived 2) - before))" 1
check "R13: its CPU goes offline" set_online 2 0
before=$(arrived 1)
is "a command is completed all the same" "$(driver_vp none 0 3)" 3:ok
is "R13: by an interrupt elsewhere" "$(($(arrived 1) - before))" 1
check "the CPU comes online again" set_online 2 1
check "and goes again" set_online 2 0

check "rmmod" rmmod sidecar
poison
check "the module loads with all of them" insmod_sidecar cpus=1-3
is "and they answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
done_testing

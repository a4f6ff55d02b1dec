# SPDX-License-Identifier: MIT
# R13: a node goes on while its base CPU is offline, CPUs move all the same, and after it has come
# back; completions go where Linux is.
. ./lib/tap.sh
. ./lib/driver.sh

# Completions on the online CPU number $1, counted from 1.
arrived() {
	awk -v column=$((1 + $1)) '/mshv_vtl_sidecar0/ { print $column }' /proc/interrupts
}

# all_move WHEN: every sidecar CPU goes to Linux and back, and begins anew, and answers.
all_move() {
	is "$1: GIVE" "$(driver_vp give 2 3)" "2:ok 3:ok"
	is "$1: GIVE when it is Linux's" "$(driver_vp give 2)" 2:ENOENT
	is "$1: TAKE" "$(driver_vp take 2 3)" "2:ok 3:ok"
	is "$1: RESET" "$(driver_vp reset 2 3)" "2:ok 3:ok"
	is "$1: they answer" "$(driver_vp none 0 | tr '\n' ' ')" "2:ok 3:ok "
}

set_online 1 1
mark
check "the module loads" insmod_sidecar cpus=2-3 spin_us=0
is "CPU 1 is the base" "$(said | grep -c 'base CPU 1, sidecar CPUs 2-3')" 1
all_move "with its base CPU"
before=$(arrived 2)
driver_vp none 0 2 >/dev/null
at_least "completions go to the base CPU" "$(($(arrived 2) - before))" 1

check "the base CPU goes offline" set_online 1 0
is "Linux has one CPU" "$(online)" 0
all_move "without its base CPU"
before=$(arrived 1)
driver_vp none 0 2 >/dev/null
at_least "completions go to the other" "$(($(arrived 1) - before))" 1
is "the base CPU is not the sidecar's to take" "$(driver_vp take 1)" 1:EINVAL

check "the base CPU comes back" set_online 1 1
is "it is Linux's" "$(online)" 0-1
all_move "with its base CPU again"
for round in $(seq 200); do
	driver_vp none 0 3
done >/tmp/answers &
for round in 1 2 3 4 5; do
	set_online 1 0
	set_online 1 1
done
wait
is "every command was completed while the base CPU came and went" "$(grep -c ok /tmp/answers)" 200
check "rmmod" rmmod sidecar
done_testing

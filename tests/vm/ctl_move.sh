# SPDX-License-Identifier: MIT
# sidecarctl take, give and reset. CPUs come online here: last in its boot.
. ./lib/tap.sh
. ./lib/driver.sh
. ./lib/ctl.sh

guests=/usr/share/sidecar/guests

# Every CPU that the sidecar has executes a guest.
all_run() {
	for all_cpu; do
		sidecarctl run --cpu "$all_cpu" $guests/hello16.bin >/dev/null || return 1
	done
}

check "the module loads" insmod_sidecar cpus=1-7
ctl "give of one" 0 give 3
answer_is "its answer" 3
no_complaint "no complaint"
is "it is Linux's" "$(online) $(state_of 3)" "0,3 removed"
ctl "give again" 1 give 3
no_answer "no answer"
complains "it says why" "^sidecarctl: give: CPU 3: not in the sidecar$"
ctl "take of one" 0 take 3
answer_is "its answer, too" 3
is "it is the sidecar's" "$(online) $(state_of 3)" "0 idle"
check "it runs a guest" all_run 3
ctl "take again" 1 take 3
complains "why" "^sidecarctl: take: CPU 3: already in the sidecar$"

for round in 1 2; do
	ctl "give of many, round $round" 0 give --progress 1-2,4,6-7
	answer_is "those" "1-2,4,6-7"
	complains "its progress" "^give: 5 of 5 CPUs$"
	is "they are Linux's" "$(online)" 0-2,4,6-7
	check "those that are left run guests" all_run 3 5
	ctl "take of many, round $round" 0 take 1-2,4,6-7
	answer_is "all of those" "1-2,4,6-7"
	no_complaint "no progress unless asked, no terminal"
	is "Linux has one" "$(online)" 0
	check "all run guests" all_run 1 2 3 4 5 6 7
done

sidecarctl run --cpu 2 $guests/loop.bin 2>$work/owner.err &
owner=$!
until_busy 2
ctl "give with one busy" 1 give 0-3,77
answer_is "the others went" "1,3"
complains "the busy one" "^sidecarctl: give: CPU 2: a command is in flight"
complains "the base CPU" "^sidecarctl: give: CPU 0: it is its node's base CPU"
complains "one of no node" "^sidecarctl: give: CPU 77: no node has it$"
is "it is busy still" "$(state_of 2) $(online)" "busy 0-1,3"
ctl "back" 0 take 1,3
ctl "reset of a busy CPU" 0 reset 2
answer_is "that one" 2
is "it is idle" "$(state_of 2)" idle
wait $owner
is "its owner has lost it" $? 13
is "and is told" "$(grep -c 'CPU 2' $work/owner.err)" 1
diag "$(cat $work/owner.err)"
check "it runs a guest of somebody else" all_run 2
ctl "reset of an idle range" 0 reset 4-6
answer_is "the range" 4-6
check "they run guests" all_run 4 5 6
check "give of the last" sidecarctl give 7
ctl "reset of Linux's" 1 reset 7
complains "says why" "^sidecarctl: reset: CPU 7: not in the sidecar$"
check "rmmod" rmmod sidecar

# CPU 2 of this image dies of its first command, others answer without executing anything.
check "the module loads with a broken kernel" \
	insmod_sidecar cpus=1-3 firmware=fault.elf timeout_ms=500
driver_vp none 0 2 >/dev/null
is "CPU 2 is failed" "$(state_of 2)" failed
ctl "status of a failed CPU" 0 status
answers "why" "^ *0 *0 *2 failed .*took a fault"
ctl "its report" 0 log --fault 2
answers "an invalid opcode" "^cpu2: vector 6 "
ctl "reset of a failed CPU" 0 reset 2
is "it is idle again" "$(state_of 2)" idle
ctl "its report is gone" 0 log --fault 2
answer_is "with its fault" "cpu2: none"
is "the others never noticed" "$(driver_vp none 0 1) $(driver_vp none 0 3)" "1:ok 3:ok"
check "rmmod of the broken one" rmmod sidecar
done_testing

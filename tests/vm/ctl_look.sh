# SPDX-License-Identifier: MIT
# sidecarctl without a driver, and what it shows of one: status, log and top.
. ./lib/tap.sh
. ./lib/driver.sh
. ./lib/ctl.sh

guests=/usr/share/sidecar/guests

for command in status "status --json" log "log 1" top "take 1" "give 1" "reset 1" \
	       "run $guests/hello16.bin"; do
	# shellcheck disable=SC2086
	ctl "no driver: $command" 3 $command
	no_answer "no answer"
	complains "it says so" "no sidecar on this machine"
done
ctl "help" 0 --help
is "it has every command" "$(grep -cE '^  (status|run|take|give|reset|log|top)( |$)' $work/out)" 7
ctl "help of one" 0 take --help
answers "its line" "^usage: sidecarctl take"
ctl "version" 0 --version
answers "as it is" "^sidecarctl [0-9]*\.[0-9]*\.[0-9]*$"
ctl "no command" 2
ctl "a word that is no command" 2 nonsense
complains "it names the word" "'nonsense' is no command"
sidecarctl --help >/dev/full 2>$work/err
is "an answer that cannot be written" $? 1
complains "is a failure" "standard output: No space left"

check "the module loads" insmod_sidecar cpus=1-3
ctl "status" 0 status
is "three idle CPUs" "$(grep -cE '^ *0 +0 +[123] idle +- ' $work/out)" 3
no_complaint "no complaint"
ctl "status --json" 0 status --json
is "three idle CPUs in JSON" "$(grep -c '"state": "idle",' $work/out)" 3
ctl "log" 0 log
is "each CPU said that it is ready" "$(grep -cE '^cpu([123]): VP \1: ready$' $work/out)" 3
ctl "log of one" 0 log 2
answers "of that one" "^cpu2: VP 2: ready"
ctl "no fault" 0 log --fault 1-3
is "none of any" "$(grep -c ': none$' $work/out)" 3
ctl "log of the base CPU" 1 log 0
complains "it has none" "CPU 0: it is the node's base CPU"

driver_vp busy 2 100 >/dev/null &
owner=$!
until_busy 2
ctl "status of a busy CPU" 0 status
answers "its state and owner" "^ *0 *0 *2 busy *$owner "
ctl "in JSON" 0 status --json
answers "its owner" "\"owner_pid\": $owner,"
ctl "top" 0 top --interval 0.5 --count 3
is "three looks" \
	"$(grep -c '^3 sidecar CPUs: 1 busy, 2 idle, 0 failed, 0 removed; over ' $work/out)" 3
is "the busy CPU in each" "$(grep -cE "^ *2 busy +$owner " $work/out)" 3
kill $owner
wait

sidecarctl run --cpu 1 $guests/hello16.bin >/dev/null
ctl "counters after a guest" 0 status --json
at_least "its exits" "$(sed -n 's/.*"exits": \([1-9][0-9]*\),/\1/p' $work/out | head -n 1)" 20
exits=$(awk '/^total/ { print $2 }' /sys/class/misc/mshv_vtl_sidecar0/cpu1/exits)
answers "are those of sysfs" "\"exits\": $exits,"
at_least "its time in the guest" "$(sed -n 's/.*"guest_ns": \([1-9][0-9]*\),/\1/p' $work/out | head -n 1)" 1
is "foreign interrupts of each" "$(grep -c '"foreign": [0-9]' $work/out)" 3

check "rmmod" rmmod sidecar
ctl "the driver is gone" 3 status
done_testing

# SPDX-License-Identifier: MIT
# perf and trace-cmd, as a person would use them on the tracepoints: what they count and decode
# against what the driver has in sysfs.
. ./lib/tap.sh
. ./lib/driver.sh

guest=/usr/share/sidecar/guests/hello16.bin

commands() {
	cat /sys/class/misc/mshv_vtl_sidecar0/cpu1/commands
}

# counted EVENT: how often perf stat saw it.
counted() {
	awk -v event="sidecar:$1" '$2 == event { print $1 }' /tmp/stat
}

# named FILE EVENT: how many lines of a decoded trace tell of it.
named() {
	grep -cE "[: ]$2: +cpu=1 " "$1"
}

# decoded FILE: one run of the guest is there, from the claim to the release.
decoded() {
	is "$1: a claim" "$(named "$1" claim)" 1
	is "$1: starts" "$(named "$1" start)" "$done_commands"
	is "$1: completions" "$(named "$1" complete)" "$done_commands"
	is "$1: a release" "$(named "$1" release)" 1
	at_least "$1: names, not numbers" \
		"$(grep -c 'command=RUN_VP status=IDLE claim=AVAIL pid=[1-9][0-9]* error=0' "$1")" 1
}

check "the module loads" insmod_sidecar cpus=1-3
is "perf finds the events" "$(perf list 'sidecar:*' 2>&1 | grep -c '^  sidecar:')" 9

before=$(commands)
check "perf stat" perf stat -a -o /tmp/stat -e sidecar:start -e sidecar:complete \
	sidecarctl run --cpu 1 $guest
done_commands=$(($(commands) - before))
at_least "the guest took commands" $done_commands 3
is "it counts the starts" "$(counted start)" $done_commands
is "and the completions" "$(counted complete)" $done_commands

cd /tmp || exit 1
check "perf record" perf record -q -a -e 'sidecar:*' -o /tmp/perf.data \
	sidecarctl run --cpu 1 $guest
perf script -i /tmp/perf.data >perf 2>/tmp/errors || diag "$(cat /tmp/errors)"
decoded perf
check "trace-cmd record" trace-cmd record -q -o /tmp/trace.dat -e sidecar \
	sidecarctl run --cpu 1 $guest
trace-cmd report -i /tmp/trace.dat >trace-cmd 2>/tmp/errors || diag "$(cat /tmp/errors)"
decoded trace-cmd

check "rmmod" rmmod sidecar
done_testing

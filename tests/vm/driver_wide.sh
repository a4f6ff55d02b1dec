# SPDX-License-Identifier: MIT
# More CPUs than an xAPIC has numbers for: APIC IDs of 256 and above have sidecar CPUs, a base CPU
# that is told of completions, CPUs that are stopped, given, taken and reset.
. ./lib/tap.sh
. ./lib/driver.sh
. ./lib/ctl.sh

guests=/usr/share/sidecar/guests

mark
check "287 CPUs" insmod_sidecar cpus=1-287
is "all are there" "$(said | grep -c '279 CPUs in 9 nodes started')" 1
is "the base CPUs are Linux's" "$(online)" 0,32,64,96,128,160,192,224,256
for node in 0 1 2 3 4 5 6 7 8; do
	is "node $node" "$(answering $node)" 31
done
is "an APIC ID above 255" "$(cat /sys/class/misc/mshv_vtl_sidecar8/cpu287/apic_id)" 287
ctl "a guest on CPU 255" 0 run --cpu 255 $guests/hello16.bin
ctl "a guest on CPU 257" 0 run --cpu 257 $guests/hello16.bin
answer_is "its greeting" "hello from 16-bit real mode"

sidecarctl run --cpu 287 $guests/loop.bin 2>$work/loop.err &
loop=$!
until_busy 287
is "a guest without end" "$(state_of 287)" busy
kill -INT $loop
wait $loop
is "it is stopped" "$? $(state_of 287)" "5 idle"

ctl "give" 0 give 286-287
is "they are Linux's" "$(online)" 0,32,64,96,128,160,192,224,256,286-287
is "a program runs there" "$(taskset -c 287 sh -c 'cut -d" " -f39 /proc/self/stat')" 287
is "the others stay" "$(answering 8)" 29
ctl "take" 0 take 286-287
ctl "reset" 0 reset 280-287
is "all of node 8" "$(answering 8)" 31
check "rmmod" rmmod sidecar
done_testing

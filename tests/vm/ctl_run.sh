# SPDX-License-Identifier: MIT
# sidecarctl run: every way that a guest ends has its exit status.
. ./lib/tap.sh
. ./lib/driver.sh
. ./lib/ctl.sh

guests=/usr/share/sidecar/guests
echo "an input" >$work/input

check "the module loads" insmod_sidecar cpus=1-2
ctl "hello16" 0 run $guests/hello16.bin
answer_is "its greeting, and nothing else" "hello from 16-bit real mode"
no_complaint "no complaint"
ctl "sha256 of an input, on a CPU" 0 run --cpu 2 --input $work/input --memory 4M $guests/sha256.bin
answers "its digest" "$(sha256sum $work/input | cut -d' ' -f1)"
at_least "that CPU ran it" "$(cat /sys/class/misc/mshv_vtl_sidecar0/cpu2/entries)" 1

# MOV $'x',%al; OUT %al,$0x10; HLT; behind it, the same with y.
printf '\260x\346\020\364\260y\346\020\364' >$work/letters
ctl "elsewhere in memory" 0 run --load 0x20000 $work/letters
answer_is "from its beginning" x
ctl "from another entry" 0 run --load 0x20000 --entry 0x20005 $work/letters
answer_is "from there" y
ctl "an entry before the image" 2 run --load 0x20000 --entry 0x1ffff $work/letters
complains "value and limit" "entry 0x1ffff: it must be within 64 KiB of the load address 0x20000"

ctl "a deadline" 10 run --deadline 0.2 $guests/loop.bin
complains "which one" "at its deadline of 0.2 s"
ctl "a triple fault" 11 run $guests/triple.bin
complains "it says so" "triple fault"
ctl "memory that is not there" 12 run $guests/unmapped.bin
complains "the address" "GPA 0xc0000000"
ctl "an MSR" 12 run $guests/msr.bin
ctl "string I/O" 12 run $guests/strings.bin
complains "where" "at RIP 0x.*string I/O is not served"

sidecarctl run --cpu 2 $guests/loop.bin 2>$work/loop.err &
loop=$!
until_busy 2
ctl "a CPU that is taken" 1 run --cpu 2 $guests/hello16.bin
complains "it is named" "CPU 2"
is "it is busy" "$(state_of 2)" busy
kill -INT $loop
wait $loop
is "a signal" $? 5
is "it is told" "$(grep -c 'stopped by a signal' $work/loop.err)" 1
is "the CPU is free" "$(state_of 2)" idle

sidecarctl run --cpu 1 $guests/loop.bin 2>/dev/null &
sidecarctl run --cpu 2 $guests/loop.bin 2>/dev/null &
until_busy 1
until_busy 2
ctl "no CPU is free" 1 run $guests/hello16.bin
complains "it says so, too" "no CPU is free in the 1 nodes"
killall -TERM sidecarctl
wait

ctl "no image" 1 run $work/absent
complains "its name" "$work/absent: No such file"
ctl "an image that is too large" 1 run --memory 32K $guests/hello16.bin
complains "size and room" "memory of 32768 bytes has room for 0 there"
ctl "a CPU of no node" 1 run --cpu 77 $guests/hello16.bin
complains "the CPU" "CPU 77"
ctl "memory that is no page" 2 run --memory 5000 $guests/hello16.bin
complains "the rule" "'5000': it must be a multiple of 4K, up to 3G"
ctl "no guest" 2 run
ctl "an option that is none" 2 run --nonsense $guests/hello16.bin

check "rmmod" rmmod sidecar
done_testing

# SPDX-License-Identifier: MIT
# Every example against the installed library: what it shows, and each of its errors.
. ./lib/tap.sh
. ./lib/driver.sh

guests=/usr/share/sidecar/guests
work=/tmp/examples
mkdir -p $work
echo "an input" >$work/input

# status_of NAME WANTED COMMAND…: its exit status; its text stays in $work/err.
status_of() {
	status_name=$1
	status_wanted=$2
	shift 2
	"$@" >$work/out 2>$work/err
	is "$status_name" $? "$status_wanted"
}

says() {
	is "$1" "$(grep -c -- "$2" $work/err)" 1
}

digest() {
	sha256sum "$1" | cut -d' ' -f1
}

# ---- no device -----------------------------------------------------------------------------------

status_of "list-nodes without a device" 3 list-nodes
status_of "run-vp without a device" 1 run-vp $guests/hello16.bin
says "it says that there is none" "no sidecar on this machine: /dev/mshv_vtl_sidecar0 does not exist"

check "the module loads" insmod_sidecar cpus=1-3

# ---- what they show ------------------------------------------------------------------------------

status_of "list-nodes" 0 list-nodes
is "it lists three CPUs" "$(grep -c 'cpu [123]: idle' $work/out)" 3
status_of "hello16" 0 run-vp --cpu 1 --input $work/input $guests/hello16.bin
is "it says its input back" "$(grep -c 'an input' $work/out)" 1
status_of "sha256" 0 run-vp --input $work/input $guests/sha256.bin
is "its digest" "$(grep -oE '[0-9a-f]{64}' $work/out)" "$(digest $work/input)"
is "the guest's count is what was seen" "$(sed -n 's/^exits: total=\([0-9]*\).*/\1/p' $work/err)" \
	"$(sed -n 's/^guest counted //p' $work/err)"
status_of "registers" 0 registers 1
status_of "async-many" 0 async-many --guest $guests/sha256.bin --input $work/input
is "three digests from one thread" "$(grep -c "$(digest $work/input)" $work/out)" 3
status_of "epoll" 0 epoll 1 $guests/sha256.bin $work/input
is "its digest, beside a timer" "$(grep -oE '[0-9a-f]{64}' $work/out)" "$(digest $work/input)"
status_of "borrowed-ring" 0 borrowed-ring 2 $guests/sha256.bin $work/input
is "its digest, from the caller's ring" "$(grep -oE '[0-9a-f]{64}' $work/out)" \
	"$(digest $work/input)"
is "the same ring has read the file" "$(grep -c "bytes=$(wc -c <$work/input)\$" $work/err)" 1
is "and its timer has run" "$(grep -c 'ticks=[1-9]' $work/err)" 1
status_of "save-restore" 0 save-restore 1 2 3 $guests/sha256.bin $work/input
is "its digest, from two CPUs by turns" "$(grep -oE '[0-9a-f]{64}' $work/out)" \
	"$(digest $work/input)"
is "it has moved" "$(grep -c 'moves=[1-9]' $work/err)" 1

# ---- errors --------------------------------------------------------------------------------------

status_of "no guest file" 1 run-vp $work/absent.bin
says "it names the file" "absent.bin"
status_of "an image larger than its memory" 1 run-vp --memory 32K $guests/sha256.bin
says "it names size and room" "the guest's memory of 32768 bytes has room for 0"
status_of "memory that is no multiple of a page" 1 run-vp --memory 2000001 $guests/hello16.bin
says "it names the value and the rule" "memory of 2000001 bytes: it must be a multiple of 4096"
status_of "a CPU outside every node" 1 run-vp --cpu 77 $guests/hello16.bin
says "it names the CPU" "CPU 77"
status_of "a CPU that is Linux's" 1 run-vp --cpu 0 $guests/hello16.bin
says "it names that CPU" "CPU 0"
run-vp --cpu 2 $guests/loop.bin 2>/dev/null &
sleep 1
status_of "a CPU that is taken" 1 run-vp --cpu 2 $guests/hello16.bin
says "it names the taken CPU" "CPU 2"
killall -TERM run-vp
wait
status_of "it is free afterwards" 0 run-vp --cpu 2 --input $work/input $guests/hello16.bin
status_of "a triple fault" 3 run-vp $guests/triple.bin
status_of "unmapped memory" 3 run-vp $guests/unmapped.bin
says "it names the address" "0xc0000000"
status_of "a deadline" 4 run-vp --timeout-ms 100 $guests/loop.bin
status_of "a word that is no option" 2 run-vp --nonsense $guests/hello16.bin

# Root may lock what it likes, so somebody else must ask.
echo 'vmm:x:1000:1000::/:/bin/sh' >>/etc/passwd
chmod 666 /dev/mshv_vtl_sidecar0
status_of "too little RLIMIT_MEMLOCK" 1 \
	su vmm -c "ulimit -l 1024; exec run-vp --memory 4M $guests/hello16.bin"
says "it names limit and need" "RLIMIT_MEMLOCK.*1048576.*4194304\|4194304.*RLIMIT_MEMLOCK.*1048576"
status_of "an ordinary user with enough of it" 0 \
	su vmm -c "ulimit -l 8192; exec run-vp --memory 4M --input $work/input $guests/hello16.bin"

check "rmmod" rmmod sidecar
done_testing

# SPDX-License-Identifier: MIT
# The demo, as it runs in the VM: four CPUs, of which Linux has started one. scripts/demo boots it.
#
#   sh demo.sh [--corrupt]     the last line is "demo: ok …" or "demo: FAILED …"
# shellcheck shell=sh

guests=/usr/share/sidecar/guests
cpus=/sys/devices/system/cpu
work=/tmp/demo
corrupt=$1
parameters=

fail() {
	echo "demo: FAILED $*"
	exit 1
}

step() {
	printf '\n== %s\n' "$*"
}

# The driver's count of a CPU's exits; a converted CPU keeps what it had.
driver_exits() {
	sum=0
	for cpu; do
		file=$(echo /sys/class/misc/mshv_vtl_sidecar*/cpu"$cpu"/exits)
		count=$(awk '$1 == "total" { print $2 }' "$file") || return 1
		sum=$((sum + count))
	done
	echo "$sum"
}

# The guests' own count, which each told through a port before it halted. An endless loop has none.
guest_exits() {
	sed -n 's/^guest counted //p' "$work"/*.err | awk '{ n += $1 } END { print n + 0 }'
}

# start NAME CPU GUEST OPTION…: a VP in the background; its output and status in files of that name.
start() {
	name=$1 cpu=$2 guest=$3
	shift 3
	(
		run-vp --cpu "$cpu" "$@" "$guests/$guest" >"$work/$name.out" 2>"$work/$name.err"
		echo $? >"$work/$name.status"
	) &
}

running() {
	for name; do
		[ ! -e "$work/$name.status" ] || return 1
	done
}

# Linux must not notice the sidecar CPUs: offline, and no line of a CPU being booted.
check_linux_has_only_cpu0() {
	for cpu in 1 2 3; do
		[ "$(cat $cpus/cpu$cpu/online)" = 0 ] || fail "CPU $cpu is online in Linux"
	done
	if dmesg | grep -E 'smpboot: Booting Node|Booting Node .* Processor'; then
		fail "the kernel log has a boot line of a sidecar CPU"
	fi
}

show_digest() {
	name=$1 file=$2
	[ "$(cat "$work/$name.status")" = 0 ] ||
		fail "the VP of $file ended with $(cat "$work/$name.status"): $(cat "$work/$name.err")"
	got=$(grep -oE '[0-9a-f]{64}' "$work/$name.out")
	wanted=$(sha256sum "$file" | cut -d' ' -f1)
	echo "$file: $(wc -c <"$file") bytes, $(tail -n 1 "$work/$name.err")"
	echo "  guest     $got"
	echo "  sha256sum $wanted"
	[ "$got" = "$wanted" ] || fail "the digest of $file is '$got', sha256sum says $wanted"
}

hash_three_files() {
	step "three VPs at once: a file of the system, an empty file, a random file made now"
	: >"$work/empty"
	dd if=/dev/urandom of="$work/random" bs=4096 count=64 2>/dev/null
	start system 1 sha256.bin --input /bin/busybox
	start empty 2 sha256.bin --input "$work/empty"
	start random 3 sha256.bin --input "$work/random" ${corrupt:+"$corrupt"}
	check_linux_has_only_cpu0
	wait
	show_digest system /bin/busybox
	show_digest empty "$work/empty"
	show_digest random "$work/random"
}

cancel_endless_loop() {
	step "a guest in an endless loop, cancelled after 500 ms"
	start endless 2 loop.bin --timeout-ms 500
	sleep 0.2
	running endless || fail "the endless guest ended by itself: $(cat "$work/endless.err")"
	check_linux_has_only_cpu0
	wait
	cat "$work/endless.err"
	grep -q cancelled "$work/endless.err" || fail "the endless guest was not cancelled"
}

convert_cpu2() {
	step "CPU 2 becomes a Linux CPU while CPUs 1 and 3 run guests"
	start one 1 loop.bin
	start three 3 loop.bin
	sleep 0.5
	running one three || fail "a guest ended early: $(cat "$work/one.err" "$work/three.err")"
	check_linux_has_only_cpu0
	exits_of_cpu2=$(driver_exits 2) || fail "no exit counters of CPU 2"
	echo 1 >$cpus/cpu2/online || fail "CPU 2 cannot be converted"
	running one three || fail "a guest did not survive the conversion of CPU 2"
	[ "$(cat $cpus/online)" = 0,2 ] || fail "online CPUs are $(cat $cpus/online), not 0,2"
	where=$(taskset 4 awk '{ print $39 }' /proc/self/stat)
	echo "online: $(cat $cpus/online); a program pinned to CPU 2 runs on CPU $where"
	[ "$where" = 2 ] || fail "a program pinned to CPU 2 runs on CPU $where"
	[ "$(taskset 4 sha256sum <"$work/random")" = "$(sha256sum <"$work/random")" ] ||
		fail "CPU 2 computes another digest"
	running one three || fail "a guest ended before its time"
	killall -TERM run-vp
	wait
	grep -q cancelled "$work/one.err" || fail "CPU 1: $(cat "$work/one.err")"
	grep -q cancelled "$work/three.err" || fail "CPU 3: $(cat "$work/three.err")"
}

compare_counts() {
	step "exits, counted by the driver and by the guests"
	others=$(driver_exits 1 3) || fail "no exit counters of CPUs 1 and 3"
	by_driver=$((others + exits_of_cpu2))
	by_guests=$(guest_exits)
	echo "driver $by_driver, guests $by_guests"
	[ "$by_driver" = "$by_guests" ] ||
		fail "the driver counted $by_driver exits, the guests $by_guests"
	[ "$by_driver" -gt 0 ] || fail "no exit was counted"
}

rm -rf "$work"
mkdir -p "$work"
step "Linux: $(uname -r), CPUs present $(cat $cpus/present), online $(cat $cpus/online)"
# A boot shim has chosen the CPUs, and started them, before Linux.
grep -q sidecar.handover= /proc/cmdline || parameters=cpus=1-3
insmod "/lib/modules/$(uname -r)/sidecar.ko" $parameters || fail "sidecar.ko does not load"
step "the nodes"
list-nodes || fail "list-nodes ended with $?"
hash_three_files
cancel_endless_loop
convert_cpu2
compare_counts
echo
echo "demo: ok vps=3 exits=$by_driver converted=1"

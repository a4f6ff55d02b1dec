# SPDX-License-Identifier: MIT
# World H: the shim runs in VTL2 of the test hypervisor, the kernel starts its CPUs by hypercall,
# and guests run in VTL0.
. ./lib/tap.sh
. ./lib/driver.sh

guest=/usr/share/sidecar/guests/sha256-long.bin
handover=$(sed -n 's/.*sidecar\.handover=\(0x[0-9a-f]*\).*/\1/p' /proc/cmdline)
debug=/sys/kernel/debug/sidecar/node0

# count CPU FILE [KIND]: what a CPU's state page has counted.
count() {
	awk -v kind="$3" 'kind == "" { print } $1 == kind { print $2 }' \
		"/sys/class/misc/mshv_vtl_sidecar0/cpu$1/$2"
}

# rises NAME BEFORE CPU FILE [KIND]
rises() {
	rises_now=$(count "$3" "$4" "$5")
	[ "$rises_now" -gt "$2" ]
	result $? "$1"
	diag "from $2 to $rises_now"
}

# hash NAME CPU FILE: a guest computes the digest of a file.
hash() {
	hyperv_guest "$2" "$guest" "$3" >/tmp/hash.out 2>/tmp/hash.err
	is "$1: it ends well" "$?" 0
	is "$1: its digest" "$(grep -oE '[0-9a-f]{64}' /tmp/hash.out)" \
		"$(sha256sum <"$3" | cut -d' ' -f1)"
	diag "$(tail -n 1 /tmp/hash.out) $(cat /tmp/hash.err)"
}

is "Linux has one CPU" "$(online)" 0
mark
check "the module finds the handover" insmod_sidecar
is "three CPUs are adopted" "$(said | grep -c '3 CPUs in 1 nodes adopted')" 1
is "they answer" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "

is "each CPU has a state page: commands are counted" \
	"$(count 1 commands) $(count 2 commands) $(count 3 commands)" "2 2 2"
is "and the log has the CPU's word" "$(cat $debug/cpu2/log)" "VP 2: ready"
entries=$(count 1 entries)
io=$(count 1 exits io)

echo 16 >/proc/sys/vm/nr_hugepages
: >/tmp/empty
dd if=/dev/urandom of=/tmp/random bs=4096 count=64 2>/dev/null
hash "a random file" 1 /tmp/random
rises "its entries are counted" "$entries" 1 entries
rises "and its port intercepts" "$io" 1 exits io
is "nobody else has any" "$(count 3 exits io)" 0
hash "an empty file" 2 /tmp/empty
hash "a file of the system" 3 /bin/busybox
is "an endless loop is cancelled" "$(hyperv_guest 1 loop 2>&1)" cancelled

hyperv_guest 1 loop >/tmp/loop 2>&1 &
check "CPU 2 becomes Linux's while CPU 1 runs a guest" set_online 2 1
check "a program runs on it" taskset 4 true
wait
is "the guest did not mind" "$(cat /tmp/loop)" cancelled
is "the others stay" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ENOENT 3:ok "
is "CPUs do not move here but by Linux's own means" \
	"$(driver_vp take 2) $(driver_vp give 1) $(driver_vp reset 3)" \
	"2:EOPNOTSUPP 1:EOPNOTSUPP 3:EOPNOTSUPP"
is "nothing has happened" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ENOENT 3:ok "
check "rmmod" rmmod sidecar
set_online 2 0

# INIT and SIPI from VTL2 are what the test hypervisor offers beyond Hyper-V.
for round in 1 2; do
	mark
	check "round $round: the module loads again" insmod_sidecar
	is "round $round: all are back" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	hash "round $round: a file" "$round" /bin/busybox
	check "round $round: rmmod" rmmod sidecar
done

check "the module loads" insmod_sidecar
is "no fault yet" "$(cat $debug/cpu3/fault)" none
check "CPU 3 loses its command page" hyperv_fault "$handover" 3
mark
driver_vp none 0 3 >/tmp/fault
is "its next command fails" "$(cat /tmp/fault)" "3:ETIMEDOUT"
is "the module says why" "$(said | grep -c 'CPU 3 took a fault in the sidecar kernel')" 1
is "the report is readable: a page fault" "$(grep -c '^vector 14 ' $debug/cpu3/fault)" 1
is "at the command page" "$(grep -c ' cr2 0xffffff8000201000$' $debug/cpu3/fault)" 1
is "the log has it, too" "$(grep -c '^VP 3: exception 14 ' $debug/cpu3/log)" 1
is "the hypervisor got a crash report" "$(hyperv_fault forgive)" 1
is "it stays failed, the others answer" "$(driver_vp none 0 | tr '\n' ' ')" \
	"1:ok 2:ok 3:ETIMEDOUT "
diag "$(cat $debug/cpu3/fault | head -n 3)"
check "rmmod" rmmod sidecar
done_testing

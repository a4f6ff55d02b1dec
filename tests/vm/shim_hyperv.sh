# SPDX-License-Identifier: MIT
# World H: the shim runs in VTL2 of the test hypervisor, the kernel starts its CPUs by hypercall,
# and guests run in VTL0.
. ./lib/tap.sh
. ./lib/driver.sh

guest=/usr/share/sidecar/guests/sha256-long.bin

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

echo 16 >/proc/sys/vm/nr_hugepages
: >/tmp/empty
dd if=/dev/urandom of=/tmp/random bs=4096 count=64 2>/dev/null
hash "a random file" 1 /tmp/random
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
done_testing

# SPDX-License-Identifier: MIT
# An ordinary user, in the group of the devices and outside it. No udev runs here: what its rule
# says is done by hand, from the rule's own text.
. ./lib/tap.sh
. ./lib/driver.sh
. ./lib/ctl.sh

guests=/usr/share/sidecar/guests
rule=$(grep -v '^#' /usr/lib/udev/rules.d/60-sidecar.rules)
device=/dev/mshv_vtl_sidecar0

# setting NAME: its value in the rule.
setting() {
	echo "$rule" | tr ',' '\n' | sed -n "s/^ *$1==*\"\(.*\)\"$/\1/p"
}

# as USER NAME STATUS COMMAND: ctl() as somebody else, who may lock 8 MiB.
as() {
	as_user=$1
	as_name=$2
	as_wanted=$3
	shift 3
	su "$as_user" -c "ulimit -l ${locked:-8192}; exec $*" >$work/out 2>$work/err
	as_status=$?
	is "$as_name" $as_status "$as_wanted"
	[ $as_status = "$as_wanted" ] || diag "$(cat $work/out $work/err)"
}

group=$(setting GROUP)
cat >>/etc/passwd <<-EOF
	member:x:1001:1001::/:/bin/sh
	stranger:x:1002:1002::/:/bin/sh
EOF
cat >/etc/group <<-EOF
	root:x:0:
	member:x:1001:
	stranger:x:1002:
	$group:x:990:member
EOF

check "the module loads" insmod_sidecar cpus=1-3
is "root's alone at first" "$(stat -c '%a %u %g' $device)" "600 0 0"
as member "nobody else opens it" 4 sidecarctl run $guests/hello16.bin
# shellcheck disable=SC2254
case ${device#/dev/} in
$(setting KERNEL))	result 0 "the rule is for this device" ;;
*)			result 1 "the rule is for this device" ;;
esac
is "its subsystem too" "$(basename "$(readlink -f /sys/class/misc/mshv_vtl_sidecar0/subsystem)")" \
	"$(setting SUBSYSTEM)"
check "its group is the rule's" chgrp "$group" $device
check "its mode is the rule's" chmod "$(setting MODE)" $device

# ---- in the group --------------------------------------------------------------------------------

as member "a member of the group has no capability" 0 grep CapEff: /proc/self/status
answers "none at all" "0000000000000000$"
as member "a guest" 0 sidecarctl run $guests/hello16.bin
answer_is "its greeting" "hello from 16-bit real mode"
as member "every node and CPU" 0 list-nodes
is "three are idle" "$(grep -c 'cpu [123]: idle' $work/out)" 3
locked=1024
as member "a guest that is too large to lock" 1 sidecarctl run $guests/hello16.bin
complains "limit and need" "RLIMIT_MEMLOCK is 1048576 bytes.*2097152"
locked=
for command in take give reset; do
	as member "$command" 4 sidecarctl $command 1
	no_answer "no answer"
	complains "the errno, and what it takes" "Operation not permitted: it takes CAP_SYS_ADMIN"
done
is "CPU 1 is where it was" "$(state_of 1) $(online)" "idle 0"
as member "the log is root's" 4 sidecarctl log 1
complains "the errno of the log" "Permission denied"

# ---- outside it ----------------------------------------------------------------------------------

as stranger "a stranger's guest" 4 sidecarctl run $guests/hello16.bin
complains "the errno of the device" "Permission denied"
no_answer "no answer for a stranger"
for command in take give reset; do
	as stranger "$command of a stranger" 4 sidecarctl $command 1
	complains "device and errno" "$device: Permission denied"
done
as stranger "status is for everybody" 0 sidecarctl status
is "with every CPU" "$(grep -c ' idle ' $work/out)" 3

check "rmmod" rmmod sidecar
done_testing

# SPDX-License-Identifier: MIT
# In the VM: runs test programs one after the other, each on a machine as it was after boot.
#
#   sh run-tests.sh NAME[@SECONDS]…     NAME.sh here, or /bin/NAME
#
# scripts/tally reads the "# program" and "# status" lines.
# shellcheck shell=sh

tests=/usr/lib/sidecar/tests
trouble='BUG:|WARNING:|Oops|general protection|Call Trace:|refcount_t:|list_(add|del) corruption'
trouble="$trouble|detected stalls|self-detected stall|soft lockup|blocked for more than"
online_at_boot=$(cat /sys/devices/system/cpu/online)
failed=0

run_program() {
	if [ -f "$tests/$1.sh" ]; then
		timeout -s KILL "$2" sh "$tests/$1.sh"
	else
		timeout -s KILL "$2" "$1"
	fi
}

# Linux's complaints during the test are a failure of the test.
kernel_complained() {
	dmesg -c >/tmp/dmesg
	grep -E "$trouble" /tmp/dmesg >/tmp/trouble || return 1
	echo "# Linux complained:"
	sed 's/^/# /' /tmp/dmesg
}

give_back_cpus() {
	for cpu in /sys/devices/system/cpu/cpu[1-9]*; do
		[ "$(cat /sys/devices/system/cpu/online)" = "$online_at_boot" ] && return
		[ "$(cat "$cpu/online")" = 0 ] || echo 0 >"$cpu/online"
	done
}

reset_machine() {
	if [ -d /sys/module/sidecar ]; then
		timeout 30 rmmod sidecar || { echo "# sidecar.ko cannot be removed"; return 1; }
	fi
	give_back_cpus
}

dmesg -c >/dev/null
cd "$tests" || exit 1
for item; do
	name=${item%@*}
	case $item in
	*@*)	seconds=${item#*@} ;;
	*)	seconds=60 ;;
	esac
	[ -z "$SIDECAR_TEST_LONG" ] || seconds=$((seconds * 30))
	echo "# program $name"
	run_program "$name" "$seconds"
	status=$?
	echo
	[ $status -le 128 ] || echo "# $name was ended by signal $((status - 128)) (limit $seconds s)"
	reset_machine || status=200
	! kernel_complained || status=201
	echo "# status $name $status"
	[ $status = 0 ] || failed=1
done
exit $failed

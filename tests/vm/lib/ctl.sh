# SPDX-License-Identifier: MIT
# For the tests of sidecarctl: one run, its exit status, and what went where.
# shellcheck shell=sh

work=/tmp/ctl
mkdir -p $work

# ctl NAME STATUS ARGUMENT…: sidecarctl ends with it; its texts stay in $work/out and $work/err.
ctl() {
	ctl_name=$1
	ctl_wanted=$2
	shift 2
	sidecarctl "$@" >$work/out 2>$work/err
	ctl_status=$?
	is "$ctl_name" $ctl_status "$ctl_wanted"
	[ $ctl_status = "$ctl_wanted" ] || diag "$(cat $work/out $work/err)"
}

# The answer of the last one, or its complaint, has a line with this text in it.
answers() {
	is "$1" "$(grep -c -- "$2" $work/out)" 1
}

complains() {
	is "$1" "$(grep -c -- "$2" $work/err)" 1
}

# A whole answer, which is one line.
answer_is() {
	is "$1" "$(cat $work/out)" "$2"
}

# Nothing went to the stream that is not meant for it.
no_complaint() {
	is "$1" "$(cat $work/err)" ""
}

no_answer() {
	is "$1" "$(cat $work/out)" ""
}

# Of a CPU of any node.
state_of() {
	cat /sys/class/misc/mshv_vtl_sidecar*/cpu"$1"/state
}

# until_busy CPU: somebody's guest is there, however slow this machine is.
until_busy() {
	until_left=300
	until [ "$(state_of "$1")" = busy ] || [ $until_left = 0 ]; do
		sleep 0.1
		until_left=$((until_left - 1))
	done
}

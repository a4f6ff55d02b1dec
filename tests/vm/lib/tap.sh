# SPDX-License-Identifier: MIT
# TAP for the shell tests of this folder (busybox sh). The plan comes last, so that a script that
# dies half-way has none, which is a failure.
# shellcheck shell=sh

tap_count=0
tap_failed=0

# result STATUS NAME
result() {
	tap_count=$((tap_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
	fi
}

# check NAME COMMAND…: the command must succeed. What it prints is shown if it does not.
check() {
	tap_name=$1
	shift
	tap_output=$("$@" 2>&1)
	tap_status=$?
	result $tap_status "$tap_name"
	[ $tap_status = 0 ] || diag "'$*' ended with $tap_status: $tap_output"
}

# refuse NAME TEXT COMMAND…: the command must fail and say TEXT (a basic regular expression).
refuse() {
	tap_name=$1
	tap_text=$2
	shift 2
	tap_output=$("$@" 2>&1)
	tap_status=$?
	if [ $tap_status != 0 ] && echo "$tap_output" | grep -q -- "$tap_text"; then
		result 0 "$tap_name"
	else
		result 1 "$tap_name"
		diag "'$*' ended with $tap_status; wanted '$tap_text' in: $tap_output"
	fi
}

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then
		result 0 "$1"
	else
		result 1 "$1"
		diag "got '$2', wanted '$3'"
	fi
}

# at_least NAME GOT MINIMUM
at_least() {
	if [ "$2" -ge "$3" ] 2>/dev/null; then
		result 0 "$1"
	else
		result 1 "$1"
		diag "got '$2', wanted at least $3"
	fi
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# The last line of every test.
done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}

# Loads the module with parameters; the firmware loader finds the sidecar kernel in /lib/firmware.
insmod_sidecar() {
	insmod "/lib/modules/$(uname -r)/sidecar.ko" "$@"
}

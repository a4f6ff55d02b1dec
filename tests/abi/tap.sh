# SPDX-License-Identifier: MIT
# TAP for the shell tests that run on the host. Sourced; the script prints the plan when it is done.
# shellcheck shell=bash

count=0

# verdict NAME COMMAND…: one case. What the command prints is shown if it fails.
verdict() {
	local name=$1 text
	shift
	count=$((count + 1))
	if text=$("$@" 2>&1); then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		printf '%s\n' "$text" | sed 's/^/# /'
	fi
}

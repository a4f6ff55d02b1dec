#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: rules.sh FILE . The udev rule says what udev understands.
set -u
. "$(dirname "$0")/../../abi/tap.sh"
rules=$1

# Matches are made with ==, settings with =; see udev(7).
plain() {
	! grep -v '^#' "$rules" | tr ',' '\n' | sed 's/^ *//' |
		grep -vE '^(SUBSYSTEM|KERNEL)=="[^"]+"$|^(GROUP|MODE)="[^"]+"$'
}

mode() {
	grep -q ', MODE="0660"$' "$rules"
}

verdict "every word is a match or a setting" plain
verdict "the group may write, and nobody else" mode
if udevadm verify --help >/dev/null 2>&1; then
	verdict "udevadm has nothing to say" udevadm verify "$rules"
fi
echo "1..$count"

# SPDX-License-Identifier: MIT
# On the host, for the tests whose VM ends in their middle: NAME.ended goes on where NAME.sh, in the
# VM, stopped. $1 is the folder with the logs.
# shellcheck shell=sh
. ./lib/tap.sh

console=$1/console.log
tap_count=$(grep -cE '^(not )?ok ' "$1/output.log")
tap_failed=$(grep -c '^not ok ' "$1/output.log")

# How many of the console's lines hold the text.
lines() {
	grep -cF -- "$1" "$console"
}

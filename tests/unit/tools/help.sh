#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: help.sh SIDECARCTL PAGE . What sidecarctl says of itself is what its man page says.
set -u
. "$(dirname "$0")/../../abi/tap.sh"
program=$1 page=$2
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

same() {
	[ -s "$1" ] && diff -u "$1" "$2"
}

"$program" --help >"$scratch/help"
grep -oE '(^|[ [])--[a-z]+' "$scratch/help" | tr -d ' [' | sort -u >"$scratch/options"
grep -oE '(Fl|\|) -[a-z]+' "$page" | sed 's/.* -/--/' | sort -u >"$scratch/options-of-page"
sed -n 's/^  \([a-z]*\) *.*/\1/p' "$scratch/help" | grep . | sort -u >"$scratch/commands"
sed -n '/^\.Sh SYN/,/^\.Sh DESC/s/^\.Cm //p' "$page" | tr -d ' ' | tr '|' '\n' |
	sort >"$scratch/commands-of-page"
grep -oE '\b[0-9]+ [a-z]' "$scratch/help" | cut -d' ' -f1 | sort -n >"$scratch/statuses"
sed -n 's/^\.It \([0-9]*\)$/\1/p' "$page" | sort -n >"$scratch/statuses-of-page"
verdict "the same commands" same "$scratch/commands" "$scratch/commands-of-page"
verdict "the same options" same "$scratch/options" "$scratch/options-of-page"
verdict "the same exit statuses" same "$scratch/statuses" "$scratch/statuses-of-page"
echo "1..$count"

#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: check.sh SOURCE-DIR. The mutants are complete and still apply; scripts/test --mutants says
# whether their tests see them.
set -u
. "$(dirname "$0")/../abi/tap.sh"
root=$1

headers() {
	local name

	for name in Rule Suite Test; do
		[ "$(sed -n "/^---/q; /^$name: ./p" "$1" | wc -l)" = 1 ] ||
			{ echo "has not one line \"$name: …\""; return 1; }
	done
}

# Applies without fuzz, to the files as they are.
applies() {
	headers "$1" && patch --dry-run -s -p1 -F0 -d "$root" <"$1"
}

for patch in "$root"/tests/broken/*.patch; do
	verdict "$(basename "$patch") applies" applies "$patch"
done
for rule in R{1..17}; do
	verdict "$rule has a mutant" grep -q "^Rule: $rule\$" "$root"/tests/broken/*.patch
done
echo "1..$count"

#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: probes.sh LIBRARY SOURCE-DIR HAS-PROBES. The library has its probes, or none, as configured;
# and a file compiled without them has none in its object code, however it is called.
set -u
. "$(dirname "$0")/tap.sh"
library=$1 source=$2 configured=$3
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# The names of its probes, one a line.
probes_of() {
	readelf -n "$1" 2>/dev/null |
		awk '$1 == "Provider:" { ours = $2 == "sidecar" } ours && $1 == "Name:" { print $2 }' |
		sort -u
}

has_none() {
	[ -z "$(probes_of "$1")" ] && ! readelf -SW "$1" | grep -q stapsdt
}

has_all() {
	diff <(printf '%s\n' cancel report start turn) <(probes_of "$1")
}

compile() {
	cc -std=gnu11 -O2 -D_GNU_SOURCE "-DSIDECAR_PROBES=$1" -I "$source/include" \
		-I "$source/libsidecar" -c "$source/libsidecar/trace.c" -o "$scratch/$1.o"
}

without() {
	compile 0 && has_none "$scratch/0.o"
}

with() {
	compile 1 && probes_of "$scratch/1.o" | grep -qx start
}

if [ "$configured" = 1 ]; then
	verdict "the library has its probes" has_all "$library"
	verdict "object code compiled with them has them" with
else
	verdict "the library has no probes" has_none "$library"
fi
verdict "object code compiled without them has none" without
echo "1..$count"

#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: symbols.sh LIBRARY MAP INCLUDE-DIR VERSION. What the library exports, what its symbol map
# names and what its headers declare is one list.
set -u
. "$(dirname "$0")/tap.sh"
library=$1 map=$2 include=$3 version=$4
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# Functions and data; the version nodes themselves are absolute symbols.
exported() {
	nm -D --defined-only --format=posix "$library" | awk '$2 != "A" { sub(/@.*/, "", $1); print $1 }' |
		sort
}

mapped() {
	sed 's|/\*.*\*/||' "$map" | tr -s ' \t\n;' '\n' | grep '^sidecar_' | sort
}

# Prototypes only: an inline function has no symbol.
declared() {
	for path in "$include"/sidecar/*.h; do
		printf '#include <sidecar/%s>\n' "${path##*/}" | cc -E -P -I "$include" -
	done | tr '\n' ' ' | sed 's/[;{}]/&\n/g' | grep -v 'static' |
		grep -oE '\bsidecar_[a-z0-9_]+ *\([^;{]*\)[^;{]*;' | sed 's/ *(.*//' | sort -u
}

same() {
	[ -s "$1" ] || { echo "$1 is empty"; return 1; }
	diff --label "${1##*/}" --label "${2##*/}" -u "$1" "$2"
}

# Every stanza is named after a release, and only the last one may be new.
stanzas() {
	grep -oE '^[A-Z]+_[0-9.]+ *\{' "$map" || { echo "no stanza LIBSIDECAR_x.y in $map"; return 1; }
	grep -qE '^[[:space:]]*local:' "$map" || { echo "no local: in $map"; return 1; }
	grep -qE 'local: *\*|^[[:space:]]*\*;' "$map" ||
		{ echo "local: does not hide the rest"; return 1; }
}

soname() {
	readelf -d "$library" | grep -F "Library soname: [libsidecar.so.${version%%.*}]" ||
		{ readelf -d "$library" | grep soname; return 1; }
}

# Only system libraries, and liburing and libnuma.
needed() {
	local extra

	extra=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vE '^(libc|liburing|libnuma|ld-linux-x86-64|libasan|libubsan|libtsan)\.so')
	[ -z "$extra" ] || { echo "unexpected: $extra"; return 1; }
}

endings='abort|exit|_exit|_Exit|quick_exit|__assert_fail|err|errx|verr|verrx'
prints='(__)?v?f?printf(_chk)?|puts|putchar|perror|warn|warnx|syslog|stdout|stderr|fputs|fwrite'

# A library neither prints nor ends its caller.
quiet() {
	local found

	found=$(nm -D --undefined-only --format=posix "$library" |
		awk '{ sub(/@.*/, "", $1); print $1 }' | grep -xE "$endings|$prints")
	[ -z "$found" ] || { echo "uses $found"; return 1; }
}

exported >"$scratch/exported"
mapped >"$scratch/mapped"
declared >"$scratch/declared"
verdict "exported symbols are those of the map" same "$scratch/mapped" "$scratch/exported"
verdict "exported symbols are those that headers declare" same "$scratch/declared" \
	"$scratch/exported"
verdict "the map has stanzas, and hides the rest" stanzas
verdict "soname" soname
verdict "needs only what it says" needed
verdict "R15: never prints, exits or aborts" quiet
echo "1..$count"

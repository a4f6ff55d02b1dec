#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: headers.sh INCLUDE-DIR. Each installed header compiles alone, and twice, in C11 and C++17.
set -u
. "$(dirname "$0")/tap.sh"
include=$1
warnings=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only)
cc=${CC:-cc} cxx=${CXX:-c++}

compile() {
	local language=$1 standard=$2 compiler=$3 header=$4

	printf '#include <sidecar/%s>\n#include <sidecar/%s>\n' "$header" "$header" |
		"$compiler" -x "$language" "-std=$standard" "${warnings[@]}" -I "$include" -
}

# The same must reject a header that needs another one, or these cases prove nothing.
rejects() {
	local scratch status

	scratch=$(mktemp -d)
	mkdir "$scratch/sidecar"
	echo 'static inline uint32_t needs_a_header(void) { return 0; }' >"$scratch/sidecar/broken.h"
	include=$scratch compile "$@" broken.h >/dev/null 2>&1
	status=$?
	rm -r "$scratch"
	[ $status -ne 0 ]
}

for path in "$include"/sidecar/*.h; do
	header=${path##*/}
	verdict "$header in C11" compile c c11 "$cc" "$header"
	verdict "$header in C++17" compile c++ c++17 "$cxx" "$header"
done
verdict "a header that does not stand alone is rejected in C11" rejects c c11 "$cc"
verdict "a header that does not stand alone is rejected in C++17" rejects c++ c++17 "$cxx"
echo "1..$count"

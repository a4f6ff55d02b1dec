#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: consumer.sh BUILD-DIR SOURCE-DIR. Installs into a scratch tree, as a packager does, and is
# then a stranger: compiler and pkg-config know nothing but that tree.
set -u
. "$(dirname "$0")/tap.sh"
build=$1 source=$2
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

install_tree() {
	meson install -C "$build" --no-rebuild --destdir "$scratch/root" &&
		find "$scratch/root" -name sidecar.pc | grep .
}

package() {
	local pc
	pc=$(find "$scratch/root" -name sidecar.pc)
	PKG_CONFIG_SYSROOT_DIR=$scratch/root PKG_CONFIG_LIBDIR=${pc%/*}:$(pkg-config --variable \
		pc_path pkg-config) pkg-config "$@" sidecar
}

libraries() {
	dirname "$(find "$scratch/root" -name libsidecar.so)"
}

# build NAME COMPILER FLAGS…: flags come from the package alone.
build_program() {
	local output=$1
	shift
	# shellcheck disable=SC2046
	"$@" -Wall -Wextra -Wpedantic -Werror $(package --cflags) \
		-o "$scratch/$output" $(package --libs)
}

run() {
	LD_LIBRARY_PATH=$(libraries) "$scratch/$1"
}

all_headers() {
	local path installed

	for path in "$source"/include/sidecar/*.h; do
		installed=$(find "$scratch/root" -path "*/include/sidecar/${path##*/}")
		cmp "$path" "$installed" || return 1
	done
}

versions() {
	local want
	want=$(meson introspect "$build" --projectinfo | sed 's/.*"version": "\([^"]*\)".*/\1/')
	[ "$(package --modversion)" = "$want" ] || { package --modversion; return 1; }
}

links() {
	local dir
	dir=$(libraries)
	[ -L "$dir/libsidecar.so" ] && [ -e "$dir/libsidecar.so.0" ] || { ls -l "$dir"; return 1; }
}

# Without the shared library: the package says what else is needed.
build_static() {
	local pc
	pc=$(find "$scratch/root" -name sidecar.pc)
	package --print-requires-private | grep -q liburing &&
		package --print-requires-private | grep -qx numa || return 1
	# shellcheck disable=SC2046
	cc -std=c11 -Wall -Wextra -Werror $(package --cflags) -o "$scratch/static" \
		"$source/tests/abi/consumer.c" "${pc%/pkgconfig/*}/libsidecar.a" \
		$(package --static --libs | sed 's/-lsidecar//g')
}

# A program may use any name that is not the library's.
hides() {
	local names
	names=$(nm -g --defined-only --format=posix "$(find "$scratch/root" -name libsidecar.a)" |
		awk 'NF > 2 && $1 !~ /^sidecar_/ { print $1 }')
	[ -z "$names" ] || { echo "$names"; return 1; }
}

# A stranger's meson project that has this one in subprojects/.
subproject() {
	mkdir -p "$scratch/super/subprojects" &&
		ln -s "$source" "$scratch/super/subprojects/libsidecar" &&
		cp "$source/tests/abi/consumer.c" "$scratch/super" || return 1
	cat >"$scratch/super/meson.build" <<-EOF
	project('super', 'c', 'cpp', version: '9')
	sidecar = dependency('sidecar', fallback: 'libsidecar')
	executable('consumer', 'consumer.c', dependencies: sidecar)
	EOF
	env -u PKG_CONFIG_PATH meson setup --wrap-mode=forcefallback "$scratch/super-build" \
		"$scratch/super" && ninja -C "$scratch/super-build" consumer &&
		"$scratch/super-build/consumer"
}

example_tree() {
	local pc
	pc=$(find "$scratch/root" -name sidecar.pc)
	PKG_CONFIG_SYSROOT_DIR=$scratch/root PKG_CONFIG_PATH=${pc%/*} \
		meson setup "$scratch/examples" "$source/examples" &&
		ninja -C "$scratch/examples"
}

verdict "installs" install_tree
verdict "all headers are installed" all_headers
verdict "pkg-config knows the version" versions
verdict "soname links" links
verdict "a C11 consumer builds" build_program c cc -std=c11 "$source/tests/abi/consumer.c"
verdict "the C11 consumer runs" run c
verdict "a C++17 consumer builds" build_program cxx c++ -std=c++17 -x c++ \
	"$source/tests/abi/consumer.c" -x none
verdict "the C++17 consumer runs" run cxx
verdict "a consumer builds with the static library" build_static
verdict "the static consumer runs" run static
verdict "the static library hides what is not exported" hides
verdict "the examples build" example_tree
verdict "usable as a meson subproject" subproject
echo "1..$count"

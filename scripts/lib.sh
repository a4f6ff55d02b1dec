# SPDX-License-Identifier: MIT
# Functions shared by the scripts of this folder and by tests/vm/run. Sourced, never run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build}

build_packages=(gcc g++ libc6-dev make meson ninja-build pkg-config liburing-dev libnuma-dev
		libcmocka-dev systemtap-sdt-dev mandoc patch)
vm_packages=(qemu-system-x86 linux-image-cloud-amd64 linux-headers-cloud-amd64 busybox-static
	     cpio kmod)
lint_packages=(sparse cppcheck)

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 2
}

package_installed() {
	[ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "'$*' needs root, and sudo is not installed"
	fi
}

# Installs those of the named Debian packages that are missing; with none missing it does nothing.
need_packages() {
	local missing=() name

	command -v dpkg-query >/dev/null || die "this is not a Debian system; needed: $*"
	for name; do
		package_installed "$name" || missing+=("$name")
	done
	[ ${#missing[@]} = 0 ] && return

	say "installing ${missing[*]}"
	as_root apt-get -qq update >&2
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -y --no-install-recommends install "${missing[@]}" >&2 ||
		die "cannot install ${missing[*]}"
}

# The shared libraries that programs need, by path.
libraries_of() {
	# Both "name => path (address)" and "path (address)" (the loader); vdso has no path.
	LD_LIBRARY_PATH=$build/prefix/lib ldd "$@" 2>/dev/null |
		awk '/not found/ { print "missing", $1 > "/dev/stderr" }
		     $2 == "=>" && $3 ~ /^\// { print $3 }
		     $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' |
		sort -u
}

# Where the VM's loader looks for one.
library_folder() {
	case $1 in
	*/ld-linux*)	echo lib64 ;;
	*)		echo lib ;;
	esac
}

kernel_candidates() {
	# The cloud kernel first: it is the one the tests were written on.
	find /boot -maxdepth 1 -name 'vmlinuz-*-cloud-amd64' -printf '%f\n' | sort -rV
	find /boot -maxdepth 1 -name 'vmlinuz-*' ! -name '*-cloud-amd64' -printf '%f\n' | sort -rV
}

# The newest kernel that can both be booted and be built against. Printed without the prefix.
kernel_version() {
	local image version

	if [ -n "${KERNEL_VERSION:-}" ]; then
		echo "$KERNEL_VERSION"
		return
	fi
	for image in $(kernel_candidates); do
		version=${image#vmlinuz-}
		if [ -r "/boot/$image" ] && [ -e "/lib/modules/$version/build/Makefile" ]; then
			echo "$version"
			return
		fi
	done
	die "no kernel has both /boot/vmlinuz-VERSION and /lib/modules/VERSION/build"
}

# configure DIR [OPTION…]: a meson build folder, once. A half-made one is begun again.
configure() {
	local dir=$1

	shift
	[ -f "$dir/build.ninja" ] && return
	meson setup "$dir" "$root" --prefix="$build/prefix" --libdir=lib \
		-Dfirmware_dir="$build/prefix/lib/firmware" "$@" >&2 ||
		die "meson setup $dir failed"
}

# compile DIR [TARGET…]
compile() {
	local dir=$1

	shift
	ninja -C "$dir" "$@" >"$dir/ninja.log" 2>&1 && return
	cat "$dir/ninja.log" >&2
	die "the build in $dir failed"
}

# The examples are built as a stranger would build them: against the installed library.
build_examples() {
	[ -f "$root/examples/meson.build" ] || return 0
	meson install -C "$build" --no-rebuild --only-changed --quiet >&2 ||
		die "meson install into $build/prefix failed"
	export PKG_CONFIG_PATH="$build/prefix/lib/pkgconfig"
	if [ ! -f "$build/examples-installed/build.ninja" ]; then
		meson setup "$build/examples-installed" "$root/examples" >&2 ||
			die "meson setup of the examples failed"
	fi
	compile "$build/examples-installed"
}

# All that goes into the VM: library, kernel image, module, examples, test programs.
build_all() {
	need_packages "${build_packages[@]}" "${vm_packages[@]}"
	configure "$build"
	compile "$build"
	"$root/scripts/build-module" || exit 2
	build_examples
}

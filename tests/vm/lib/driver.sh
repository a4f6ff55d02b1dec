# SPDX-License-Identifier: MIT
# For the shell tests of the module: what Linux said, which CPUs are whose, memory made useless.
# shellcheck shell=sh

sysfs=/sys/devices/system/cpu

online() {
	cat $sysfs/online
}

set_online() {
	echo "$2" >"$sysfs/cpu$1/online"
}

# How many CPUs of a node execute a command.
answering() {
	driver_vp none "$1" | grep -c ':ok$'
}

# The kernel's messages since the last mark; dmesg -c would hide them from the test runner.
mark() {
	mark_count=$((${mark_count:-0} + 1))
	echo "mark $mark_count of $$" >/dev/kmsg
}

said() {
	dmesg | awk -v mark="mark $mark_count of $$" 'found; index($0, mark) { found = 1 }'
}

# refused NAME TEXT PARAMETER…: insmod must fail, say TEXT, and leave nothing behind.
refused() {
	refused_name=$1
	refused_text=$2
	shift 2
	refused_online=$(online)
	mark
	if insmod_sidecar "$@" 2>/dev/null; then
		rmmod sidecar
		result 1 "$refused_name"
		diag "insmod $* succeeded"
		return
	fi
	if said | grep -qF -- "$refused_text" && [ ! -e /sys/module/sidecar ] &&
	   [ ! -e /dev/mshv_vtl_sidecar0 ] && [ "$(online)" = "$refused_online" ]; then
		result 0 "$refused_name"
	else
		result 1 "$refused_name"
		diag "wanted '$refused_text', CPUs $refused_online; CPUs $(online) and: $(said)"
	fi
}

# Most of the free memory once, with a byte (int3) that kills a CPU which still executes from it.
poison() {
	poison_times=$(awk '/^MemFree/ { print int($2 / 8192 * 85 / 100) }' /proc/meminfo)
	mkdir -p /tmp/poison
	mount -t tmpfs -o size=95% poison /tmp/poison
	tr '\0' '\314' </dev/zero | head -c 8388608 >/tmp/poison/seed
	for poison_round in $(seq "$poison_times"); do
		cat /tmp/poison/seed
	done >/tmp/poison/file 2>/dev/null
	umount /tmp/poison
}

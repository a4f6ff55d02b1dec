# SPDX-License-Identifier: MIT
# In the VM: blackout.sh MODULE COUNT [--instructions]: bench-blackout's ways, one line each. Every
# CPU is Linux's once before, so that no way has to pay for what is only done the first time.
module=$1
count=$2
shift 2

set_all() {
	for cpu in $(seq 1 "$count"); do
		echo "$1" >/sys/devices/system/cpu/cpu"$cpu"/online || return 1
	done
}

printf '%-8s %8s %9s %9s %9s %9s %9s %9s\n' asked waiting least median most stop save convert
for way in one all stopped; do
	set_all 1 && set_all 0 && insmod "$module" cpus=1-"$count" &&
		bench-blackout "$@" "$way" "$count" && set_all 0 && rmmod sidecar || exit 1
done

# SPDX-License-Identifier: MIT
# The VM is what every other test takes for granted: four CPUs, one of them Linux's, and AMD-V.
. ./lib/tap.sh

cpus=/sys/devices/system/cpu
is "one CPU is online" "$(cat $cpus/online)" 0
is "four CPUs are present" "$(cat $cpus/present)" 0-3
check "the CPU has SVM" grep -qw svm /proc/cpuinfo
check "the CPU has nested paging" grep -qw npt /proc/cpuinfo
check "debugfs is there" test -d /sys/kernel/debug/bdi
# dmesg -c has hidden the messages of the boot; they are still in the buffer.
timeout 2 cat /dev/kmsg >/tmp/kmsg 2>/dev/null
is "the APIC mode is the one asked for" \
	"$(grep -q 'APIC routing to.*x2apic' /tmp/kmsg && echo 1)" "${SIDECAR_TEST_X2APIC:-}"
is "Linux is the stock Debian kernel" "$(uname -v | grep -c Debian)" 1
done_testing

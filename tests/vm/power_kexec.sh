# SPDX-License-Identifier: MIT
# Linux starts a second Linux while guests run. That one, whose command is power_second.sh, finds
# every CPU where it wants it; power_kexec.ended has the last word.
. ./lib/tap.sh
. ./lib/driver.sh

second=/tmp/second
mkdir -p $second/etc/vm
echo "cd $PWD && sh ./power_second.sh" >$second/etc/vm/command
(cd $second && find . | cpio -o -H newc 2>/dev/null) >/tmp/second.cpio
cat /boot/initramfs.cpio /tmp/second.cpio >/tmp/initramfs.cpio

check "the second kernel is loaded" \
	kexec_start /boot/vmlinuz /tmp/initramfs.cpio "$(cat /proc/cmdline) second"
check "the module loads" insmod_sidecar cpus=1-3
for cpu in 1 2 3; do
	driver_vp busy $cpu 60 >/dev/null &
done
sleep 1
is "guests run" "$(cat /sys/class/misc/mshv_vtl_sidecar0/cpu*/state | sort -u)" busy
sleep 1
kexec_start
result 1 "kexec does not return"
sleep 60

# SPDX-License-Identifier: MIT
# Every way of loading the module wrongly is refused by a text of its own, and changes nothing.
. ./lib/tap.sh
. ./lib/driver.sh

firmware=/lib/firmware
good=$firmware/sidecar-svm.elf

refused "no cpus=" "cpus= is empty"
refused "an absent CPU" "CPU 4, which is absent" cpus=1-4
refused "CPU 0" "CPU 0, which is always Linux's" cpus=0-3
refused "garbage" '"x" is not N or N-M' cpus=1,x
refused "a range that runs backwards" "3-1 runs backwards" cpus=3-1
refused "nothing but a base" "leaves no CPU for the sidecar" cpus=3
refused "node_size too small" "node_size=1 is not in 2..4032" cpus=1-3 node_size=1
refused "node_size too large" "node_size=4033 is not in 2..4032" cpus=1-3 node_size=4033
refused "spin_us too large" "spin_us=1001 is not in 0..1000" cpus=1-3 spin_us=1001
refused "timeout_ms of 0" "timeout_ms=0 is not in 1..600000" cpus=1-3 timeout_ms=0

refused "no firmware file" "firmware absent.elf cannot be read" cpus=1-3 firmware=absent.elf
head -c 40 $good >$firmware/truncated.elf
refused "a truncated header" "truncated.elf: truncated: 40 bytes" cpus=1-3 firmware=truncated.elf
head -c 10000 $good >$firmware/short.elf
refused "a truncated segment" "short.elf: truncated: a segment" cpus=1-3 firmware=short.elf
echo "#! nothing that a CPU could run, but long enough for an ELF header, which has 64" \
	>$firmware/text.elf
refused "not ELF" "text.elf: not an ELF file: it begins with 23 21 20 6e" \
	cpus=1-3 firmware=text.elf
{ cat $good; head -c 17000000 /dev/zero; } >$firmware/large.elf
refused "too large a file" "the limit is 16777216" cpus=1-3 firmware=large.elf
rm $firmware/large.elf
cp /bin/busybox $firmware/busybox.elf
refused "an ELF file of another kind" "busybox.elf: ELF type" cpus=1-3 firmware=busybox.elf
sed 's/libsidecar/LIBsidecar/g' $good >$firmware/no-note.elf
refused "an ELF file without our note" "no note named libsidecar" cpus=1-3 firmware=no-note.elf

check "after all that it loads" insmod_sidecar cpus=1-3
refuse "but not twice" "exists" insmod_sidecar cpus=1-3
check "and goes" rmmod sidecar

check "CPU 2 comes online" set_online 2 1
refused "a CPU that is Linux's" "CPU 2, which is online" cpus=1-3
done_testing

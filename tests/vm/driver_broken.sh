# SPDX-License-Identifier: MIT
# Sidecar kernels that fail on purpose (driver_images.py): every wait ends (R9), no CPU stays in
# limbo (R8), and what is freed is free.
. ./lib/tap.sh
. ./lib/driver.sh

works_again() {
	insmod_sidecar cpus=1-3
	is "$1: a good kernel works again" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ok 3:ok "
	rmmod sidecar
}

refused "the kernel refuses" "the sidecar kernel refuses this machine" cpus=1-3 firmware=refuse.elf
refused "the conductor hangs" "CPU 1, which starts the others, did not answer in 300 ms" \
	cpus=1-3 firmware=hang.elf timeout_ms=300
poison
works_again "after the conductor"

mark
check "CPU 2 does not start" insmod_sidecar cpus=1-3 firmware=no-start.elf timeout_ms=300
is "and is named" "$(said | grep -c 'CPU 2 did not start in time')" 1
is "the others work" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ETIMEDOUT 3:ok "
check "it can be Linux's" set_online 2 1
is "and no longer the sidecar's" "$(driver_vp none 0 2)" 2:ENOENT
set_online 2 0
check "rmmod" rmmod sidecar
poison
works_again "after a CPU that does not start"

for image in halt spin fault; do
	insmod_sidecar cpus=1-3 firmware=$image.elf timeout_ms=300
	is "$image: the command ends" "$(driver_vp none 0 2)" 2:ETIMEDOUT
	is "$image: the others work" "$(driver_vp none 0 | tr '\n' ' ')" "1:ok 2:ETIMEDOUT 3:ok "
	[ $image = halt ] || check "$image: the CPU can be Linux's" set_online 2 1
	check "$image: rmmod" rmmod sidecar
	[ $image = halt ] || set_online 2 0
	works_again $image
done
poison

mark
check "CPUs that never leave" insmod_sidecar cpus=1-3 firmware=no-leave.elf timeout_ms=300
check "one is converted all the same" set_online 2 1
is "by a reset" "$(said | grep -c 'CPU 2 did not leave the sidecar in 300 ms')" 1
check "rmmod" rmmod sidecar
set_online 2 0
poison
works_again "after CPUs that never leave"
for cpu in 1 2 3; do
	check "CPU $cpu comes online" set_online $cpu 1
done
done_testing

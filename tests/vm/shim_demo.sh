# SPDX-License-Identifier: MIT
# The demo on adopted CPUs: digests, a cancelled loop, a conversion, counts that agree.
. ./lib/tap.sh

sh ../demo.sh --corrupt >/tmp/corrupt.log 2>&1
is "the demo with a flipped byte ends with 1" $? 1
is "it says why" "$(tail -n 1 /tmp/corrupt.log | grep -c '^demo: FAILED the digest of ')" 1
check "the module can be removed after it" rmmod sidecar
sh ../demo.sh >/tmp/demo.log 2>&1
is "the demo ends with 0" $? 0
is "its last line is right" "$(tail -n 1 /tmp/demo.log |
	grep -cE '^demo: ok vps=3 exits=[1-9][0-9]* converted=1$')" 1
diag "$(tail -n 20 /tmp/demo.log)"
is "the CPUs were adopted" "$(dmesg | grep -c '3 CPUs in 1 nodes adopted')" 2
done_testing

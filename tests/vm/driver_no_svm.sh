# SPDX-License-Identifier: MIT
. ./lib/tap.sh
. ./lib/driver.sh

refused "a machine without SVM" "this machine has no SVM" cpus=1-3
done_testing

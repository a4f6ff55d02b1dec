// SPDX-License-Identifier: GPL-2.0-only
#include "driver.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

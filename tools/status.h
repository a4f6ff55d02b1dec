/* SPDX-License-Identifier: MIT */
/* What `status' prints; sidecarctl(8) is the contract of the JSON. */
#ifndef STATUS_H
#define STATUS_H

#include "cpu.h"

void status_print_table(FILE *out, const struct snapshot *snapshot);
void status_print_json(FILE *out, const struct snapshot *snapshot);

#endif

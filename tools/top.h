/* SPDX-License-Identifier: MIT */
/* What `top' shows of two looks at the CPUs. */
#ifndef TOP_H
#define TOP_H

#include "cpu.h"

/* A CPU that was not there before, or has begun anew since, counts from 0. */
void top_print(FILE *out, const struct snapshot *before, const struct snapshot *after,
	       double seconds);

/* text, one screen of it: lines and columns beyond are left out. */
void top_show(FILE *out, const char *text, unsigned int lines, unsigned int columns);

#endif

/* SPDX-License-Identifier: MIT */
/* Numbers of the command line. Each returns 0, or -1 for what is none or is out of its range. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

/* Decimal, or hexadecimal with 0x. */
int number_parse(const char *text, uint64_t limit, uint64_t *number);

/* With K, M or G behind it, if so wished: powers of 1024. */
int number_parse_size(const char *text, uint64_t limit, uint64_t *size);

/* Decimal, with a fraction if so wished; in nanoseconds, both ends of the range included. */
int number_parse_seconds(const char *text, double least, double most, uint64_t *nanoseconds);

#endif

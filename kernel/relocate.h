/* SPDX-License-Identifier: MIT */
#ifndef RELOCATE_H
#define RELOCATE_H

#include <elf.h>
#include <stdint.h>

/*
 * Applies count relocations to an image of size bytes at image, for running at va. Returns how many
 * were done: fewer than count when the next is not R_X86_64_RELATIVE or lies outside.
 */
uint64_t relocate(uint8_t *image, uint64_t size, uint64_t va, const Elf64_Rela *relocations,
		  uint64_t count);

#endif

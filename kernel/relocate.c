// SPDX-License-Identifier: MIT
#include "relocate.h"

uint64_t relocate(uint8_t *image, uint64_t size, uint64_t va, const Elf64_Rela *relocations,
		  uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		const Elf64_Rela *r = &relocations[i];

		if (ELF64_R_TYPE(r->r_info) != R_X86_64_RELATIVE || size < sizeof(uint64_t) ||
		    r->r_offset > size - sizeof(uint64_t))
			return i;
		*(uint64_t *)(image + r->r_offset) = va + (uint64_t)r->r_addend;
	}
	return count;
}

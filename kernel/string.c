// SPDX-License-Identifier: MIT
/* What the compiler calls even in freestanding code. Small on purpose: nothing hot copies much. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
	void *result = to;
	size_t words = size / 8, bytes = size % 8;

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return result;
}

void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *t = (uint8_t *)to + size;
	const uint8_t *f = (const uint8_t *)from + size;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(to, from, size);
	while (size--) {
		*--t = *--f;
		asm volatile("" : : : "memory"); /* not to become a call of itself */
	}
	return to;
}

void *memset(void *to, int value, size_t size)
{
	void *result = to;
	size_t words = size / 8, bytes = size % 8;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;

	asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(pattern) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

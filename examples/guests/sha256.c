// SPDX-License-Identifier: MIT
/* Prints the SHA-256 of its input, which lies in its memory. After FIPS 180-4, sections 4 to 6. */
#include <stddef.h>
#include <stdint.h>

#include "ports.h"

#define BLOCK 64u

static uint32_t exits;

static void out8(uint16_t port, uint8_t value)
{
	exits++;
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static uint32_t in32(uint16_t port)
{
	uint32_t value;

	exits++;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* 4.2.2: the first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* 6.2.2, step 1: the message schedule. */
static void make_schedule(uint32_t w[64], const uint8_t *block)
{
	for (unsigned int t = 0; t < 16; t++)
		w[t] = load_be32(block + 4 * t);
	for (unsigned int t = 16; t < 64; t++) {
		uint32_t a = w[t - 15], b = w[t - 2];

		w[t] = (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10) + w[t - 7] +
		       (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 16];
	}
}

/* 6.2.2, step 3, one round; v is a to h. */
static void round_step(uint32_t v[8], uint32_t constant_and_word)
{
	uint32_t sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
	uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
	uint32_t t1 = v[7] + sum1 + choice + constant_and_word;
	uint32_t sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
	uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

	for (unsigned int i = 7; i > 0; i--)
		v[i] = v[i - 1];
	v[4] += t1;
	v[0] = t1 + sum0 + majority;
}

static void add_block(uint32_t hash[8], const uint8_t *block)
{
	uint32_t w[64], v[8];

	make_schedule(w, block);
	for (unsigned int i = 0; i < 8; i++)
		v[i] = hash[i];
	for (unsigned int t = 0; t < 64; t++)
		round_step(v, constants[t] + w[t]);
	for (unsigned int i = 0; i < 8; i++)
		hash[i] += v[i];
}

/* 5.1.1: what is left of the message, a one bit, zeroes, and the length in bits. */
static void add_tail(uint32_t hash[8], const uint8_t *rest, size_t count, uint64_t length)
{
	uint8_t block[2 * BLOCK];
	size_t size = count + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

	for (size_t i = 0; i < size; i++)
		block[i] = i < count ? rest[i] : 0;
	block[count] = 0x80;
	for (unsigned int i = 0; i < 8; i++)
		block[size - 1 - i] = (uint8_t)(length * 8 >> 8 * i);
	for (size_t i = 0; i < size; i += BLOCK)
		add_block(hash, block + i);
}

static void print_hash(const uint32_t hash[8])
{
	for (unsigned int i = 0; i < 64; i++)
		out8(PORT_PRINT, (uint8_t)"0123456789abcdef"[hash[i / 8] >> (28 - 4 * (i % 8)) & 15]);
	out8(PORT_PRINT, '\n');
}

/* Called by start64.S, which halts afterwards. */
void main(void)
{
	/* 5.3.3 */
	uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	const uint64_t length = in32(PORT_INPUT_LENGTH);
	const uint8_t *input = (const uint8_t *)(uintptr_t)in32(PORT_INPUT_ADDRESS);
	uint64_t done = 0;

	for (; length - done >= BLOCK; done += BLOCK)
		add_block(hash, input + done);
	add_tail(hash, input + done, length - done, length);
	print_hash(hash);
	out32(PORT_EXITS, exits + 2);
}

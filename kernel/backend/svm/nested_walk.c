// SPDX-License-Identifier: MIT
#include "walk.h"

#define NESTED_LEVELS 4
#define GPA_BITS 48
#define ENTRY_PRESENT (1ULL << 0)
#define ENTRY_WRITABLE (1ULL << 1)
#define ENTRY_USER (1ULL << 2)
#define ENTRY_LARGE (1ULL << 7)
#define ENTRY_NO_EXECUTE (1ULL << 63)
#define ADDRESS_MASK 0x000ffffffffff000ULL

static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (level <= 3 && (entry & ENTRY_LARGE));
}

/* Nested accesses are user accesses (APM vol. 2, 15.25.5): an entry without U maps nothing. */
static bool is_mapped(uint64_t entry)
{
	return (entry & ENTRY_PRESENT) && (entry & ENTRY_USER);
}

static void fill_leaf(struct svm_nested_leaf *leaf, uint64_t entry, uint64_t gpa, uint64_t size)
{
	leaf->size = size;
	leaf->pa = (entry & ADDRESS_MASK & ~(size - 1)) | (gpa & (size - 1));
}

bool svm_nested_walk(uint64_t root, uint64_t gpa, svm_read_physical read, void *context,
		     struct svm_nested_leaf *leaf)
{
	uint64_t table = root & ADDRESS_MASK;
	uint64_t entry;

	leaf->writable = true;
	leaf->executable = true;
	if (!table || gpa >> GPA_BITS)
		return false;
	for (unsigned int level = NESTED_LEVELS; level > 0; level--) {
		uint64_t index = (gpa >> level_shift(level)) & 511;

		if (!read(context, table + index * 8, &entry) || !is_mapped(entry))
			return false;
		leaf->writable = leaf->writable && (entry & ENTRY_WRITABLE);
		leaf->executable = leaf->executable && !(entry & ENTRY_NO_EXECUTE);
		if (is_leaf(entry, level)) {
			fill_leaf(leaf, entry, gpa, 1ULL << level_shift(level));
			return true;
		}
		table = entry & ADDRESS_MASK;
	}
	return false;
}

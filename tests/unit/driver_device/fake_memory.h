/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of Linux as nested.c needs, over an array: FAKE_PAGES pages that begin at a physical
 * address which no pointer looks like.
 */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned int gfp_t;

struct list_head {
	struct list_head *next, *prev;
};

struct page {
	struct list_head lru;
};

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define FAKE_PAGES 8192u
#define FAKE_FIRST_FRAME 0x123400ul
#define GFP_KERNEL_ACCOUNT 0u
#define __GFP_ZERO 0u

#define min(a, b) ((a) < (b) ? (a) : (b))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

extern struct page fake_pages[FAKE_PAGES];

/* Fails when fake_allocations_left is 0; counts pages in fake_tables. */
struct page *alloc_pages_node(int node, gfp_t flags, unsigned int order);
void __free_page(struct page *page);
void *page_address(struct page *page);

extern unsigned long fake_tables;
extern unsigned long fake_allocations_left;

static inline unsigned long page_to_pfn(const struct page *page)
{
	return FAKE_FIRST_FRAME + (unsigned long)(page - fake_pages);
}

static inline struct page *pfn_to_page(unsigned long frame)
{
	return &fake_pages[frame - FAKE_FIRST_FRAME];
}

static inline u64 page_to_phys(const struct page *page)
{
	return (u64)page_to_pfn(page) << PAGE_SHIFT;
}

static inline void list_init(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline void list_add(struct list_head *item, struct list_head *list)
{
	item->next = list->next;
	item->prev = list;
	list->next->prev = item;
	list->next = item;
}

static inline void list_del(struct list_head *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
}

#define list_for_each_entry_safe(item, after, list, member)                                        \
	for (item = container_of((list)->next, __typeof__(*item), member),                         \
	    after = container_of(item->member.next, __typeof__(*item), member);                    \
	     &item->member != (list);                                                              \
	     item = after, after = container_of(after->member.next, __typeof__(*after), member))

#endif

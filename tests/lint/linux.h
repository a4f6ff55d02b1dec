/* SPDX-License-Identifier: MIT */
/* Loops of Linux's, for cppcheck, which does not see Linux's headers. */
#define list_for_each_entry(p, head, member) for ((p) = first(head); (p); (p) = next(p))
#define list_for_each_entry_safe(p, n, head, member) \
	for ((p) = first(head), (n) = next(p); (p); (p) = (n), (n) = next(n))
#define rbtree_postorder_for_each_entry_safe(p, n, root, member) \
	for ((p) = first(root), (n) = next(p); (p); (p) = (n), (n) = next(n))

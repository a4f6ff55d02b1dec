/* SPDX-License-Identifier: MIT */
/*
 * Where registers live outside of commands: the context, shared by all VTLs, and the register page.
 *
 * The page is valid for all of its fields or for none. A field that is to change by a command
 * makes it invalid first, after what was dirty in it; the run that follows fills it again. So no
 * value in it is ever older than the register's own.
 */
#ifndef LIBSIDECAR_REGISTER_PAGE_H
#define LIBSIDECAR_REGISTER_PAGE_H

#include "internal.h"

/* A place in memory that the CPU shares, and how many of a register's 16 bytes are there. */
struct register_place {
	void *bytes; /* NULL: not here */
	size_t size;
	uint32_t dirty; /* HV_REGISTER_PAGE_DIRTY_*; 0 = cannot be written here */
};

struct register_place context_place(const struct sidecar_vp *vp, uint32_t name);
struct register_place page_place(const struct sidecar_vp *vp, uint32_t name);

struct hv_u128 place_read(const struct register_place *place);
void place_write(const struct register_place *place, struct hv_u128 value);

/* Whether the page has values, and of which VTL. */
bool page_is_valid(const struct sidecar_vp *vp, uint8_t *vtl);
void page_add_dirty(struct sidecar_vp *vp, uint32_t dirty);

/*
 * A value that the page may take as well as a command would: it cannot be refused, and reads back
 * as it is.
 */
bool page_value_is_plain(uint32_t name, struct hv_u128 value);

/* XMM registers that are dirty in the page are moved to the context. */
void page_fold_xmm(struct sidecar_vp *vp);

/* Makes the page invalid; what was dirty is in the VP's plan, to be set. */
void page_turn_off(struct sidecar_vp *vp);
/* Makes the page invalid and forgets what was dirty. */
void page_discard(struct sidecar_vp *vp);
/* What was dirty has been refused: as it was. */
void page_turn_on(struct sidecar_vp *vp);

#endif

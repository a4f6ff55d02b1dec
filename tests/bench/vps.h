/* SPDX-License-Identifier: MIT */
/*
 * VPs that share one page of memory with the guest of guest.h. Functions return false after telling
 * what is wrong on stderr; the process's end frees what they made.
 */
#ifndef BENCH_VPS_H
#define BENCH_VPS_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/sidecar.h>

#define VPS_MAX 31u

struct vps {
	struct sidecar *client;
	struct sidecar_partition *partition;
	struct sidecar_queue *queue; /* NULL until vps_attach() */
	struct sidecar_vp *vp[VPS_MAX];
	uint32_t count;
};

bool vps_failed(const char *what, const struct sidecar_error *error);

/* A page with the guest in it, or NULL. */
void *vps_new_page(void);

/* As many VPs of node 0 as there are, but max. */
bool vps_open(struct vps *vps, void *page, uint32_t max);

/* All of them to one queue of the calling thread's. */
bool vps_attach(struct vps *vps);

/* What a VMM does with an OUT whose value it does not want. */
bool vps_serve(struct sidecar_vp *vp);

/* The same for an event, which must be an intercept. */
bool vps_serve_event(const struct sidecar_event *event);

bool vps_close(struct vps *vps);

#endif

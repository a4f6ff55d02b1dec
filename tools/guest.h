/* SPDX-License-Identifier: MIT */
/*
 * A flat guest on one VP, and what it may ask for: examples/guests/ports.h is the agreement.
 * Functions return CTL_OK or have told why not and return the exit status.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <sidecar/sidecar.h>

#include "ctl.h"

#define GUEST_MEMORY_MAX UINT64_C(0xc0000000)
#define GUEST_LOAD_MAX UINT64_C(0xffff0) /* what CS can say in real mode */
#define GUEST_ENTRY_REACH UINT64_C(0x10000) /* and IP */

struct guest_options {
	const char *image; /* file */
	const char *input; /* file, or NULL */
	uint64_t memory;   /* bytes; 0: as much as it takes */
	uint64_t load;	   /* GPA of the image: CS << 4 */
	uint64_t entry;	   /* GPA of the first instruction */
};

struct guest {
	struct sidecar_partition *partition;
	struct sidecar_vp *vp;
	uint8_t *memory; /* GPA 0 */
	uint64_t size;
	uint32_t input_length;
	uint32_t input_next;
};

/* Memory on node i, with image and input. To be undone with guest_destroy(), after an error too. */
int guest_load(struct ctl *ctl, struct guest *guest, const struct guest_options *options,
	       struct sidecar *client, uint32_t i);

/* Before its first instruction; guest->vp is there. */
int guest_start(struct ctl *ctl, struct guest *guest, const struct guest_options *options);

enum guest_state { GUEST_GOES_ON, GUEST_HALTED, GUEST_ENDED };

/* Does what the last intercept asks for. Only with GUEST_ENDED *status says how it ended. */
enum guest_state guest_serve(struct ctl *ctl, struct guest *guest, int *status);

void guest_destroy(struct guest *guest);

#endif

// SPDX-License-Identifier: MIT
/* RUN: a command in one system call, for the blocking forms. */
#include <errno.h>

#include "internal.h"

/*
 * A cancel between the test of its flag and the driver's claim is not lost: it finds the VP's state
 * in flight, so it calls CANCEL, and the driver keeps that for the run which is about to begin.
 *
 * A signal stops the command but ends no operation: what is in the page counts. Nothing is there
 * when the signal came before the command began.
 */
static int start(struct sidecar_vp *vp)
{
	struct sidecar *client = vp->client;
	int error;

	do
		error = client->driver->run(client->context, vp->file->handle, vp->cpu);
	while (error == -EINTR && !request_has_arrived(vp));
	vp->request.result = error == -EINTR ? 0 : error;
	vp_set_state(vp, VP_FINISHED);
	return TRANSPORT_COMPLETE;
}

const struct transport transport_call = {
	.start = start,
};
